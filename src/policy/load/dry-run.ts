import { Refusal } from '../../base/outcome.ts';
import { SpiffeId } from '../../base/spiffe-id.ts';
import type { Inventory } from '../../inventory/inventory.ts';
import { readActions, writeActions } from '../../inventory/model.ts';
import { type Problem, problemAtStart, sortProblems } from '../../source/problem.ts';
import { authorizationCall } from '../decide/cedar-request.ts';
import { Engine } from '../decide/engine.ts';
import { sampleFacts } from '../decide/facts.ts';
import type { Question } from '../decide/question.ts';
import { Snapshot } from '../decide/snapshot.ts';
import type { ValidatedPolicies } from '../decide/validated.ts';
import type { ParsedPolicy } from '../lint/parsed.ts';
import type { Sources } from '../text/sources.ts';
import { problemIn } from '../text/split-policies.ts';
import { byDepth, effectToken } from '../text/tokens.ts';
import { runTests } from './cases.ts';
import { questionsFor } from './scenario.ts';

/**
 * Runs validated sources as they would be served: the folder's own tests must pass, and every condition is evaluated often
 * enough to be compiled (some policies overflow the stack only then). Nothing here outlives the call.
 */
export function dryRun(
  sources: Sources,
  inventory: Inventory,
  validated: ValidatedPolicies,
  policies: readonly ParsedPolicy[],
  warmRounds: number,
): Problem[] {
  if (sources.tests.length === 0 && warmRounds === 0) return [];
  const engine = new Engine({ throwBudget: 0 });
  try {
    const snapshot = new Snapshot({ revision: '', inventory, headers: sources.settings.headers, validated, engine });
    for (const fault of snapshot.prepare()) if (fault !== null) return [problemAtStart('policies', fault)];
    const { unread, failed } = runTests(sources, snapshot);
    const faults = sortProblems([...unread, ...failed]);
    return faults.length > 0 ? faults : warmUp(engine, inventory, validated, policies, warmRounds);
  } finally {
    engine.close();
  }
}

/** Each policy by itself and with its scope opened, so that its conditions are evaluated whatever is asked. */
function warmUp(
  engine: Engine,
  inventory: Inventory,
  validated: ValidatedPolicies,
  policies: readonly ParsedPolicy[],
  rounds: number,
): Problem[] {
  const questions = rounds === 0 ? [] : probes(inventory);
  const opened = Object.fromEntries(policies.map((policy) => [policy.id, open(policy)]));
  const program = { schema: validated.schema, policies: opened };
  const fault = engine.prepare(program);
  if (fault !== null) return [problemAtStart('policies', fault)];
  for (let round = 0; round < rounds; round++) {
    const question = questions[round % questions.length];
    if (question === undefined) break;
    const answer = engine.ask(program, authorizationCall(question, validated.named, inventory));
    if (answer.kind === 'unavailable') {
      const where = policies.length === 1 ? policies[0] : undefined;
      const message = `these policies crash the Cedar engine when they are evaluated (${answer.message}); make them simpler`;
      return [where === undefined ? problemAtStart('policies', message) : problemIn(where, 0, message)];
    }
  }
  return [];
}

/** As text: Cedar reads policies as JSON to a smaller depth than it evaluates. */
function open({ text, tokens, json }: ParsedPolicy): string {
  const scope = effectToken(tokens)?.end ?? 0;
  const end = byDepth(tokens).find(([token, depth]) => token.start >= scope && token.text === ')' && depth === 1);
  return `${json.effect} (principal, action, resource)${text.slice(end?.[0].end ?? text.length)}`;
}

/** Questions that a warm-up asks: a workload at each host, by whichever method it takes, with and without a task. */
function probes(inventory: Inventory): Question[] {
  const caller = inventory
    .entries()
    // An `under` entry holds for what stands below it, not for itself.
    .map(({ entry, scope }) => (scope === 'id' ? entry : `${entry}/any`))
    .find((text) => {
      const id = SpiffeId.parse(text);
      return id instanceof SpiffeId && !(inventory.workload(id) instanceof Refusal);
    });
  const facts = {
    caller,
    at: '2026-01-01T00:00:00Z',
    declared: { id: 'declared', purpose: 'declared' },
    client: '192.0.2.1',
  };
  const [purpose] = inventory.known.purposes;
  const tasks = purpose === undefined ? [null] : [null, { purpose, subject: 'subject' }];
  return [...inventory.hosts.keys()].slice(0, 8).flatMap((host) => {
    const asked = [...readActions, ...writeActions].map((method) => ({ method, host, path: '/', query: 'query' }));
    const request = asked.find(
      (line) => !(inventory.target({ ...line, upgrade: false, grpc: false }) instanceof Refusal),
    );
    return tasks.flatMap((task) => {
      const questions = questionsFor({ ...facts, request, task }, inventory, []);
      return Array.isArray(questions) ? questions.map((question) => ({ ...question, ...sampleFacts })) : [];
    });
  });
}
