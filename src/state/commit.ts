import { Refusal } from '../outcome.ts';
import type { Claim, State, Use } from './model.ts';

/** A claim together with the answer to whoever comes second. */
export interface PendingClaim extends Claim {
  readonly ifReplayed: Refusal;
}

/**
 * Uses up, after the verdict, all that a permitted request lives by: all of it or nothing. null means that the allow
 * stands: everything was fresh, or this is Envoy's own retry of the Check that claimed it. Refusals: the `ifReplayed` of
 * what was used before, `state_unavailable`.
 */
export async function commit(
  state: State,
  claims: readonly PendingClaim[],
  use: Use,
  now: number,
): Promise<Refusal | null> {
  if (claims.length === 0) return null;
  const outcome = await state.claim(claims, use, now);
  switch (outcome.result) {
    case 'fresh':
    case 'same':
      return null;
    case 'replayed':
      return (
        claims.find(({ key }) => key === outcome.key)?.ifReplayed ??
        new Refusal('state_unavailable', 'the state answered about a key that was not asked for')
      );
    case 'unavailable':
      return new Refusal('state_unavailable', outcome.detail);
  }
}
