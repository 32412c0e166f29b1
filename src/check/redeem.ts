import { Refusal } from '../base/outcome.ts';
import type { Soon } from '../base/soon.ts';
import type { CheckInput } from '../http/input.ts';
import type { Caller } from '../identity/caller.ts';
import type { State, Use } from '../state/model.ts';
import { type GiveBack, type Redemption, redeem } from '../state/redemption.ts';
import type { CheckContext } from './decision.ts';

/**
 * Uses up, after the permit, what may be used once; a GiveBack when the allow stands. Refusals: those of `redeem` of state/, and
 * `overloaded` where nobody waits for the allow any more.
 */
export type Redeem = (redemptions: readonly Redemption[], use: Use, nowMs: number) => Soon<Refusal | GiveBack>;

/**
 * The stage that uses up what `state` remembers. `clock` gives milliseconds since the epoch; `generation` counts the changes
 * of the revocations: a retry of a check that was judged by others is a second use.
 */
export function redeemer(state: State, clock: () => number, generation: () => number = () => 0): Redeem {
  return (redemptions, use, nowMs) => {
    if (clock() >= use.deadline) return new Refusal('overloaded', 'decided too late');
    // The digest of the message is part of the use: only where something is used up.
    const judged = redemptions.length === 0 ? use : { ...use, judgedBy: `${use.judgedBy} ${generation()}` };
    return redeem(state, redemptions, judged, nowMs);
  };
}

/** The check for which something is used up. `revision` is that of the snapshot that judged it. */
export function useOf(
  { id: requestId, connection }: CheckInput,
  { workload }: Caller,
  revision: string,
  { deadline }: CheckContext,
): Use {
  return {
    requestId,
    caller: workload.id.text,
    checkPeer: connection.checkPeer?.id ?? null,
    // Made of the whole message: only where something is used up.
    get digest() {
      return connection.digest;
    },
    deadline,
    judgedBy: revision,
  };
}
