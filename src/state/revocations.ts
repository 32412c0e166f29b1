import type { Evidence, Revocation } from './revocation.ts';

/** Clocks of issuers may be so far behind: what seems to be issued a little after the moment is hit too. */
export const SKEW_MS = 5000;

/** What applies to requests. */
export interface RevocationLookup {
  /** Whether no request can be hit, so that nobody needs to list what it rests on. */
  readonly empty: boolean;
  /**
   * The first revocation that hits something of what a request rests on; null: none does. Where the time of issue is not
   * known, every one hits. `nowMs` in milliseconds since the epoch.
   */
  find(evidence: readonly Evidence[], nowMs: number): Revocation | null;
}

/** The same, for whoever lists them: there may be a hundred thousand. */
export interface RevocationListing extends RevocationLookup {
  values(): Iterable<Revocation>;
  /** The first with this id. */
  get(id: string): Revocation | null;
}

/** Revocations by what they name. */
export class SubjectIndex implements RevocationLookup {
  /** Hardly any subject has more than one. */
  readonly #bySubject = new Map<string, Revocation | Set<Revocation>>();

  get empty(): boolean {
    return this.#bySubject.size === 0;
  }

  add(revocation: Revocation): void {
    const others = this.#bySubject.get(revocation.subject);
    if (others === undefined) this.#bySubject.set(revocation.subject, revocation);
    else if (others instanceof Set) others.add(revocation);
    else this.#bySubject.set(revocation.subject, new Set([others, revocation]));
  }

  remove(revocation: Revocation): void {
    const found = this.#bySubject.get(revocation.subject);
    if (found instanceof Set) found.delete(revocation);
    if (found === revocation || (found instanceof Set && found.size === 0)) this.#bySubject.delete(revocation.subject);
  }

  /** How many name this subject. */
  count(subject: string): number {
    const found = this.#bySubject.get(subject);
    return found === undefined ? 0 : found instanceof Set ? found.size : 1;
  }

  find(evidence: readonly Evidence[], nowMs: number): Revocation | null {
    for (const { subject, issuedAt } of evidence) {
      const found = this.#bySubject.get(subject);
      if (found === undefined) continue;
      if (!(found instanceof Set)) {
        if (hits(found, issuedAt, nowMs)) return found;
        continue;
      }
      for (const one of found) if (hits(one, issuedAt, nowMs)) return one;
    }
    return null;
  }
}

const hits = ({ issuedUpToMs, untilMs }: Revocation, issuedAt: number | null, nowMs: number): boolean =>
  nowMs < untilMs && (issuedUpToMs === null || issuedAt === null || issuedAt * 1000 <= issuedUpToMs + SKEW_MS);
