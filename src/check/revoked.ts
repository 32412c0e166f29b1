import { Fault } from '../base/fault.ts';
import { Refusal } from '../base/outcome.ts';
import type { SpiffeId } from '../base/spiffe-id.ts';
import type { CheckPeer } from '../http/input.ts';
import type { Caller } from '../identity/caller.ts';
import type { PersonFacts } from '../identity/person.ts';
import { type Evidence, evidenceOfWorkload, revocable, subjectKey } from '../state/revocation.ts';
import type { RevocationLookup } from '../state/revocations.ts';
import { tokenChallenge } from '../task/challenge.ts';
import type { Task, TaskContext } from '../task/model.ts';
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
  const evidence = {
    kind: 'subject',
    subject: subjectKey('subject', issuer, subject),
    issuedAt: signedInMs / 1000,
  } as const;
  const hit = revocations.empty ? null : revocations.find([evidence], nowMs);
  return hit === null ? null : new Refusal(revocable[hit.kind], `by the revocation ${hit.id}`);
}

/** Everything that this request rests on, with the time of issue of what shows it. */
function evidenceOf(
  { backdatingSeconds, ownerOf }: RevocationSource,
  caller: Caller,
  { chain, backing, keys }: Rests,
  checkPeer: CheckPeer | null,
): Evidence[] {
  const { workload, credential, thumbprint, token, proxies } = caller;
  const isCertificate = credential === 'x509-svid';
  /** What was dated back was issued later than it says. */
  const issued = ({ trustDomain }: SpiffeId, notBefore: number): number => notBefore + backdatingSeconds(trustDomain);
  const ofToken = token === null ? null : iatOf(token);
  const own = isCertificate && caller.issuedAt !== null ? issued(workload.id, caller.issuedAt) : ofToken;
  // A JWT-SVID that states a task is the token that names the caller.
  const ofTasks = backing.map(({ source, issuedAt }) => (source === 'jwt-svid' ? ofToken : issuedAt));
  const ofCaller = [own, ...(token === null ? [] : [ofToken]), ...ofTasks];
  const evidence: Evidence[] = chain.flatMap((hop, index) =>
    evidenceOfWorkload(hop.id, hop.owner, earliest(index === chain.length - 1 ? ofCaller : ofTasks)),
  );
  for (const { id, thumbprint: shown, notBefore } of checkPeer === null ? proxies : [...proxies, checkPeer]) {
    const issuedAt = issued(id, notBefore);
    evidence.push(...evidenceOfWorkload(id, ownerOf(id), issuedAt), evidenceOfDigest('certificate', shown, issuedAt));
  }
  if (isCertificate && thumbprint !== null) evidence.push(evidenceOfDigest('certificate', thumbprint, own));
  if (token !== null) evidence.push(...evidenceOfToken(token, workload.id));
  for (const [at, one] of backing.entries()) evidence.push(...evidenceOfTask(one, ofTasks[at] ?? null));
  for (const key of keys) evidence.push({ kind: 'key', subject: subjectKey('key', key), issuedAt: earliest(ofTasks) });
  return evidence;
}

/** `thumbprint`: base64url SHA-256, of which people write the hex digits. */
function evidenceOfDigest(kind: 'certificate' | 'token', thumbprint: string, issuedAt: number | null): Evidence {
  const fingerprint = `sha256:${Buffer.from(thumbprint, 'base64url').toString('hex')}`;
  return { kind, subject: subjectKey(kind, fingerprint), issuedAt };
}

function evidenceOfTask({ issuer, id, token, jti, subject }: Task, issuedAt: number | null): Evidence[] {
  return [
    { kind: 'task', subject: subjectKey('task', issuer, id), issuedAt },
    { kind: 'token', subject: subjectKey('token', token), issuedAt },
    ...(jti === null ? [] : [{ kind: 'token' as const, subject: subjectKey('token', issuer, jti), issuedAt }]),
    ...(subject === null
      ? []
      : [{ kind: 'subject' as const, subject: subjectKey('subject', issuer, subject), issuedAt }]),
  ];
}

/** An identity token is found by its `iss`, and by the SPIFFE ID of its trust domain, which names the issuer of JWT-SVIDs. */
function evidenceOfToken(token: TokenFacts, id: SpiffeId): Evidence[] {
  const { iss, sub, jti } = token.claims;
  const issuedAt = iatOf(token);
  const issuers = sub === id.text ? [iss, `spiffe://${id.trustDomain}`] : [iss];
  const evidence = [evidenceOfDigest('token', token.thumbprint, issuedAt)];
  for (const issuer of issuers) {
    if (typeof issuer !== 'string') continue;
    if (typeof jti === 'string') evidence.push({ kind: 'token', subject: subjectKey('token', issuer, jti), issuedAt });
    if (typeof sub === 'string')
      evidence.push({ kind: 'subject', subject: subjectKey('subject', issuer, sub), issuedAt });
  }
  return evidence;
}

/** When a token says that it was issued: what is reckoned without `iat` may be later than it was. */
const iatOf = ({ claims: { iat } }: TokenFacts): number | null => (typeof iat === 'number' ? iat : null);

/** The earliest of them; null: one is not known, or there is none. */
function earliest(times: readonly (number | null)[]): number | null {
  return times.length === 0 || times.includes(null) ? null : Math.min(...(times as readonly number[]));
}
