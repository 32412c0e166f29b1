import { Fault } from '../base/fault.ts';
import { Refusal } from '../base/outcome.ts';
import type { SpiffeId } from '../base/spiffe-id.ts';
import type { CheckPeer } from '../http/input.ts';
import type { Caller } from '../identity/caller.ts';
import { isLegacy } from '../identity/legacy.ts';
import type { PersonFacts } from '../identity/person.ts';
import { RevocableSubjects } from '../state/revocable-subjects.ts';
import { type Evidence, type RevocableSubject, revocable, subjectOf } from '../state/revocation.ts';
import type { RevocationLookup } from '../state/revocations.ts';
import { tokenChallenge } from '../task/challenge.ts';
import type { TaskContext } from '../task/model.ts';
import type { TokenFacts } from '../token/verified-token.ts';

/** Where revocations come from. */
export interface RevocationSource {
  /** Those that apply at `nowMs`; a Fault while nobody knows. */
  readonly current: (nowMs: number) => RevocationLookup | Fault;
  /** Seconds by which authorities of a trust domain date their certificates back. */
  readonly backdatingSeconds: (trustDomain: string) => number;
  /** The team of a workload that carries requests of others; null where the inventory does not know it. */
  readonly ownerOf: (id: SpiffeId) => string | null;
}

/** What of a task a request rests on; no challenge where no token is asked for. */
type Rests = Pick<TaskContext, 'chain' | 'backing' | 'keys'> & { readonly challenge: TaskContext['challenge'] | null };

/**
 * Refuses where something that the request rests on is revoked: the caller, its credentials, the proxies that it came through,
 * the Envoy that asks, a workload of the chain, the task, a token or a key. Asked in every check, after whatever is remembered.
 * Refusals: `revoked_…` with the id of the revocation in the private detail; `state_unavailable` while nobody knows what is
 * revoked. `nowMs` in milliseconds since the epoch.
 */
export function revoked(
  source: RevocationSource,
  caller: Caller,
  task: Rests,
  checkPeer: CheckPeer | null,
  nowMs: number,
): Refusal | null {
  const revocations = source.current(nowMs);
  if (revocations instanceof Fault) return new Refusal('state_unavailable', revocations.detail);
  if (revocations.empty) return null;
  const hit = revocations.find(evidenceOf(source, caller, task, checkPeer), nowMs);
  if (hit === null) return null;
  const reason = revocable[hit.kind];
  const challenges = reason === 'revoked_token' || reason === 'revoked_subject' || reason === 'revoked_key';
  return new Refusal(
    reason,
    `by the revocation ${hit.id}`,
    challenges && task.challenge !== null ? [tokenChallenge(task.challenge, 'invalid_token')] : [],
  );
}

/** The same for a caller that asks at a port of our own, without a task. */
export const revokedClient = (source: RevocationSource, caller: Caller, nowMs: number): Refusal | null =>
  revoked(source, caller, { chain: [caller.workload], backing: [], keys: [], challenge: null }, null, nowMs);

/** The same for a person, who is a subject of the identity provider; the sign-in counts as the issue of the session. */
export function revokedPerson(source: RevocationSource, person: PersonFacts, nowMs: number): Refusal | null {
  const revocations = source.current(nowMs);
  if (revocations instanceof Fault) return new Refusal('state_unavailable', revocations.detail);
  const { issuer, subject, signedInMs } = person;
  const evidence = { subjects: [subjectOf('subject', issuer, subject)], issuedAt: signedInMs / 1000 };
  const hit = revocations.empty ? null : revocations.find([evidence], nowMs);
  return hit === null ? null : new Refusal(revocable[hit.kind], `by the revocation ${hit.id}`);
}

/** Texts alone, which are the same for every process and source. */
const known = new RevocableSubjects();

/** Everything that this request rests on, with the time of issue of what shows it. */
function evidenceOf(
  { backdatingSeconds, ownerOf }: RevocationSource,
  caller: Caller,
  { chain, backing, keys }: Rests,
  checkPeer: CheckPeer | null,
): Evidence[] {
  const { workload, credential, thumbprint, token, proxies } = caller;
  const isSvid = credential === 'x509-svid';
  const isCertificate = isSvid || credential === 'legacy-certificate';
  /** What was dated back was issued later than it says. */
  const issued = ({ trustDomain }: SpiffeId, notBefore: number): number => notBefore + backdatingSeconds(trustDomain);
  const ofToken = token === null ? null : iatOf(token);
  const ofLegacy = isLegacy(credential) ? caller.issuedAt : ofToken;
  const own = isSvid && caller.issuedAt !== null ? issued(workload.id, caller.issuedAt) : ofLegacy;
  // A JWT-SVID that states a task is the token that names the caller.
  const ofTasks = backing.map(({ source, issuedAt }) => (source === 'jwt-svid' ? ofToken : issuedAt));
  const ofCaller = [own, ...(token === null ? [] : [ofToken]), ...ofTasks];
  const evidence: Evidence[] = [];
  const add = (subjects: Evidence['subjects'], issuedAt: number | null): void => {
    evidence.push({ subjects, issuedAt });
  };
  const addWorkload = (id: SpiffeId, owner: string | null, issuedAt: number | null): void => {
    add(known.ofWorkload(id), issuedAt);
    if (owner !== null) add(known.ofOwner(owner), issuedAt);
  };
  for (const [at, { id, owner }] of chain.entries())
    addWorkload(id, owner, earliest(at === chain.length - 1 ? ofCaller : ofTasks));
  for (const { id, thumbprint: shown, notBefore } of checkPeer === null ? proxies : [...proxies, checkPeer]) {
    const issuedAt = issued(id, notBefore);
    addWorkload(id, ownerOf(id), issuedAt);
    add(known.ofDigest('certificate', shown), issuedAt);
  }
  if (isCertificate && thumbprint !== null) add(known.ofDigest('certificate', thumbprint), own);
  if (token !== null) add(subjectsOfToken(token, workload.id), ofToken);
  for (const [at, one] of backing.entries()) add(known.ofTask(one), ofTasks[at] ?? null);
  for (const key of keys) add([subjectOf('key', key)], earliest(ofTasks));
  return evidence;
}

/** An identity token is found by its `iss`, and by the SPIFFE ID of its trust domain, which names the issuer of JWT-SVIDs. */
function subjectsOfToken({ claims: { iss, sub, jti }, thumbprint }: TokenFacts, id: SpiffeId): RevocableSubject[] {
  const issuers = sub === id.text ? [iss, `spiffe://${id.trustDomain}`] : [iss];
  const subjects = [...known.ofDigest('token', thumbprint)];
  for (const issuer of issuers) {
    if (typeof issuer !== 'string') continue;
    if (typeof jti === 'string') subjects.push(subjectOf('token', issuer, jti));
    if (typeof sub === 'string') subjects.push(subjectOf('subject', issuer, sub));
  }
  return subjects;
}

/** When a token says that it was issued: what is reckoned without `iat` may be later than it was. */
const iatOf = ({ claims: { iat } }: TokenFacts): number | null => (typeof iat === 'number' ? iat : null);

/** The earliest of them; null: one is not known, or there is none. */
function earliest(times: readonly (number | null)[]): number | null {
  return times.length === 0 || times.includes(null) ? null : Math.min(...(times as readonly number[]));
}
