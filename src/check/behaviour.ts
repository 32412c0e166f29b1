import { type AnsweredReason, type Reason, Refusal } from '../base/outcome.ts';
import type { TaughtBy } from '../behaviour/assess.ts';
import type { Assessed } from '../behaviour/workload-book.ts';
import type { CheckInput } from '../http/input.ts';
import type { Caller } from '../identity/caller.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { Target } from '../inventory/model.ts';
import type { Permit } from '../policy/decide/permit.ts';
import type { Snapshot } from '../policy/decide/snapshot.ts';
import { judge } from './judge.ts';
import type { Facts } from './recall.ts';
import type { Findings, Trail } from './trail.ts';

/** What is noticed about the proven caller of a request. */
export interface Behaviour {
  /** `observe`: policies that decide are not told, and what they would have done is counted. */
  readonly mode: 'observe' | 'act';
  /** With this request counted in. `client`: the address of the caller, null where it is not known. */
  readonly assess: (caller: Caller, target: Target, client: string | null, nowMs: number) => Assessed;
  /** Refuses one whose credential is held to be stolen, from this request on. Refusals: `revoked_workload`. */
  readonly quarantine: (assessed: Assessed, target: Target, nowMs: number) => Refusal | null;
  /** Whether `act` would refuse it for a quarantine, begun by this request or by one before. It holds nobody back. */
  readonly wouldQuarantine: (assessed: Assessed, target: Target, nowMs: number) => boolean;
}

/** A request that policies permitted, as they judged it. */
export interface PermittedRequest extends Pick<Findings, 'target' | 'caller' | 'taskContext' | 'facts'> {
  readonly input: CheckInput;
  readonly snapshot: Snapshot<Inventory>;
  readonly nowMs: number;
}

/** The facts with what was noticed, for policies. */
const toldTo = (facts: Facts, { found }: Assessed): Facts => ({
  ...facts,
  risk: found.risk,
  signals: new Set(found.signals),
});

/** Assesses the caller, and adds what was noticed to the facts where policies are to know it. Refusals: `revoked_workload`. */
export function withBehaviour(
  facts: Facts,
  { mode, assess, quarantine, wouldQuarantine }: Behaviour,
  caller: Caller,
  target: Target,
  trail: Trail,
  nowMs: number,
): Facts | Refusal {
  const assessed = assess(caller, target, facts.client, nowMs);
  trail.keep('behaviour', assessed);
  if (mode !== 'act') {
    trail.wouldQuarantine = wouldQuarantine(assessed, target, nowMs);
    return facts;
  }
  const told = toldTo(facts, assessed);
  trail.keep('facts', told);
  return quarantine(assessed, target, nowMs) ?? told;
}

/**
 * The policies that would have refused a permitted request, had they been told what was noticed about the caller; none where
 * nothing was, or no policy reads it.
 */
export function wouldForbid(
  { input, snapshot, target, caller, taskContext, facts, nowMs }: PermittedRequest,
  trail: Trail,
): readonly string[] {
  const { behaviour, touched } = trail.found;
  if (behaviour === undefined || !behaviour.found.risk || snapshot.readingBehaviour.size === 0) return [];
  const told = toldTo(facts, behaviour);
  const hops = judge(snapshot, input, target, caller, taskContext, told, touched?.facts ?? null, nowMs);
  return hops.flatMap(({ verdict }) => verdict.forbids).filter((id) => snapshot.readingBehaviour.has(id));
}

/** Refusals that one who holds a stolen credential gets, and its owner seldom: not those of time, load, or a person to be asked. */
const OF_THIEVES: ReadonlySet<AnsweredReason> = new Set<Reason>([
  'policy_no_permit',
  'policy_forbidden',
  'chain_malformed',
  'chain_too_deep',
  'chain_cycle',
  'chain_unregistered',
  'task_of_another',
  'task_wit_of_another',
  'task_proof_replayed',
  'task_wpt_replayed',
]);

/** What a decision teaches. Who is refused for what was noticed is not thereby noticed once more. */
export function answeredOf(outcome: Permit | Refusal, { snapshot, found: { hops = [] } }: Trail): TaughtBy {
  const refusal = outcome instanceof Refusal ? outcome : outcome.observed;
  if (refusal === null) return 'allowed';
  if (!OF_THIEVES.has(refusal.reason)) return 'refused';
  const forbids = hops.flatMap(({ verdict }) => verdict.forbids);
  const reads = snapshot?.readingBehaviour ?? new Set();
  return forbids.length > 0 && forbids.every((id) => reads.has(id)) ? 'refused' : 'refused-as-a-thief';
}
