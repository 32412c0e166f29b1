import { createHash } from 'node:crypto';
import type { JsonObject } from '../base/strict-json.ts';
import type { CheckInput } from '../http/input.ts';
import type { Caller } from '../identity/caller.ts';
import type { History } from '../state/model.ts';
import { LEEWAY_SECONDS } from '../token/jws-claims.ts';
import type { ChallengeContext } from './challenge.ts';
import type { TaskRules } from './options.ts';

/** What the proofs of a request must be proofs of. */
export interface ProofOccasion {
  readonly input: CheckInput;
  readonly challenge: ChallengeContext;
  readonly caller: Caller;
  readonly rules: TaskRules;
  /** What the store remembers, and since when: all proofs of a request are judged by one. */
  readonly history: History;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** A jti of more characters is no identifier but a load. */
const MAX_JTI_CHARS = 256;

/**
 * Whether a proof was surely made within a history, and so was used in none that came before it. `earliestSeconds` is the
 * earliest moment at which a proof like it could have been accepted, leeway not counted: `iat`, or `exp` less the longest
 * life. What was accepted before `sinceMs` lies no more than the leeway beyond it.
 */
export function madeWithin({ sinceMs }: History, earliestSeconds: number): boolean {
  return earliestSeconds * 1000 > sinceMs + LEEWAY_SECONDS * 1000;
}

/** base64url SHA-256 over the text of a token: `ath`, `wth`, `tth`, `oth`. */
export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

/** The `jti` of a proof, or null when it is no text of 1 to 256 characters. */
export function jtiOf({ jti }: JsonObject): string | null {
  return typeof jti === 'string' && jti !== '' && jti.length <= MAX_JTI_CHARS ? jti : null;
}

/**
 * What a proof is remembered by: its kind, the key that made it and its `jti`. Two callers may choose the same `jti`, and
 * no spelling of a signature makes another proof.
 */
export function proofKey(kind: 'dpop' | 'wpt', keyThumbprint: string, jti: string): string {
  return hashOf(JSON.stringify([kind, keyThumbprint, jti]));
}
