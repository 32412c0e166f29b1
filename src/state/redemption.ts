import { Refusal } from '../base/outcome.ts';
import { after, type Soon } from '../base/soon.ts';
import type { Touch } from './bounded/touched.ts';
import type { Claim, ClaimResult, State, Use } from './model.ts';

/** A claim together with the answer to whoever comes too late. */
export interface Redemption extends Claim {
  readonly ifUsed: Refusal;
}

/** Gives back what was used up, for an allow that is not answered after all. */
export type GiveBack = () => void;

const nothing: GiveBack = () => {};

/** What a permitted request touches, and who learns until when that is remembered. */
export interface Touching {
  readonly touches: readonly Touch[];
  readonly onRecorded: (touchedUntil: readonly number[]) => void;
}

/** A request that touches nothing. */
export const UNTOUCHING: Touching = { touches: [], onRecorded: () => {} };

/**
 * Redeems, after the verdict, all that a permitted request lives by, and records what it touches: all of it or nothing. A GiveBack
 * means that the allow stands: everything was fresh, or this is Envoy's own retry of the Check that claimed it, which has nothing
 * to give back. `grown`: it has to be judged again, by what was opened meanwhile. A promise only where the state has to be
 * waited for. Refusals: the `ifUsed` of what was used before, or often enough, `state_unavailable`.
 */
export function redeem(
  state: State,
  claims: readonly Redemption[],
  use: Use,
  now: number,
  { touches, onRecorded }: Touching = UNTOUCHING,
): Soon<Refusal | GiveBack | 'grown'> {
  if (claims.length === 0 && touches.length === 0) return nothing;
  return after(state.claim(claims, use, now, touches), (outcome) => {
    if (outcome.result === 'fresh' && outcome.touchedUntil !== undefined) onRecorded(outcome.touchedUntil);
    return redeemed(outcome, state, claims, use);
  });
}

function redeemed(
  outcome: ClaimResult,
  state: State,
  claims: readonly Redemption[],
  use: Use,
): Refusal | GiveBack | 'grown' {
  switch (outcome.result) {
    case 'fresh':
      return claims.length === 0 ? nothing : once(() => state.giveBack(claims, use));
    case 'same':
      return nothing;
    case 'grown':
      return 'grown';
    case 'replayed':
    case 'spent':
      return (
        claims.find(({ key }) => key === outcome.key)?.ifUsed ??
        new Refusal('state_unavailable', 'the state answered about a key that was not asked for')
      );
    case 'unavailable':
      return new Refusal('state_unavailable', outcome.detail);
  }
}

/** Whoever comes later may have claimed the same meanwhile. */
function once(run: GiveBack): GiveBack {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    run();
  };
}
