import { Remembered } from '../base/remembered.ts';
import type { SpiffeId } from '../base/spiffe-id.ts';
import { type RevocableSubject, subjectOf, subjectsOfDigest, subjectsOfWorkload } from './revocation.ts';

/** What of a task revocations can name. */
export interface NamedTask {
  readonly issuer: string;
  readonly id: string;
  /** The digest of its token. */
  readonly token: string;
  readonly jti: string | null;
  readonly subject: string | null;
}

interface KnownTask extends NamedTask {
  readonly subjects: readonly RevocableSubject[];
}

const BYTES = 2 ** 20;
const bytesOf = (subjects: readonly RevocableSubject[]): number =>
  subjects.reduce((sum, { text }) => sum + text.length + 50, 0);

/** The subjects of what comes in check after check: written and hashed once, remembered in bounded memory. */
export class RevocableSubjects {
  readonly #workloads = new Remembered<readonly RevocableSubject[]>(BYTES, bytesOf);
  readonly #owners = new Remembered<readonly RevocableSubject[]>(BYTES, bytesOf);
  readonly #digests = {
    certificate: new Remembered<readonly RevocableSubject[]>(BYTES, bytesOf),
    token: new Remembered<readonly RevocableSubject[]>(BYTES, bytesOf),
  };
  readonly #tasks = new Remembered<KnownTask>(BYTES, ({ subjects }) => 2 * bytesOf(subjects));

  /** Of the SPIFFE ID and each prefix of it. */
  ofWorkload(id: SpiffeId): readonly RevocableSubject[] {
    return remembered(this.#workloads, id.text, () => subjectsOfWorkload(id));
  }

  ofOwner(owner: string): readonly RevocableSubject[] {
    return remembered(this.#owners, owner, () => [subjectOf('owner', owner)]);
  }

  /** `thumbprint`: base64url SHA-256. */
  ofDigest(kind: 'certificate' | 'token', thumbprint: string): readonly RevocableSubject[] {
    return remembered(this.#digests[kind], thumbprint, () => subjectsOfDigest(kind, thumbprint));
  }

  /** Of the task, its token, and the subject for whom it is. */
  ofTask(task: NamedTask): readonly RevocableSubject[] {
    const { issuer, id, token, jti, subject } = task;
    const known = this.#tasks.get(token);
    if (known?.issuer === issuer && known.id === id && known.jti === jti && known.subject === subject)
      return known.subjects;
    const subjects = [
      subjectOf('task', issuer, id),
      subjectOf('token', token),
      ...(jti === null ? [] : [subjectOf('token', issuer, jti)]),
      ...(subject === null ? [] : [subjectOf('subject', issuer, subject)]),
    ];
    this.#tasks.set(token, { issuer, id, token, jti, subject, subjects });
    return subjects;
  }
}

function remembered(
  memory: Remembered<readonly RevocableSubject[]>,
  key: string,
  make: () => readonly RevocableSubject[],
): readonly RevocableSubject[] {
  const known = memory.get(key);
  if (known !== undefined) return known;
  const made = make();
  memory.set(key, made);
  return made;
}
