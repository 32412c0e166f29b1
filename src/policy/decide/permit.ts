import { Refusal } from '../../base/outcome.ts';
import type { Proven } from '../../base/proven.ts';
import type { HopVerdict } from './question.ts';

/** `unsafeObserveOnly` turns refusals by policy into permits that say so; every other refusal stands. */
export type Enforcement = 'enforce' | 'unsafeObserveOnly';

/**
 * Cedar permitted the request for every hop of its chain. Holding one is the proof: nothing but `permitFrom` makes it
 * (test/imports.test.ts pins who calls that).
 */
export type Permit = Proven<
  'permit',
  {
    /** The policies that permitted, over all hops, sorted and each once. */
    policies: readonly string[];
    /** What would have been refused, were it not for `unsafeObserveOnly`; null under enforcement. */
    observed: Refusal | null;
  }
>;

const permit = (policies: readonly string[], observed: Refusal | null): Permit =>
  Object.freeze({ policies, observed }) as Permit;

/**
 * A permit when there is at least one hop and every hop was allowed, else the refusal of the hop that weighs most: one
 * that could not be judged, then one with an erring policy, then a forbid, then a missing permit. `approval_required`
 * when nothing but missing approvals stands against it, and every hop would be allowed with them.
 */
export function permitFrom(verdicts: readonly HopVerdict[], enforcement: Enforcement = 'enforce'): Permit | Refusal {
  const only = verdicts.length === 1 ? verdicts[0] : undefined;
  return only !== undefined && Object.isFrozen(only) ? permitOfOne(only, enforcement) : permitOf(verdicts, enforcement);
}

/** Of verdicts that are remembered, each makes one permit; what is refused is looked at each time. */
const permits = new WeakMap<HopVerdict, Permit>();

function permitOfOne(verdict: HopVerdict, enforcement: Enforcement): Permit | Refusal {
  const known = permits.get(verdict);
  if (known !== undefined) return known;
  const outcome = permitOf([verdict], enforcement);
  if (!(outcome instanceof Refusal) && outcome.observed === null) permits.set(verdict, outcome);
  return outcome;
}

function permitOf(verdicts: readonly HopVerdict[], enforcement: Enforcement): Permit | Refusal {
  const permits = [...new Set(verdicts.flatMap((verdict) => verdict.permits))].toSorted();
  const refusal = refusalOf(verdicts);
  if (refusal === null) return permit(permits, null);
  const byPolicy = refusal.reason.startsWith('policy_') || refusal.reason.startsWith('approval_');
  return byPolicy && enforcement === 'unsafeObserveOnly' ? permit(permits, refusal) : refusal;
}

/** Why not all hops were allowed; null when there is at least one and all were. */
export function refusalOf(verdicts: readonly HopVerdict[]): Refusal | null {
  if (verdicts.length === 0) return new Refusal('internal', 'no hop was judged');
  const unjudged = verdicts.find((verdict) => verdict.failure !== null);
  if (unjudged?.failure) return unjudged.failure;
  const faults = verdicts.flatMap((verdict) => verdict.errors);
  if (faults.length > 0 || verdicts.some((verdict) => verdict.result === 'error')) {
    return new Refusal('policy_error', faults.map((fault) => `${fault.policy}: ${fault.message}`).join('; '));
  }
  const denied = verdicts.filter((verdict) => verdict.result !== 'allow');
  if (denied.length === 0) return null;
  const forbidden = denied.filter((verdict) => verdict.forbids.length > 0);
  if (forbidden.length === 0) return new Refusal('policy_no_permit', 'no policy permits it');
  const approvals = [...new Set(denied.flatMap((verdict) => verdict.approvals))].toSorted();
  if (denied.every((verdict) => verdict.approvals.length > 0)) {
    return new Refusal('approval_required', `approvals that are missing: ${approvals.join(', ')}`);
  }
  const forbids = [...new Set(forbidden.flatMap((verdict) => verdict.forbids))].toSorted();
  return new Refusal('policy_forbidden', `forbidden by ${forbids.join(', ')}`);
}
