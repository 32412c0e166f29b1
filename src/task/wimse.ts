import { type Reason, Refusal } from '../base/outcome.ts';
import type { Proven } from '../base/proven.ts';
import { isJsonObject, type JsonObject } from '../base/strict-json.ts';
import type { CredentialTexts } from '../http/credentials.ts';
import { expectedTargetUri, normalTargetUri } from '../http/target-uri.ts';
import type { Caller } from '../identity/caller.ts';
import type { Redemption } from '../state/redemption.ts';
import { readConfirmation } from '../token/confirmation.ts';
import { PublicJwk } from '../token/jwk.ts';
import { UnverifiedJws } from '../token/jws.ts';
import { checkTimes, LEEWAY_SECONDS } from '../token/jws-claims.ts';
import type { JwsProfile } from '../token/jws-compact.ts';
import { TokenFault } from '../token/jws-fault.ts';
import { verifyProof } from '../token/verifier.ts';
import type { WimseOptions } from './options.ts';
import { hashOf, jtiOf, madeWithin, type ProofOccasion, proofKey } from './proof.ts';
import { unverifiedSubject } from './task-token.ts';

const WIT_TYPES: JwsProfile['types'] = ['wit+jwt'];
const WPT_TYPES: JwsProfile['types'] = ['wpt+jwt'];
const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/;
const MAX_OTHER_TOKENS = 8;

/**
 * A WIT and the WPT over it, both verified, the proof not used up yet. Having one is the proof of that:
 * `verifyWorkloadProof` makes it. It covers every token of the request.
 */
export type WorkloadProof = Proven<
  'workload-proof',
  {
    /** RFC 7638 thumbprint of the key that the WIT binds to the caller. */
    keyThumbprint: string;
    claim: Redemption;
  }
>;

/**
 * Verifies the pair (draft-ietf-wimse-workload-creds, draft-ietf-wimse-wpt): the WIT under the keys of the trust domain
 * of its `sub`, which is the caller, who proved that id by X.509-SVID; the WPT under the key of the WIT, over this
 * target URI, this WIT and every token beside it. Refusals: `task_wit_…`, `task_wpt_…`, 400 as the drafts ask; 503 for
 * a proof that may have been used before the history began, since WIMSE has no nonces.
 */
export async function verifyWorkloadProof(
  wpt: string,
  wit: string,
  texts: CredentialTexts,
  options: WimseOptions,
  occasion: ProofOccasion,
): Promise<WorkloadProof | Refusal> {
  const key = await verifyWit(wit, options, occasion);
  if (key instanceof Refusal) return key;
  const unverified = UnverifiedJws.decodeUnverified(wpt);
  if (unverified instanceof TokenFault) return new Refusal('task_wpt_malformed', unverified.detail);
  const algorithm = key.algorithm;
  if (algorithm === null) return new Refusal('task_wit_invalid', 'cnf.jwk names no alg');
  const jws = await verifyProof(unverified, { algorithms: [algorithm], types: WPT_TYPES }, key);
  if (jws instanceof TokenFault)
    return new Refusal(jws.kind === 'signature' ? 'task_wpt_signature' : 'task_wpt_malformed', jws.detail);
  const { claims } = jws;
  const jti = jtiOf(claims);
  if (jti === null) return new Refusal('task_wpt_malformed', 'jti is not a text of 1 to 256 characters');
  const { exp } = claims;
  if (typeof exp !== 'number' || !Number.isSafeInteger(exp))
    return new Refusal('task_wpt_malformed', 'exp is not an integer number of seconds');
  const wrong =
    targetFault(claims, occasion) ?? windowFault(exp, options, occasion.now) ?? tokensFault(claims, texts, occasion);
  if (wrong !== null) return new Refusal(...wrong);
  const tooEarly = startRefusal(exp, options, occasion);
  if (tooEarly !== null) return tooEarly;
  const claim = {
    key: proofKey('wpt', key.thumbprint, jti),
    history: occasion.history,
    until: (exp + LEEWAY_SECONDS) * 1000,
    ifUsed: new Refusal('task_wpt_replayed', 'this key used this jti before'),
  };
  return Object.freeze({ keyThumbprint: key.thumbprint, claim: Object.freeze(claim) } as WorkloadProof);
}
type Wrong = [reason: Reason, detail: string];

