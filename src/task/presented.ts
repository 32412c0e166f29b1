import { Refusal } from '../base/outcome.ts';
import { isJsonObject } from '../base/strict-json.ts';
import { type CredentialHeader, type CredentialTexts, credentialHeaders } from '../http/credentials.ts';
import type { Credentials, PresentedToken } from '../identity/credentials.ts';
import type { Host } from '../inventory/model.ts';
import { UnverifiedJws } from '../token/jws.ts';
import type { TokenFault } from '../token/jws-fault.ts';
import type { TaskRules } from './options.ts';

/** Everything about tasks that a request carries. Nothing in it is verified. */
export interface PresentedTask {
  readonly texts: CredentialTexts;
  readonly txnToken: UnverifiedJws | TokenFault | null;
  readonly authorization: PresentedToken | null;
  /** A proof that is ours to judge. */
  readonly dpop: string | null;
}

/** The credentials that are about tasks. The refusal is that of `Authorization`, where task tokens are looked for in it. */
export function presentedTask(
  { texts, txnToken, authorization: read }: Credentials,
  host: Host,
  rules: TaskRules,
): PresentedTask | Refusal {
  const authorization = rules.issuers.length === 0 ? null : read;
  if (authorization instanceof Refusal) return authorization;
  return { texts, txnToken, authorization, dpop: isOurProof(host, authorization, txnToken) ? texts.dpop : null };
}

/** The headers that a credential of ours stood in. `statesTask`: the token in `Authorization` is a task token. */
export function consumedHeaders({ texts, dpop }: PresentedTask, statesTask: boolean): readonly CredentialHeader[] {
  const ours = { ...texts, dpop, authorization: statesTask || null };
  return credentialHeaders.filter((name) => ours[name] !== null);
}

/** Where `Authorization` is the application's, a proof is its too, unless a token of ours asks for one. */
function isOurProof(
  host: Host,
  authorization: PresentedToken | null,
  txnToken: UnverifiedJws | TokenFault | null,
): boolean {
  if (host.authorization === 'ours' || authorization !== null) return true;
  return txnToken instanceof UnverifiedJws && unverifiedKeys(txnToken).length > 0;
}

function unverifiedKeys({ unverifiedClaims: { cnf } }: UnverifiedJws): readonly string[] {
  return isJsonObject(cnf) ? Object.keys(cnf).filter((member) => member === 'jkt' || member === 'jwk') : [];
}
