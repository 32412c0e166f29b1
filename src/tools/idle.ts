import { SpiffeId } from '../base/spiffe-id.ts';
import type { Inventory } from '../inventory/inventory.ts';
import { controlCall } from '../policy/control/call.ts';
import type { Engine, PolicyJson } from '../policy/decide/engine.ts';
import { bareQuestion, type Question } from '../policy/decide/question.ts';
import type { Snapshot } from '../policy/decide/snapshot.ts';
import type { ValidatedPolicies } from '../policy/decide/validated.ts';
import type { Problem } from '../source/problem.ts';
import { askCalls, askEach } from './ask.ts';
import { boundPolicy, type Expression } from './bound.ts';
import type { ReadPolicy } from './read-policies.ts';
import { sampleTargets, sampleWorkloads } from './samples.ts';
import { shallow } from './shallow.ts';
import { mentions, readsUnknown } from './unknown.ts';

/** What an estate leaves unused. */
export interface Idle {
  /** Policies of the operators that can never apply, each with why. */
  readonly policies: readonly Problem[];
  /** Entries of the inventory for which no permit can apply; of many that are alike the first hundred. */
  readonly workloads: readonly string[];
  /** What is left out. */
  readonly more: string | null;
}

/**
 * Policies for which the inventory has no workload or nothing to do, and workloads that nothing is permitted. Sound: a
 * policy that could apply to some request is never listed. Whether it can is judged by its scope and by what its
 * conditions say of the principal, or of resource and action; what they say of the context may hold.
 */
export function findIdle(
  policies: readonly ReadPolicy[],
  validated: ValidatedPolicies,
  inventory: Inventory,
  engine: Engine,
): Idle | string {
  const samples = sampleWorkloads(inventory, validated.named);
  const targets = sampleTargets(inventory, validated.named);
  if (typeof targets === 'string') return targets;
  if (samples === null) {
    return {
      policies: [],
      workloads: [],
      more: 'the inventory tells too many workloads apart to look for what is unused',
    };
  }
  const workloads = samples.map(({ workload }) => workload);
  const [workload] = workloads;
  const [sample] = targets;
  if (workload === undefined || sample === undefined) return { policies: [], workloads: [], more: null };
  const ask = (vary: (part: PolicyJson) => PolicyJson, questions: readonly Question[]) => {
    const varied = Object.fromEntries(policies.map(({ id, json }) => [id, shallow(vary(json))]));
    const answers = askEach(varied, questions, { validated, purposes: inventory, engine });
    // One that fails to evaluate may hold.
    return typeof answers === 'string' ? answers : answers.map(({ holds, errors }) => holds.union(errors));
  };
  const ofEachWorkload = workloads.map((hop) => bareQuestion(hop, sample.target));
  const byWorkload = ask(onlyPrincipal, ofEachWorkload);
  const ofEachTarget = targets.map(({ target }) => bareQuestion(workload, target));
  const byTarget = ask(onlyTarget, ofEachTarget);
  if (typeof byWorkload === 'string') return byWorkload;
  if (typeof byTarget === 'string') return byTarget;
  const someWorkload = new Set(byWorkload.flatMap((ids) => [...ids]));
  const someTarget = new Set(byTarget.flatMap((ids) => [...ids]));
  const idle = policies
    .filter(({ guardrail }) => !guardrail)
    .flatMap(({ id, remark }) => {
      if (!someWorkload.has(id)) return [remark(`${id} can never apply: it is about no workload of the inventory`)];
      if (!someTarget.has(id)) return [remark(`${id} can never apply: nothing of the inventory takes such a request`)];
      return [];
    });
  const permits = policies.filter(({ id, json, shadow }) => json.effect === 'permit' && !shadow && someTarget.has(id));
  const permitted = new Set(
    workloads.flatMap(({ entry }, index) => (permits.some(({ id }) => byWorkload[index]?.has(id)) ? [entry] : [])),
  );
  const unused = samples.filter((_, index) => !permits.some(({ id }) => byWorkload[index]?.has(id)));
  const left = unused.reduce((sum, { count, entries }) => sum + count - entries.length, 0);
  return {
    policies: idle,
    workloads: unused.flatMap(({ entries }) => entries.filter((entry) => !permitted.has(entry))),
    more: left === 0 ? null : `nothing permits anything to ${left} more workloads, which are like those above`,
  };
}

/** Those of the entries to which some control permit could apply: tools of people call nothing but the control API. */
export function permittedByControl(
  entries: readonly string[],
  policies: readonly ReadPolicy[],
  { control, inventory }: Snapshot<Inventory>,
  engine: Engine,
): ReadonlySet<string> {
  if (control === null) return new Set();
  const permits = policies.filter(({ json }) => json.effect === 'permit');
  const parts = Object.fromEntries(permits.map(({ id, json }) => [id, shallow(onlyPrincipal(json))]));
  const callers = entries.map((entry) => SpiffeId.parse(entry)).filter((id) => id instanceof SpiffeId);
  const calls = callers.map((id) => {
    const principal = { kind: 'workload', id, proof: 'svid' } as const;
    const about = { action: 'view', resource: { kind: 'everything' }, nowMs: 0, order: null } as const;
    return controlCall({ principal, ...about }, control.named, inventory);
  });
  const answers = askCalls(parts, calls, { schema: control.schema, engine });
  if (typeof answers === 'string') return new Set(entries);
  return new Set(callers.flatMap(({ text }, i) => ((answers[i]?.holds.size ?? 0) > 0 ? [text] : [])));
}

const OPEN = { op: 'All' } as const;

/** The policy as far as it speaks of the principal alone. */
function onlyPrincipal(policy: PolicyJson): PolicyJson {
  const part = boundPolicy(policy, 'upper', (expression) => mentions(expression, ['action', 'resource', 'context']));
  return { ...part, effect: 'permit', action: OPEN, resource: OPEN };
}

/** The policy as far as it speaks of action and resource alone. */
function onlyTarget(policy: PolicyJson): PolicyJson {
  const isOther = (part: Expression): boolean => mentions(part, ['principal']) || readsUnknown(part, ['']);
  const part = boundPolicy(policy, 'upper', isOther);
  return { ...part, effect: 'permit', principal: OPEN };
}
