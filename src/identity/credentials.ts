import type { Refusal } from '../base/outcome.ts';
import { type Authorization, type CredentialTexts, readCredentialTexts } from '../http/credentials.ts';
import type { Headers } from '../http/input.ts';
import type { Host } from '../inventory/model.ts';
import type { UnverifiedJws } from '../token/jws.ts';
import { TokenFault } from '../token/jws-fault.ts';
import type { TokenVerifier } from '../token/verifier.ts';
import { type PresentedKey, readApiKey } from './api-key.ts';
import { identityRefusal } from './token-refusal.ts';

/** A token in `Authorization` that is ours to judge. Nothing in it is verified. */
export interface PresentedToken {
  readonly scheme: 'bearer' | 'dpop';
  readonly token: UnverifiedJws;
  /** The configured issuer that the token names; null: its `sub` claims a SPIFFE ID, so it is judged as a JWT-SVID. */
  readonly issuer: string | null;
}

/** Every credential of a request but the certificate, read once for all stages. Nothing in it is verified. */
export interface Credentials {
  /** As they stand in their headers: what proofs hash. */
  readonly texts: CredentialTexts;
  /**
   * Whose token stands in `Authorization`? One whose `iss` is a configured issuer is that issuer's, else one whose `sub`
   * begins with `spiffe://` is a JWT-SVID: both are ours on any host, and must then be good. Anything else is refused where
   * the header is ours, and null (not our business) where it is the application's. Refusals: `identity_token_malformed`,
   * `identity_token_issuer`.
   */
  readonly authorization: PresentedToken | Refusal | null;
  readonly txnToken: UnverifiedJws | TokenFault | null;
  /** Null also where no header is configured for keys. Refusals: `identity_key_malformed`. */
  readonly apiKey: PresentedKey | Refusal | null;
}

export interface CredentialRules {
  /** Every configured issuer of identity and of task tokens. */
  readonly issuers: { has(issuer: string): boolean };
  readonly tokens: TokenVerifier;
  /** The header with the API keys of legacy accounts; null: none is read. */
  readonly keyHeader: string | null;
}

/** Reads the credentials of a request to `host`, each once. */
export type ReadCredentials = (headers: Headers, host: Pick<Host, 'authorization'>) => Credentials;

/** The stage that reads credentials. */
export function credentialReader(rules: CredentialRules): ReadCredentials {
  return (headers, host) => {
    const texts = readCredentialTexts(headers);
    const { authorization, 'txn-token': txnToken } = texts;
    return {
      texts,
      authorization: authorization === null ? null : presentedToken(authorization, host, rules),
      txnToken: txnToken === null ? null : rules.tokens.read(txnToken),
      apiKey: rules.keyHeader === null ? null : readApiKey(headers, rules.keyHeader),
    };
  };
}

function presentedToken(
  { scheme, text }: Authorization,
  host: Pick<Host, 'authorization'>,
  { issuers, tokens }: CredentialRules,
): PresentedToken | Refusal | null {
  const notForUs = (fault: TokenFault) => (host.authorization === 'app' ? null : identityRefusal(fault));
  if (scheme === null)
    return notForUs(new TokenFault('malformed', 'authorization is neither Bearer nor DPoP with one token'));
  const token = tokens.read(text);
  if (token instanceof TokenFault) return notForUs(token);
  const { iss, sub } = token.unverifiedClaims;
  if (typeof iss === 'string' && issuers.has(iss)) return { scheme, token, issuer: iss };
  if (typeof sub === 'string' && sub.startsWith('spiffe://')) return { scheme, token, issuer: null };
  return notForUs(new TokenFault('issuer', 'neither iss nor sub names anybody that is known'));
}
