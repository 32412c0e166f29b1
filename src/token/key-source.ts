import type { TokenFault } from './jws-fault.ts';
import type { KeySet } from './key-set.ts';

/** Where the keys of one issuer come from. A request only ever reads what is there: nothing is fetched while it waits. */
export interface KeySource {
  /** The last good set; a fault of the kind `keys_stale` when there is none that is young enough at `now` (ms). */
  current(now: number): KeySet | TokenFault;
  /** A token named a key that the set does not hold: ask again in the background, as often as the cooldown allows. */
  refreshSoon(): void;
}
