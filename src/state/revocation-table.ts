import type { OrderedRevocation } from './ordered-revocation.ts';
import { type RevocationLookup, SubjectIndex } from './revocations.ts';

/** More of one subject are not taken: each check of that subject looks at all of them. */
const MAX_PER_SUBJECT = 100;

/**
 * The revocations that were ordered, by id and by what they name. Where one id has several contents, since somebody wrote
 * another one into a store, all of them count.
 */
export class RevocationTable {
  readonly #all = new Map<string, OrderedRevocation>();
  readonly #index = new SubjectIndex();

  get lookup(): RevocationLookup {
    return this.#index;
  }

  get size(): number {
    return this.#all.size;
  }

  get(id: string): OrderedRevocation | null {
    return this.#all.get(id) ?? null;
  }

  /** This very one, as the table holds it. */
  find({ id, record, digest }: OrderedRevocation): OrderedRevocation | null {
    const first = this.#all.get(id);
    return (first?.record === record ? first : this.#all.get(`${id} ${digest}`)) ?? null;
  }

  /** All contents of an id. */
  ofId(id: string): readonly OrderedRevocation[] {
    return [...this.#all.values()].filter((revocation) => revocation.id === id);
  }

  values(): Iterable<OrderedRevocation> {
    return this.#all.values();
  }

  /** Why no further one of this subject is taken; null: one is. */
  crowded(subject: string): string | null {
    return this.#index.count(subject) < MAX_PER_SUBJECT
      ? null
      : `there are ${MAX_PER_SUBJECT} revocations of this subject; lift some of them`;
  }

  /** Takes one that is not there yet. */
  add(revocation: OrderedRevocation): void {
    const { id } = revocation;
    this.#all.set(this.#all.has(id) ? `${id} ${revocation.digest}` : id, revocation);
    this.#index.add(revocation);
  }

  remove(revocation: OrderedRevocation): void {
    const { id } = revocation;
    this.#all.delete(this.#all.get(id) === revocation ? id : `${id} ${revocation.digest}`);
    this.#index.remove(revocation);
  }

  /** Drops those that ended before `beforeMs`; gives how many. */
  dropEnded(beforeMs: number): number {
    let dropped = 0;
    for (const [key, revocation] of this.#all) {
      if (revocation.untilMs >= beforeMs) continue;
      this.#all.delete(key);
      this.#index.remove(revocation);
      dropped++;
    }
    return dropped;
  }
}
