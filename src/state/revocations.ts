import type { Evidence, Revocation } from './revocation.ts';

/** Clocks of issuers may be so far behind: what seems to be issued a little after the moment is hit too. */
const SKEW_MS = 5000;

/** What changed between two sets, by the ids of the revocations. */
export interface RevocationChange {
  readonly added: readonly string[];
  /** The same subject, for a longer or shorter time, or other credentials. */
  readonly changed: readonly string[];
  /** Gone before their end. */
  readonly lifted: readonly string[];
}

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

/** Revocations by what they name. */
class SubjectIndex {
  /** Hardly any subject has more than one. */
  readonly #bySubject = new Map<string, Revocation | Set<Revocation>>();

  add(revocation: Revocation): void {
    const others = this.#bySubject.get(revocation.subject);
    if (others === undefined) this.#bySubject.set(revocation.subject, revocation);
    else if (others instanceof Set) others.add(revocation);
    else this.#bySubject.set(revocation.subject, new Set([others, revocation]));
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

/** Whether a revocation hits a credential that was issued then (seconds; null: not known). */
export const hits = ({ issuedUpToMs, untilMs }: Revocation, issuedAt: number | null, nowMs: number): boolean =>
  nowMs < untilMs && (issuedUpToMs === null || issuedAt === null || issuedAt * 1000 <= issuedUpToMs + SKEW_MS);

/** A set of revocations. Immutable. */
export class Revocations implements RevocationLookup {
  /** By id and subject: while a file is faulty, what an id named before counts beside what it names now. */
  readonly #all = new Map<string, Revocation>();
  readonly #index = new SubjectIndex();

  constructor(all: Iterable<Revocation> = []) {
    for (const revocation of all) this.#add(revocation);
  }

  get empty(): boolean {
    return this.#all.size === 0;
  }

  find(evidence: readonly Evidence[], nowMs: number): Revocation | null {
    return this.#index.find(evidence, nowMs);
  }

  /** How many have not ended. `nowMs` in milliseconds since the epoch. */
  inForce(nowMs: number): number {
    let count = 0;
    for (const { untilMs } of this.#all.values()) if (nowMs < untilMs) count++;
    return count;
  }

  values(): Iterable<Revocation> {
    return this.#all.values();
  }

  /** Both sets: nothing that either refuses is let pass. */
  with(newer: Revocations): Revocations {
    const all = new Map(this.#all);
    for (const [key, entry] of newer.#all) {
      const before = all.get(key);
      all.set(key, before === undefined ? entry : stricter(before, entry));
    }
    return new Revocations(all.values());
  }

  /** What is different from an older set. What has ended by `nowMs` is not lifted. */
  since(before: Revocations, nowMs: number): RevocationChange {
    const change = { added: [] as string[], changed: [] as string[], lifted: [] as string[] };
    for (const [key, now] of this.#all) {
      const was = before.#all.get(key);
      if (was === undefined) change.added.push(now.id);
      else if (was.untilMs !== now.untilMs || was.issuedUpToMs !== now.issuedUpToMs) change.changed.push(now.id);
    }
    for (const [key, { id, untilMs }] of before.#all)
      if (nowMs < untilMs && !this.#all.has(key)) change.lifted.push(id);
    return change;
  }

  #add(revocation: Revocation): void {
    this.#all.set(`${revocation.id} ${revocation.subject}`, revocation);
    this.#index.add(revocation);
  }
}

/** Of two readings of one entry, what either refuses. */
function stricter(before: Revocation, now: Revocation): Revocation {
  const issuedUpToMs =
    before.issuedUpToMs === null || now.issuedUpToMs === null ? null : Math.max(before.issuedUpToMs, now.issuedUpToMs);
  return { ...now, issuedUpToMs, untilMs: Math.max(before.untilMs, now.untilMs) };
}
