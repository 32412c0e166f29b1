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

/** A set of revocations, by what they name. Immutable. */
export class Revocations {
  /** By id and subject: while a file is faulty, what an id named before counts beside what it names now. */
  readonly #all = new Map<string, Revocation>();
  readonly #bySubject = new Map<string, Revocation[]>();

  constructor(all: Iterable<Revocation> = []) {
    for (const revocation of all) this.#add(revocation);
  }

  /** Whether no request can be hit, so that nobody needs to list what it rests on. */
  get empty(): boolean {
    return this.#all.size === 0;
  }

  /**
   * The first revocation that hits something of what a request rests on; null: none does. Where the time of issue is not
   * known, every one hits. `nowMs` in milliseconds since the epoch.
   */
  find(evidence: readonly Evidence[], nowMs: number): Revocation | null {
    for (const { subject, issuedAt } of evidence) {
      const hit = this.#bySubject
        .get(subject)
        ?.find(
          ({ issuedUpToMs, untilMs }) =>
            nowMs < untilMs &&
            (issuedUpToMs === null || issuedAt === null || issuedAt * 1000 <= issuedUpToMs + SKEW_MS),
        );
      if (hit !== undefined) return hit;
    }
    return null;
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

  /** How many have not ended. `nowMs` in milliseconds since the epoch. */
  inForce(nowMs: number): number {
    let count = 0;
    for (const { untilMs } of this.#all.values()) if (nowMs < untilMs) count++;
    return count;
  }

  #add(revocation: Revocation): void {
    this.#all.set(`${revocation.id} ${revocation.subject}`, revocation);
    const others = this.#bySubject.get(revocation.subject);
    if (others === undefined) this.#bySubject.set(revocation.subject, [revocation]);
    else others.push(revocation);
  }
}

/** Of two readings of one entry, what either refuses. */
function stricter(before: Revocation, now: Revocation): Revocation {
  const issuedUpToMs =
    before.issuedUpToMs === null || now.issuedUpToMs === null ? null : Math.max(before.issuedUpToMs, now.issuedUpToMs);
  return { ...now, issuedUpToMs, untilMs: Math.max(before.untilMs, now.untilMs) };
}
