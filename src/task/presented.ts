import { Refusal } from '../base/outcome.ts';
import { isJsonObject } from '../base/strict-json.ts';
import type { CredentialHeader } from '../http/credentials.ts';
import type { Credentials, PresentedToken } from '../identity/credentials.ts';
import type { Host } from '../inventory/model.ts';
import { UnverifiedJws } from '../token/jws.ts';
import type { TokenFault } from '../token/jws-fault.ts';
import type { TaskRules } from './options.ts';

/** Everything about tasks that a request carries. Nothing in it is verified. */
export interface Presented {
  readonly txnToken: UnverifiedJws | TokenFault | null;
  readonly authorization: PresentedToken | null;
  /** What stands in `Authorization` after the scheme, whoever it is for: what a proof calls the access token. */
  readonly accessTokenText: string | null;
  readonly txnTokenText: string | null;
  /** A proof that is ours to judge. */
  readonly dpop: string | null;
  readonly wit: string | null;
  readonly wpt: string | null;
}

/** The credentials that are about tasks. The refusal is that of `Authorization`, where task tokens are looked for in it. */
export function presentedTask({ texts, ...read }: Credentials, host: Host, rules: TaskRules): Presented | Refusal {
  const authorization = rules.issuers.length === 0 ? null : read.authorization;
  if (authorization instanceof Refusal) return authorization;
  const { txnToken } = read;
  return {
    txnToken,
    authorization,
    accessTokenText: texts.authorization?.text ?? null,
    txnTokenText: texts['txn-token'],
    dpop: isOurProof(host, authorization, txnToken) ? texts.dpop : null,
    wit: texts['workload-identity-token'],
    wpt: texts['workload-proof-token'],
  };
}

/** The headers that a credential of ours stood in. `statesTask`: the token in `Authorization` is a task token. */
export function consumedHeaders(
  { txnTokenText, dpop, wit, wpt }: Presented,
  statesTask: boolean,
): readonly CredentialHeader[] {
  const found: readonly (readonly [CredentialHeader, boolean])[] = [
    ['authorization', statesTask],
    ['txn-token', txnTokenText !== null],
    ['dpop', dpop !== null],
    ['workload-identity-token', wit !== null],
    ['workload-proof-token', wpt !== null],
  ];
  return found.filter(([, ours]) => ours).map(([name]) => name);
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
