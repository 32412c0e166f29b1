import type { ResponseHeader } from '../base/outcome.ts';
import { type ChallengeParameter, type ChallengeRules, challengeHeader } from '../identity/challenge.ts';
import type { Host } from '../inventory/model.ts';

/** What a challenge needs to know about the request that it answers. */
export interface ChallengeContext extends ChallengeRules {
  /** The scheme by which a better token is to be presented. */
  readonly scheme: 'bearer' | 'dpop';
  readonly host: Host;
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
  return challengeHeader(challenge.scheme, parameters, challenge.host, challenge);
}

/** `WWW-Authenticate` about a DPoP proof (RFC 9449 sections 7.1 and 9). */
export function proofChallenge(challenge: ChallengeContext, error: ProofError): ResponseHeader {
  return challengeHeader('dpop', [['error', error]], challenge.host, challenge);
}
