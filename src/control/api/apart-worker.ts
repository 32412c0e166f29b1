import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../../base/fault.ts';
import { Refusal } from '../../base/outcome.ts';
import { Engine, newInstance } from '../../policy/decide/engine.ts';
import { install } from '../../policy/load/load.ts';
import { misspelt, questionsFor, type Scenario } from '../../policy/load/scenario.ts';
import { validate } from '../../policy/load/validate.ts';
import type { Sources } from '../../policy/text/sources.ts';
import { explainRequest, explanationJson } from '../../tools/explain.ts';
import { reach } from '../../tools/reach.ts';
import { readPolicies } from '../../tools/read-policies.ts';
import type { WorkerAnswer, WorkerQuestion } from './apart.ts';

const opened = open(workerData as Sources);
parentPort?.on('message', (asked: WorkerQuestion) => parentPort?.postMessage(told(asked)));

/** The snapshot of these sources, as the serving thread has it. They were judged before: no test is run again. */
function open(sources: Sources) {
  const cedar = newInstance();
  const validated = validate({ ...sources, tests: [] }, cedar, 0);
  if (Array.isArray(validated)) throw new Error('the policies in force cannot be read again');
  const engine = new Engine();
  const loaded = install(engine, sources, validated);
  if ('problems' in loaded) throw new Error('the policies in force cannot be loaded again');
  return { cedar, validated, engine, snapshot: loaded.snapshot, policies: readPolicies(sources, cedar) };
}

/** Whatever throws here is an answer: the caller chose what is evaluated. */
function told(asked: WorkerQuestion): WorkerAnswer {
  try {
    const found = 'explain' in asked ? explained(asked.explain) : reached(asked.reach);
    return typeof found === 'string' ? { fault: found } : { json: JSON.stringify(found) };
  } catch (error) {
    return { fault: messageOf(error) };
  }
}

function explained(scenario: Scenario): object | string {
  const { cedar, validated, engine, snapshot, policies } = opened;
  const wrong = misspelt(scenario, snapshot.inventory);
  if (wrong !== null) return wrong;
  const questions = questionsFor(scenario, snapshot.inventory, snapshot.headers);
  if (typeof questions === 'string') return questions;
  if (questions instanceof Refusal) {
    const { reason, detail } = questions;
    return { result: 'deny', reason, detail, hops: [] };
  }
  const explanation = explainRequest(policies, questions, snapshot, { validated, engine, cedar }, false);
  return typeof explanation === 'string' ? explanation : explanationJson(explanation, (file) => file);
}

function reached(caller: string): object | string {
  const { validated, engine, snapshot, policies } = opened;
  return reach({ caller }, { policies, validated, snapshot, engine });
}
