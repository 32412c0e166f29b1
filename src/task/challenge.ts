import type { ResponseHeader } from '../base/outcome.ts';
import { type ChallengeParameter, challengeHeader } from '../identity/challenge.ts';
import type { Host } from '../inventory/model.ts';
import type { JwsAlgorithm } from '../token/jws-algorithms.ts';

/** What a challenge needs to know about the request that it answers. */
export interface ChallengeContext {
  /** The scheme by which a better token is to be presented. */
  readonly scheme: 'bearer' | 'dpop';
  readonly host: Host;
  /** The algorithms of proofs that are accepted (RFC 9449 section 7.1, `algs`). */
  readonly proofAlgorithms: readonly JwsAlgorithm[];
  readonly resourceMetadata: boolean;
}

type TokenError = 'invalid_token' | 'insufficient_scope';
type ProofError = 'invalid_dpop_proof' | 'use_dpop_nonce';

/** `WWW-Authenticate` about a token in `Authorization`: RFC 6750 section 3, or RFC 9449 section 7.1 for a bound one. */
export function tokenChallenge(
  challenge: ChallengeContext,
  error: TokenError,
  scopes: readonly string[] = [],
): ResponseHeader {
  const parameters: ChallengeParameter[] = [['error', error]];
  if (scopes.length > 0) parameters.push(['scope', scopes.join(' ')]);
  return header(challenge, parameters);
}

/** `WWW-Authenticate` about a DPoP proof (RFC 9449 sections 7.1 and 9). */
export function proofChallenge(challenge: ChallengeContext, error: ProofError): ResponseHeader {
  return header({ ...challenge, scheme: 'dpop' }, [['error', error]]);
}

function header(challenge: ChallengeContext, parameters: readonly ChallengeParameter[]): ResponseHeader {
  const { scheme, host, proofAlgorithms, resourceMetadata } = challenge;
  return challengeHeader(scheme, parameters, host, { resourceMetadata, dpopAlgorithms: proofAlgorithms });
}
