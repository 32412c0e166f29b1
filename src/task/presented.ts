import { Refusal } from '../base/outcome.ts';
import { isJsonObject } from '../base/strict-json.ts';
import type { Headers } from '../http/input.ts';
import { type PresentedToken, readAuthorization } from '../identity/bearer.ts';
import type { Host } from '../inventory/model.ts';
import { UnverifiedJws } from '../token/jws.ts';
import type { TokenFault } from '../token/jws-fault.ts';
import { single } from './declared.ts';
import type { TaskRules } from './options.ts';

/** The headers that task tokens and proofs stand in, in lower case. */
const taskTokenHeaders = ['txn-token', 'dpop', 'workload-identity-token', 'workload-proof-token'] as const;

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

/**
 * Reads the headers, each at most once. Refusals: `request_header_repeated`, `request_header_unclean`, and those of
 * `readAuthorization`.
 */
export function readPresented(headers: Headers, host: Host, rules: TaskRules): Presented | Refusal {
  const values: (string | null)[] = [];
  for (const name of taskTokenHeaders) {
    const value = single(headers, name);
    if (value instanceof Refusal) return value;
    values.push(value);
  }
  const [txnTokenText = null, dpop = null, wit = null, wpt = null] = values;
  const authorization = rules.issuers.length === 0 ? null : ourAuthorization(headers, host, rules);
  if (authorization instanceof Refusal) return authorization;
  const txnToken = txnTokenText === null ? null : UnverifiedJws.decodeUnverified(txnTokenText);
  return {
    txnToken,
    authorization,
    accessTokenText: accessTokenText(headers),
    txnTokenText,
    dpop: isOurProof(host, authorization, txnToken) ? dpop : null,
    wit,
    wpt,
  };
}

function ourAuthorization(headers: Headers, host: Host, rules: TaskRules): PresentedToken | null | Refusal {
  return readAuthorization(headers, {
    authorization: host.authorization,
    issuers: { has: (issuer) => rules.identityIssuers.has(issuer) || isTaskIssuer(rules, issuer) },
  });
}

/** Whether some issuer of task tokens has this `iss`: a token of its in `Authorization` is ours to judge. */
function isTaskIssuer(rules: TaskRules, issuer: string): boolean {
  return rules.issuers.some((entry) => entry.kind !== 'jwt-svid' && entry.issuer === issuer);
}

/** Whatever the scheme is: a `Basic` credential, too, is one that a proof must cover. */
function accessTokenText(headers: Headers): string | null {
  const [value] = headers.all('authorization');
  if (value === undefined) return null;
  // Split at the first space: a regex that looks for the end of the spaces could be made to look again and again.
  const space = value.indexOf(' ');
  return value.slice(space + 1).trim();
}

/** The headers that a credential of ours stood in. `statesTask`: the token in `Authorization` is a task token. */
export function consumedHeaders({ txnTokenText, dpop, wit, wpt }: Presented, statesTask: boolean): readonly string[] {
  const found: readonly (readonly [string, boolean])[] = [
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
