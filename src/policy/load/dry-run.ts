import { Refusal } from '../../base/outcome.ts';
import { SpiffeId } from '../../base/spiffe-id.ts';
import type { Inventory } from '../../inventory/inventory.ts';
import { readActions, writeActions } from '../../inventory/model.ts';
import { type Problem, problemAtStart, sortProblems } from '../../source/problem.ts';
import { controlCall } from '../control/call.ts';
import {
  type ControlAction,
  type ControlOrder,
  type ControlResource,
  controlActions,
  controlProofs,
} from '../control/question.ts';
import type { AuthorizationCall } from '../decide/call.ts';
import { authorizationCall, type NamedEntities } from '../decide/cedar-request.ts';
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
 * Runs validated sources as they would be served: the folder's own tests must pass, and every condition is evaluated,
 * since some policies overflow the stack only then. Nothing here outlives the call.
 */
export function dryRun(
  sources: Sources,
  inventory: Inventory,
  validated: ValidatedPolicies,
  policies: readonly ParsedPolicy[],
  warmRounds: number,
  control: readonly ParsedPolicy[] = [],
): Problem[] {
  if (sources.tests.length === 0 && warmRounds === 0) return [];
  const engine = new Engine({ throwBudget: 0 });
  try {
    const snapshot = new Snapshot({ revision: '', inventory, headers: sources.settings.headers, validated, engine });
    for (const fault of snapshot.prepare()) if (fault !== null) return [problemAtStart('policies', fault)];
    const { unread, failed } = runTests(sources, snapshot);
    const faults = sortProblems([...unread, ...failed]);
    if (faults.length > 0 || warmRounds === 0) return faults;
    const { schema, named } = validated;
    const calls = probes(inventory).map((question) => authorizationCall(question, named, inventory));
    const crashes = warmUp(engine, { schema, policies, calls }, warmRounds);
    if (validated.control === null || crashes.length > 0) return crashes;
    const probed = {
      ...validated.control,
      policies: control,
      calls: controlProbes(inventory, validated.control.named),
    };
    return warmUp(engine, probed, warmRounds);
  } finally {
    engine.close();
  }
}

/** Policies of one schema, and calls that evaluate them. */
export interface Probed {
  readonly schema: string;
  readonly policies: readonly ParsedPolicy[];
  readonly calls: readonly AuthorizationCall[];
}

/** The policies with their scopes opened, so that their conditions are evaluated whatever is asked. */
export function warmUp(engine: Engine, { schema, policies, calls }: Probed, rounds: number): Problem[] {
  const opened = Object.fromEntries(policies.map((policy) => [policy.id, open(policy)]));
  const program = { schema, policies: opened };
  const fault = engine.prepare(program);
  if (fault !== null) return [problemAtStart('policies', fault)];
  for (let round = 0; round < rounds; round++) {
    const call = calls[round % calls.length];
    if (call === undefined) break;
    const answer = engine.ask(program, call);
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

/** A workload that the inventory knows. */
function someWorkload(inventory: Inventory): SpiffeId | null {
  return (
    inventory
      .entries()
      // An `under` entry holds for what stands below it, not for itself.
      .map(({ entry, scope }) => SpiffeId.parse(scope === 'id' ? entry : `${entry}/any`))
      .filter((id) => id instanceof SpiffeId)
      .find((id) => !(inventory.workload(id) instanceof Refusal)) ?? null
  );
}

/** Questions of control policies: the same workload, with either proof, about itself, a task of its own and everything; and a person, about an approval. */
function controlProbes(inventory: Inventory, named: NamedEntities): AuthorizationCall[] {
  const id = someWorkload(inventory);
  if (id === null) return [];
  const [nowMs, untilMs] = [Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 2)];
  const registered = { owner: null, purpose: null, workloads: [id.text], startedBy: id.text };
  const task = { kind: 'task', issuer: 'https://issuer.example', id: 'task', registered } as const;
  const { issuer } = task;
  const terms = { issuer, purpose: [...inventory.known.purposes][0] ?? 'purpose', scopes: ['scope'], untilMs };
  const orders: Partial<Record<ControlAction, ControlOrder>> = {
    revoke: { action: 'revoke', dryRun: false, untilMs },
    start: { action: 'start', ...terms, dryRun: false, parent: task },
    handOn: { action: 'handOn', ...terms, depth: 2 },
  };
  const workload = { kind: 'workload', id } as const;
  const resources: Partial<Record<ControlAction, readonly ControlResource[]>> = {
    teach: [workload],
    start: [workload],
    handOn: [workload],
    extend: [task],
    end: [task],
  };
  const asked = { action: 'POST', host: 'host', method: 'POST', path: '/', sensitivity: 'restricted', task } as const;
  const approval = { kind: 'approval', id: 'id', name: 'name', caller: id, ...asked } as const;
  const person = { issuer, subject: 'person', groups: [], acr: 'acr', amr: ['amr'], signedInMs: nowMs, name: null };
  const byPerson = (['grant', 'refuse', 'withdraw', 'breakGlass', 'review', 'view'] as const).map((action) => {
    const order = action === 'grant' ? ({ action, uses: 1, untilMs } as const) : null;
    const principal = { kind: 'person', person, proof: 'session' } as const;
    return controlCall({ principal, action, resource: approval, nowMs, order }, named, inventory);
  });
  const byWorkload = controlActions.filter((action) => !OF_PERSONS.has(action));
  const calls = byWorkload.flatMap((action) =>
    controlProofs.flatMap((proof) =>
      (resources[action] ?? [workload, { kind: 'everything' }, task]).map((resource) => {
        const order = orders[action] ?? null;
        return controlCall(
          { principal: { kind: 'workload', id, proof }, action, resource, nowMs, order },
          named,
          inventory,
        );
      }),
    ),
  );
  return [...byPerson, ...calls];
}

/** What no workload may be asked about. */
const OF_PERSONS: ReadonlySet<ControlAction> = new Set(['grant', 'refuse', 'withdraw', 'breakGlass', 'review']);

/** Questions that a warm-up asks: a workload at each host, by whichever method it takes, with and without a task. */
export function probes(inventory: Inventory): Question[] {
  const facts = {
    caller: someWorkload(inventory)?.text,
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
