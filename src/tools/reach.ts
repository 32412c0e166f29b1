import { Refusal } from '../base/outcome.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { Action, Sensitivity } from '../inventory/model.ts';
import { authorizationCall } from '../policy/decide/cedar-request.ts';
import type { Engine } from '../policy/decide/engine.ts';
import { unstatedFacts } from '../policy/decide/facts.ts';
import { refusalOf } from '../policy/decide/permit.ts';
import type { HopVerdict, Question } from '../policy/decide/question.ts';
import type { Snapshot } from '../policy/decide/snapshot.ts';
import type { ValidatedPolicies } from '../policy/decide/validated.ts';
import { questionsFor, type Scenario } from '../policy/load/scenario.ts';
import { boundPolicy, type Expression } from './bound.ts';
import type { ReadPolicy } from './read-policies.ts';
import { coveredTargets, sampleTargets } from './samples.ts';
import { shallow } from './shallow.ts';
import { readsUnknown } from './unknown.ts';

/** One thing that a workload can reach. */
export interface Reached {
  /** `host/name` of the innermost api, or `host` where no api names the path. */
  readonly api: string;
  readonly named: boolean;
  readonly effect: 'read' | 'write';
  readonly sensitivity: Sensitivity;
  readonly actions: readonly Action[];
  /** `now`: with these facts. `approval`: once a person approved. `perhaps`: with facts that were not stated. */
  readonly when: 'now' | 'approval' | 'perhaps';
  /** Permits for `now`; approvals that are missing; what stands against it for `perhaps` (forbids; none: no permit holds). */
  readonly by: readonly string[];
}

export interface Reaching {
  readonly policies: readonly ReadPolicy[];
  readonly validated: ValidatedPolicies;
  readonly snapshot: Snapshot<Inventory>;
  readonly engine: Engine;
}

/**
 * All that a caller could do with the facts that are stated: its blast radius. Nothing that could be allowed is left out:
 * what policies say of facts that are not stated (headers, the path below an api, the time; the credential, a task, who
 * handed it on, where they are undefined) may hold in its favour, and what only that would allow is `perhaps`. `now` is
 * what a request with these facts and no others is allowed. A string says why nothing can be told.
 */
export function reach(
  stated: Scenario,
  { policies, validated, snapshot, engine }: Reaching,
): readonly Reached[] | string {
  const open = unstated(stated);
  const unknown = (expression: Expression): boolean => readsUnknown(expression, open);
  const bounded = policies
    .filter(({ shadow }) => !shadow)
    .map(({ id, json }) => {
      const side = json.effect === 'permit' ? 'upper' : 'lower';
      return [id, shallow(boundPolicy(json, side, unknown))] as const;
    });
  const program = { schema: validated.schema, policies: Object.fromEntries(bounded) };
  const fault = engine.prepare(program);
  if (fault !== null) return fault;
  const found = new Map<string, Reached>();
  const about = stated.task?.resources ?? [];
  const values = about.flatMap(({ parameters }) => Object.values(parameters));
  const samples = sampleTargets(snapshot.inventory, validated.named, values);
  if (typeof samples === 'string') return samples;
  const targets = [...samples, ...coveredTargets(samples, about, snapshot.inventory)];
  for (const { line, upgrade } of targets) {
    const questions = questionsFor({ ...stated, request: line, upgrade }, snapshot.inventory, snapshot.headers);
    if (typeof questions === 'string') return questions;
    if (questions instanceof Refusal) continue;
    const way = wayOf(questions, snapshot, () => questions.every((question) => possible(question)));
    if (way !== null) add(found, questions, way);
  }
  return [...found.values()].toSorted((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1));

  function possible(question: Question): boolean {
    const answer = engine.ask(program, authorizationCall(question, validated.named, snapshot.inventory));
    // A policy that errs here errs for lack of a fact, or for good: it is no promise that the request is refused.
    return answer.kind !== 'answered' || answer.decision === 'allow' || answer.errors.length > 0;
  }
}

type Way = Pick<Reached, 'when' | 'by'>;

function wayOf(questions: readonly Question[], snapshot: Snapshot<Inventory>, possible: () => boolean): Way | null {
  const verdicts = questions.map((question) => snapshot.decide(question));
  const refusal = refusalOf(verdicts);
  const all = (of: (verdict: HopVerdict) => readonly string[]) => [...new Set(verdicts.flatMap(of))].toSorted();
  if (refusal === null) return { when: 'now', by: all(({ permits }) => permits) };
  if (!possible()) return null;
  if (refusal.reason === 'approval_required') {
    const missing = all(({ approvals }) => approvals);
    // Whether a permit waits behind the forbid, Cedar says only once the forbid is lifted.
    const approved = questions.map((question) =>
      snapshot.decide({ ...question, approvals: new Set([...question.approvals, ...missing]) }),
    );
    if (refusalOf(approved) === null) return { when: 'approval', by: missing };
  }
  return { when: 'perhaps', by: all(({ forbids }) => forbids) };
}

function add(found: Map<string, Reached>, questions: readonly Question[], way: Way): void {
  const target = questions[0]?.target;
  if (target === undefined) return;
  const { resource, action, effect } = target;
  const api = resource.apis.at(-1);
  const row = { api: api ?? resource.host.name, named: api !== undefined, effect, sensitivity: resource.sensitivity };
  const key = JSON.stringify([row, way]);
  const actions = new Set(found.get(key)?.actions).add(action);
  found.set(key, { ...row, ...way, actions: [...actions] });
}

const orderOf = ({ api, named, effect, when }: Reached): string => `${api} ${named ? 0 : 1} ${effect} ${when}`;

/** Paths of the context that the facts leave open. */
function unstated(stated: Scenario): readonly string[] {
  const { client, credential, declared, task, through, touched } = stated;
  // Whoever states some approvals leaves it open whether others are there.
  const open = ['query', 'headers', 'numbers', 'approvals', 'now', ...unstatedFacts(stated)];
  if (client === undefined) open.push('client', 'inNetworks');
  if (touched === undefined) open.push('touched');
  if (declared === undefined) open.push('declared');
  if (credential === undefined) open.push('credential');
  if (through === undefined) open.push('chain');
  if (task === null) return open;
  if (task === undefined) return [...open, 'task'];
  open.push('task.id', 'task.issuer', 'task.subject', 'task.secondsLeft');
  if (task.touched === undefined) open.push('task.touched');
  if (task.resources === undefined) open.push('task.coversResource');
  return task.scopes === undefined ? [...open, 'task.scopes'] : open;
}
