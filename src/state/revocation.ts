import type { SpiffeId } from '../base/spiffe-id.ts';
import { bucketHash } from './hash-chains.ts';

/** What a revocation can name, and the reason that it refuses with. */
export const revocable = {
  workload: 'revoked_workload',
  under: 'revoked_workload',
  owner: 'revoked_owner',
  task: 'revoked_task',
  token: 'revoked_token',
  key: 'revoked_key',
  certificate: 'revoked_certificate',
  subject: 'revoked_subject',
} as const;

/** How the id of a revocation is written. */
export const REVOCATION_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export type RevocationKind = keyof typeof revocable;

/** One order to refuse what its subject names. Times are milliseconds since the epoch. */
export interface Revocation {
  /** Unique among revocations; stands in audit lines. */
  readonly id: string;
  readonly kind: RevocationKind;
  /** What is revoked, as `subjectKey` writes it. */
  readonly subject: string;
  /** Only credentials issued up to then are hit, so that a new one works; null: all of them. */
  readonly issuedUpToMs: number | null;
  /** It ends by itself then. */
  readonly untilMs: number;
  readonly reason: string;
  /** Who ordered it. */
  readonly by: string;
}

/** The text that a subject is found by. A subject of several parts is written with its parts apart. */
export const subjectKey = (kind: RevocationKind, ...parts: readonly string[]): string =>
  `${kind} ${parts.length === 1 ? parts[0] : JSON.stringify(parts)}`;

/** The kind of a subject as `subjectKey` wrote it. */
export const kindOf = (subject: string): RevocationKind => subject.slice(0, subject.indexOf(' ')) as RevocationKind;

/** The parts of a subject as `subjectKey` wrote it. */
export function subjectParts(subject: string): readonly string[] {
  const kind = kindOf(subject);
  const text = subject.slice(kind.length + 1);
  const several = kind === 'task' || kind === 'subject' || (kind === 'token' && text.startsWith('['));
  return several ? (JSON.parse(text) as string[]) : [text];
}

/** A subject as `subjectKey` wrote it, with the hash that tables find it by. */
export interface RevocableSubject {
  readonly text: string;
  readonly hash: number;
}

/** What a request rests on, and when the credential that shows it was issued (seconds; null: not known). */
export interface Evidence {
  readonly subjects: readonly RevocableSubject[];
  readonly issuedAt: number | null;
}

export function subjectOf(kind: RevocationKind, ...parts: readonly string[]): RevocableSubject {
  const text = subjectKey(kind, ...parts);
  return { text, hash: bucketHash(text) };
}

/** A workload is revoked by its SPIFFE ID, and by any prefix of whole segments. */
export function subjectsOfWorkload(id: SpiffeId): readonly RevocableSubject[] {
  const subjects = [subjectOf('workload', id.text)];
  for (let end = id.text.length; end > 'spiffe://'.length; end = id.text.lastIndexOf('/', end - 1))
    subjects.push(subjectOf('under', id.text.slice(0, end)));
  return subjects;
}

/** `thumbprint`: base64url SHA-256, of which people write the hex digits. */
export const subjectsOfDigest = (kind: 'certificate' | 'token', thumbprint: string): readonly RevocableSubject[] => [
  subjectOf(kind, `sha256:${Buffer.from(thumbprint, 'base64url').toString('hex')}`),
];
