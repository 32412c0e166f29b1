import type { JwsAlgorithm } from './jws-algorithms.ts';
import type { TokenFault } from './jws-fault.ts';
import type { KeySet } from './key-set.ts';

/** Where the keys of one issuer come from. A request only ever reads what is there: nothing is fetched while it waits. */
export interface KeySource {
  /** The last good set; a fault of the kind `keys_stale` when there is none that is young enough at `now` (ms). */
  current(now: number): KeySet | TokenFault;
  /** A token named a key that the set does not hold: ask again in the background, as often as the cooldown allows. */
  refreshSoon(): void;
}

/** An issuer whose tokens are verified with the keys of a source. */
export interface SigningIssuer {
  /** Compared byte by byte with `iss` (OpenID Connect Core section 3.1.3.7). */
  readonly issuer: string;
  readonly keys: KeySource;
  readonly algorithms: readonly JwsAlgorithm[];
  /** From `iat` to `exp`. */
  readonly maxLifetimeSeconds: number;
}
