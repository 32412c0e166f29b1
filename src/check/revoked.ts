import { Fault } from '../base/fault.ts';
import { Refusal } from '../base/outcome.ts';
import type { Caller } from '../identity/caller.ts';
import { type Evidence, evidenceOfWorkload, revocable, subjectKey } from '../state/revocation.ts';
import type { RevocationLookup } from '../state/revocations.ts';
import { tokenChallenge } from '../task/challenge.ts';
import type { Task, TaskContext } from '../task/model.ts';

/** Where revocations come from. */
export interface RevocationSource {
  /** Those that apply at `nowMs`; a Fault while nobody knows. */
  readonly current: (nowMs: number) => RevocationLookup | Fault;
  /** Seconds by which authorities of a trust domain date their certificates back. */
  readonly backdatingSeconds: (trustDomain: string) => number;
}

/**
 * Refuses where something that the request rests on is revoked: the caller, its credential, its proxy, a workload of the
 * chain, the task, a token or a key. Asked in every check, after whatever is remembered. Refusals: `revoked_…` with the id
 * of the revocation in the private detail; `state_unavailable` while nobody knows what is revoked. `nowMs` in milliseconds
 * since the epoch.
 */
export function revoked(
  { current, backdatingSeconds }: RevocationSource,
  caller: Caller,
  task: Pick<TaskContext, 'chain' | 'backing' | 'keys'> & { readonly challenge: TaskContext['challenge'] | null },
  nowMs: number,
): Refusal | null {
  const revocations = current(nowMs);
  if (revocations instanceof Fault) return new Refusal('state_unavailable', revocations.detail);
  if (revocations.empty) return null;
  const evidence = evidenceOf(caller, task, backdatingSeconds(caller.workload.id.trustDomain));
  const hit = revocations.find(evidence, nowMs);
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
  revoked(source, caller, { chain: [caller.workload], backing: [], keys: [], challenge: null }, nowMs);

/** Everything that this request rests on, with the time of issue of what shows it. */
function evidenceOf(
  caller: Caller,
  { chain, backing, keys }: Pick<TaskContext, 'chain' | 'backing' | 'keys'>,
  backdatingSeconds: number,
): Evidence[] {
  const { workload, credential, thumbprint, claims, proxy } = caller;
  const isCertificate = credential === 'x509-svid';
  // A certificate that was dated back was issued later than it says.
  const own = caller.issuedAt === null ? null : caller.issuedAt + (isCertificate ? backdatingSeconds : 0);
  const ofTasks = backing.map(({ issuedAt }) => issuedAt);
  const evidence: Evidence[] = chain.flatMap((hop, index) =>
    evidenceOfWorkload(hop.id, hop.owner, earliest(index === chain.length - 1 ? [own, ...ofTasks] : ofTasks)),
  );
  if (proxy !== null) evidence.push(...evidenceOfWorkload(proxy, null, null));
  if (thumbprint !== null) {
    const fingerprint = `sha256:${Buffer.from(thumbprint, 'base64url').toString('hex')}`;
    const kind = isCertificate ? 'certificate' : 'token';
    evidence.push({ kind, subject: subjectKey(kind, fingerprint), issuedAt: own });
  }
  if (claims !== null) evidence.push(...evidenceOfToken(claims, workload.id.text, workload.id.trustDomain));
  for (const one of backing) evidence.push(...evidenceOfTask(one));
  for (const key of keys) evidence.push({ kind: 'key', subject: subjectKey('key', key), issuedAt: earliest(ofTasks) });
  return evidence;
}

function evidenceOfTask({ issuer, id, token, jti, subject, issuedAt }: Task): Evidence[] {
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
function evidenceOfToken(
  { iss, sub, jti, iat }: Readonly<Record<string, unknown>>,
  id: string,
  trustDomain: string,
): Evidence[] {
  const issuedAt = typeof iat === 'number' ? iat : null;
  const issuers = sub === id ? [iss, `spiffe://${trustDomain}`] : [iss];
  return issuers.flatMap((issuer): Evidence[] =>
    typeof issuer !== 'string'
      ? []
      : [
          ...(typeof jti === 'string'
            ? [{ kind: 'token' as const, subject: subjectKey('token', issuer, jti), issuedAt }]
            : []),
          ...(typeof sub === 'string'
            ? [{ kind: 'subject' as const, subject: subjectKey('subject', issuer, sub), issuedAt }]
            : []),
        ],
  );
}

/** The earliest of them; null: one is not known, or there is none. */
function earliest(times: readonly (number | null)[]): number | null {
  return times.length === 0 || times.includes(null) ? null : Math.min(...(times as readonly number[]));
}
