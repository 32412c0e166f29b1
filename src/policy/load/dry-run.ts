import { Refusal } from '../../base/outcome.ts';
import { SpiffeId } from '../../base/spiffe-id.ts';
import type { Inventory } from '../../inventory/inventory.ts';
import { readActions, type Target, type Workload, writeActions } from '../../inventory/model.ts';
import { type Problem, sortProblems } from '../../source/problem.ts';
import { authorizationCall } from '../decide/cedar-request.ts';
import { Engine } from '../decide/engine.ts';
import { sampleFacts } from '../decide/facts.ts';
import { bareQuestion, type Question } from '../decide/question.ts';
import { Snapshot } from '../decide/snapshot.ts';
import type { ValidatedPolicies } from '../decide/validated.ts';
import type { ParsedPolicy } from '../lint/parsed.ts';
import type { Sources } from '../text/sources.ts';
import { problemIn } from '../text/split-policies.ts';
import { difference, readCases, runCase } from './cases.ts';

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
    const fault = snapshot.prepare();
    if (fault !== null) return [{ file: 'policies', line: 1, column: 1, message: fault }];
    const failed = failedCases(sources, inventory, snapshot);
    return failed.length > 0 ? failed : warmUp(engine, inventory, validated, policies, warmRounds);
  } finally {
    engine.close();
  }
}

function failedCases(sources: Sources, inventory: Inventory, snapshot: Snapshot): Problem[] {
  const problems: Problem[] = [];
  for (const file of sources.tests) {
    const cases = readCases(file, inventory, sources.settings.headers);
    for (const found of cases) {
      if (!('questions' in found)) {
        problems.push(found);
        continue;
      }
      const differs = difference(
        found,
        runCase(found, (question) => snapshot.decide(question)),
      );
      if (differs !== null) problems.push(found.problem(differs));
    }
  }
  return sortProblems(problems);
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
  if (fault !== null) return [{ file: 'policies', line: 1, column: 1, message: fault }];
  for (let round = 0; round < rounds; round++) {
    const question = questions[round % questions.length];
    if (question === undefined) break;
    const answer = engine.ask(program, authorizationCall(question, validated.named, inventory));
    if (answer.kind === 'unavailable') {
      const where = policies.length === 1 ? policies[0] : undefined;
      const message = `these policies crash the Cedar engine when they are evaluated (${answer.message}); make them simpler`;
      return [where === undefined ? { file: 'policies', line: 1, column: 1, message } : problemIn(where, 0, message)];
    }
  }
  return [];
}

/** As text: Cedar reads policies as JSON to a smaller depth than it evaluates. */
function open({ text, tokens, json }: ParsedPolicy): string {
  const effect = tokens.findIndex((token, i) => token.text === json.effect && tokens[i - 1]?.text !== '@');
  let depth = 0;
  const end = tokens.findIndex(({ text: sign }, i) => {
    if (i <= effect) return false;
    if (sign === '(' || sign === '[') depth++;
    if (sign === ')' || sign === ']') depth--;
    return depth === 0;
  });
  return `${json.effect} (principal, action, resource)${text.slice(tokens[end]?.end ?? text.length)}`;
}

/** Questions that a warm-up asks: a workload at each host, by whichever method it takes, with and without a task. */
function probes(inventory: Inventory): Question[] {
  const hop = inventory.entries
    // An `under` entry holds for what stands below it, not for itself.
    .map(({ entry, scope }) => SpiffeId.parse(scope === 'id' ? entry : `${entry}/any`))
    .map((id) => (id instanceof Refusal ? id : inventory.workload(id)))
    .find((found): found is Workload => !(found instanceof Refusal));
  if (hop === undefined) return [];
  const [purpose] = inventory.known.purposes;
  return [...inventory.hosts.values()].slice(0, 8).flatMap((book) => {
    const target = [...readActions, ...writeActions]
      .map((method) => book.target({ host: book.host.name, path: '/', method, upgrade: false, grpc: false }))
      .find((found): found is Target => !(found instanceof Refusal));
    if (target === undefined) return [];
    const bare: Question = {
      ...bareQuestion(hop, target),
      now: Date.UTC(2026, 0, 1),
      declared: { id: 'declared', purpose: 'declared' },
      client: '192.0.2.1',
      query: 'query',
      ...sampleFacts,
    };
    if (purpose === undefined) return [bare];
    const task: Question['task'] = {
      source: 'txn-token',
      id: 'task',
      purpose,
      assurance: 2,
      scopes: [],
      issuer: 'https://issuer.example',
      subject: 'subject',
      issuedAt: Date.UTC(2026, 0, 1) / 1000,
      expiresAt: Date.UTC(2026, 0, 1) / 1000 + 300,
      token: 'sha256:',
    };
    return [bare, { ...bare, task }];
  });
}
