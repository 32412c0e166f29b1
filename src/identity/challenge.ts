import { Refusal, type ResponseHeader, reasons } from '../base/outcome.ts';
import { credentialHeaders } from '../http/credentials.ts';
import type { CheckInput } from '../http/input.ts';
import type { Host } from '../inventory/model.ts';
import type { JwsAlgorithm } from '../token/jws-algorithms.ts';

const METADATA_PATH = '/.well-known/oauth-protected-resource';

/** How this sidecar asks for tokens. */
export interface ChallengeRules {
  /** Challenges name the metadata of the resource (RFC 9728 section 5.1), where the origin of its host is configured. */
  readonly resourceMetadata: boolean;
  /** The algorithms of DPoP proofs, where access tokens are accepted under that scheme; null where none are. */
  readonly dpopAlgorithms: readonly JwsAlgorithm[] | null;
}

/** A parameter of a challenge. Values hold no quote and no backslash: our own words, scopes by their grammar, host names. */
export type ChallengeParameter = readonly [name: string, value: string];

/** One `WWW-Authenticate` (RFC 9110 section 11.6.1); `algs` belongs to DPoP alone (RFC 9449 section 7.1). */
export function challengeHeader(
  scheme: 'bearer' | 'dpop',
  parameters: readonly ChallengeParameter[],
  { origin }: Pick<Host, 'origin'>,
  rules: ChallengeRules,
): ResponseHeader {
  const all = [...parameters];
  if (scheme === 'dpop') all.push(['algs', (rules.dpopAlgorithms ?? []).join(' ')]);
  if (rules.resourceMetadata && origin !== null) all.push(['resource_metadata', origin + METADATA_PATH]);
  const text = all.map(([name, value]) => `${name}="${value}"`).join(', ');
  return ['www-authenticate', `${scheme === 'dpop' ? 'DPoP' : 'Bearer'} ${text}`];
}

/**
 * The refusal of a request that brought no credential at all: where the host takes tokens, 401 with a challenge for each
 * scheme, and without an error, since nothing was presented (RFC 6750 section 3, RFC 9449 section 7.1). A host takes
 * tokens when it has an audience and its `Authorization` is ours: where it is the application's, a challenge would make
 * clients throw away what they have for the application.
 */
export function credentialMissing({ headers }: CheckInput, host: Host, rules: ChallengeRules): Refusal {
  const presented = credentialHeaders.some((name) => headers.all(name).length > 0);
  const takesTokens = host.audience !== null && host.authorization === 'ours';
  if (presented || !takesTokens)
    return new Refusal('identity_missing', 'neither a certificate nor a token names a workload');
  const realm: readonly ChallengeParameter[] = [['realm', host.name]];
  const challenges = [challengeHeader('bearer', realm, host, rules)];
  if (rules.dpopAlgorithms !== null) challenges.push(challengeHeader('dpop', realm, host, rules));
  return new Refusal('identity_token_missing', 'neither a certificate nor a token is there', challenges);
}

/** RFC 6750 section 3.1: a token was presented and is not good, whatever the fault. */
export function withTokenChallenge(refusal: Refusal, host: Host, rules: ChallengeRules): Refusal {
  const { reason, detail, headers } = refusal;
  if (reasons[reason].http !== 401 || headers.length > 0) return refusal;
  return new Refusal(reason, detail, [challengeHeader('bearer', [['error', 'invalid_token']], host, rules)]);
}