/** The key that the trust domain bound to the caller. A WIT without the caller's certificate beside it proves nothing. */
async function verifyWit(
  wit: string,
  options: WimseOptions,
  { caller, rules: { tokens }, now }: ProofOccasion,
): Promise<PublicJwk | Refusal> {
  const invalid = (detail: string) => new Refusal('task_wit_invalid', detail);
  const unverified = tokens.read(wit);
  if (unverified instanceof TokenFault) return invalid(unverified.detail);
  const subject = unverifiedSubject(unverified);
  if (subject === null || subject.path === '') return invalid('sub is no SPIFFE ID of a workload');
  const keys = options.witKeys(subject.trustDomain, now);
  if (keys instanceof TokenFault) return invalid(keys.detail);
  const jws = await tokens.verify(unverified, { algorithms: options.algorithms, types: WIT_TYPES }, keys, now);
  if (jws instanceof TokenFault) return invalid(jws.detail);
  const times = checkTimes(jws.claims, { now, maxLifetimeSeconds: options.maxWitLifetimeSeconds });
  if (times instanceof TokenFault) return invalid(times.detail);
  const key = confirmedKey(jws.claims, caller);
  if (key instanceof TokenFault) return invalid(key.detail);
  if (!caller.possession || subject.text !== caller.workload.id.text)
    return new Refusal('task_wit_of_another', 'the WIT is not that of the workload that the certificate names');
  return key;
}

/** The key of `cnf.jwk`, which a WIT must have; what `cnf` binds it to besides must hold as well. */
function confirmedKey(claims: JsonObject, caller: Caller): PublicJwk | TokenFault {
  const confirmation = readConfirmation(claims);
  if (confirmation instanceof TokenFault) return confirmation;
  const key = isJsonObject(claims.cnf) ? PublicJwk.read(claims.cnf.jwk ?? null) : null;
  if (!(key instanceof PublicJwk)) return new TokenFault('bound', 'cnf has no jwk');
  if (confirmation.keys.some((thumbprint) => thumbprint !== key.thumbprint))
    return new TokenFault('bound', 'cnf.jkt is another key than cnf.jwk');
  if (confirmation.certificate !== null && confirmation.certificate !== caller.thumbprint)
    return new TokenFault('bound', 'cnf binds it to another certificate');
  return key;
}

/** `aud` is one text: a proof that names two targets could be used at the other one. */
function targetFault({ aud }: JsonObject, { challenge: { host }, input }: ProofOccasion): Wrong | null {
  if (typeof aud !== 'string') return ['task_wpt_target', 'aud is not one text'];
  const target = expectedTargetUri(host.origin, input.rawPath);
  if (target === null)
    return ['task_wpt_target', 'a proof can name no target: no origin is configured, or the path has no normal form'];
  return normalTargetUri(aud) === target ? null : ['task_wpt_target', 'aud is another target URI'];
}

function windowFault(exp: number, options: WimseOptions, now: number): Wrong | null {
  const seconds = now / 1000;
  if (seconds >= exp + LEEWAY_SECONDS) return ['task_wpt_expired', 'exp has passed'];
  if (exp > seconds + options.maxProofLifetimeSeconds + LEEWAY_SECONDS)
    return ['task_wpt_expired', 'exp lies too far in the future'];
  return null;
}

/** `Retry-After`: the seconds after which a new proof of the same life was surely made within the history. */
function startRefusal(exp: number, options: WimseOptions, { history }: ProofOccasion): Refusal | null {
  const earliest = exp - options.maxProofLifetimeSeconds;
  if (madeWithin(history, earliest)) return null;
  const wait = Math.floor(history.sinceMs / 1000) + LEEWAY_SECONDS + 1 - earliest;
  const detail = `it may have been used before what the store remembers; a new one holds in ${wait} s`;
  return new Refusal('task_wpt_before_start', detail, [['retry-after', String(wait)]]);
}

/** Every token beside the WPT is covered by it, and it covers nothing that is not there. */
function tokensFault(claims: JsonObject, texts: CredentialTexts, { input }: ProofOccasion): Wrong | null {
  const differs = (member: string, token: string | null) =>
    claims[member] !== (token === null ? undefined : hashOf(token));
  if (differs('wth', texts['workload-identity-token'])) return ['task_wpt_token', 'wth is not the hash of the WIT'];
  if (differs('ath', texts.authorization?.text ?? null))
    return ['task_wpt_token', 'ath is not the hash of the access token beside it'];
  if (differs('tth', texts['txn-token']))
    return ['task_wpt_token', 'tth is not the hash of the Transaction Token beside it'];
  const { oth } = claims;
  if (oth === undefined) return null;
  if (!isJsonObject(oth)) return ['task_wpt_malformed', 'oth is not an object'];
  const entries = Object.entries(oth);
  if (entries.length > MAX_OTHER_TOKENS) return ['task_wpt_malformed', `oth has more than ${MAX_OTHER_TOKENS} entries`];
  for (const [name, hash] of entries) {
    const [value, ...more] = HEADER_NAME.test(name) ? input.headers.all(name) : [];
    if (value === undefined || more.length > 0 || hash !== hashOf(value.trim()))
      return ['task_wpt_token', 'oth does not hold for a header of the request'];
  }
  return null;
}
