import { type Reason, Refusal, type ResponseHeader } from '../base/outcome.ts';
import type { Proven } from '../base/proven.ts';
import type { JsonObject } from '../base/strict-json.ts';
import { expectedTargetUri, normalTargetUri } from '../http/target-uri.ts';
import type { Redemption } from '../state/redemption.ts';
import { UnverifiedJws } from '../token/jws.ts';
import { LEEWAY_SECONDS } from '../token/jws-claims.ts';
import type { JwsProfile } from '../token/jws-compact.ts';
import { TokenFault } from '../token/jws-fault.ts';
import { verifyProof } from '../token/verifier.ts';
import { proofChallenge } from './challenge.ts';
import { judgeNonce, makeNonce, type NonceOwner, type NonceState } from './dpop-nonce.ts';
import type { DpopOptions } from './options.ts';
import { hashOf, jtiOf, madeWithin, type ProofOccasion, proofKey } from './proof.ts';
import type { VerifiedTaskToken } from './verified-task-token.ts';

const TYPES: JwsProfile['types'] = ['dpop+jwt'];
const NONCE_HEADER = 'dpop-nonce';

/** A DPoP proof that was verified, but not used up yet. Having one is the proof of that: `verifyDpopProof` makes it. */
export type DpopProof = Proven<
  'dpop-proof',
  {
    /** RFC 7638 thumbprint of the key of which possession was proven. */
    keyThumbprint: string;
    claim: Redemption;
    /** A fresh nonce for the caller, where it is time for one. */
    responseHeaders: readonly ResponseHeader[];
  }
>;

/**
 * The twelve checks of RFC 9449 section 4.3, of which the first, that there is one header only, is the reader's. `htu`
 * is compared with the configured external origin of the host and the path. `ath` is always required, since a proof is
 * only ever presented with a token. A proof that may have been used before the history began needs a nonce, which shows
 * that it was not. Refusals: `task_proof_…`, each with its challenge.
 */
export async function verifyDpopProof(
  text: string,
  token: VerifiedTaskToken,
  { input, challenge, caller, rules, history, now }: ProofOccasion,
): Promise<DpopProof | Refusal> {
  const options = rules.dpop;
  const refuse = (reason: Reason, detail: string) =>
    new Refusal(reason, detail, [proofChallenge(challenge, 'invalid_dpop_proof')]);

  // Checks 2 and 4 to 7: a JWS of this `typ` and of an accepted algorithm, under the public key that it carries.
  const unverified = UnverifiedJws.decodeUnverified(text);
  const jws =
    unverified instanceof TokenFault
      ? unverified
      : await verifyProof(unverified, { algorithms: options.algorithms, types: TYPES }, 'its own key');
  if (jws instanceof TokenFault) {
    return refuse(jws.kind === 'signature' ? 'task_proof_signature' : 'task_proof_malformed', jws.detail);
  }
  const { claims, keyThumbprint } = jws;
  const { iat } = claims;
  const jti = jtiOf(claims);
  if (typeof iat !== 'number' || !Number.isSafeInteger(iat))
    return refuse('task_proof_malformed', 'iat is not an integer number of seconds');
  if (jti === null) return refuse('task_proof_malformed', 'jti is not a text of 1 to 256 characters');
  if (typeof claims.htm !== 'string') return refuse('task_proof_malformed', 'htm is not a string');
  if (typeof claims.htu !== 'string') return refuse('task_proof_malformed', 'htu is not a string');

  if (claims.htm !== input.method) return refuse('task_proof_method', 'htm is another method');
  const { origin } = challenge.host;
  const target = expectedTargetUri(origin, input.rawPath);
  if (origin === null || target === null)
    return refuse(
      'task_proof_target',
      'a proof can name no target: no origin is configured, or the path has no normal form',
    );
  if (normalTargetUri(claims.htu) !== target) return refuse('task_proof_target', 'htu is another target URI');

  const owner = { caller: caller.workload.id.text, origin, history: history.id };
  const nonce = nonceState(claims, owner, options, now);
  const askForNonce = (detail: string) =>
    new Refusal('task_proof_nonce', detail, [
      proofChallenge(challenge, 'use_dpop_nonce'),
      nonceHeader(owner, options, now),
    ]);
  if (nonce === 'bad') return askForNonce('the nonce is missing, too old or not ours');
  const outside = windowFault(claims, iat, options, now);
  if (outside !== null) return refuse('task_proof_expired', outside);

  if (claims.ath !== hashOf(token.text)) return refuse('task_proof_token', 'ath is not the hash of the token');
  if (!token.confirmation.keys.includes(keyThumbprint))
    return refuse('task_proof_key', 'the token is not bound to the key of the proof');
  if (claims.nonce === undefined && !madeWithin(history, iat))
    return askForNonce('it may have been used before what the store remembers, and has no nonce');

  const claim = {
    key: proofKey('dpop', keyThumbprint, jti),
    history,
    until: (iat + options.maxAgeSeconds + LEEWAY_SECONDS) * 1000,
    ifUsed: refuse('task_proof_replayed', 'this key used this jti before'),
  };
  const responseHeaders: readonly ResponseHeader[] = nonce === 'renew' ? [nonceHeader(owner, options, now)] : [];
  return Object.freeze({ keyThumbprint, claim: Object.freeze(claim), responseHeaders } as DpopProof);
}

/** Check 10. A nonce that is there is judged even where none is asked for. */
function nonceState({ nonce }: JsonObject, owner: NonceOwner, options: DpopOptions, now: number): NonceState {
  if (nonce === undefined) return options.nonce.required ? 'bad' : 'good';
  return typeof nonce === 'string' ? judgeNonce(nonce, owner, options, now) : 'bad';
}

/** Check 11, and `exp` and `nbf` where the proof has them (RFC 7519 sections 4.1.4 and 4.1.5). */
function windowFault({ exp, nbf }: JsonObject, iat: number, options: DpopOptions, now: number): string | null {
  const seconds = now / 1000;
  if (seconds > iat + options.maxAgeSeconds + LEEWAY_SECONDS) return 'iat is too long ago';
  if (iat > seconds + LEEWAY_SECONDS) return 'iat lies in the future';
  if (exp !== undefined && !(typeof exp === 'number' && seconds < exp + LEEWAY_SECONDS)) return 'exp has passed';
  if (nbf !== undefined && !(typeof nbf === 'number' && nbf <= seconds + LEEWAY_SECONDS)) return 'nbf is to come';
  return null;
}

function nonceHeader(owner: NonceOwner, options: DpopOptions, now: number): ResponseHeader {
  return [NONCE_HEADER, makeNonce(owner, options, now)];
}
