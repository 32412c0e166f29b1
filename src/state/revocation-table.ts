import type { OrderedRevocation } from './ordered-revocation.ts';
import { type RevocationLookup, SubjectIndex } from './revocations.ts';

/** More of one subject are not taken: each check of that subject looks at all of them. */
const MAX_PER_SUBJECT = 100;

/**
 * The revocations that were ordered, by id and by what they name. Where one id has several contents, since somebody wrote
 * another one into a store, all of them count.
 */
export class RevocationTable {
  /** Hardly any id has several contents; those by their records. */
  readonly #byId = new Map<string, OrderedRevocation | Map<string, OrderedRevocation>>();
  readonly #index = new SubjectIndex();
  #size = 0;

  get lookup(): RevocationLookup {
    return this.#index;
  }

  get size(): number {
    return this.#size;
  }

  /** The first of this id. */
  get(id: string): OrderedRevocation | null {
    const [first = null] = this.ofId(id);
    return first;
  }

  /** This very one, as the table holds it. */
  find({ id, record }: OrderedRevocation): OrderedRevocation | null {
    const found = this.#byId.get(id);
    if (found instanceof Map) return found.get(record) ?? null;
    return found?.record === record ? found : null;
  }

  /** All contents of an id. */
  ofId(id: string): readonly OrderedRevocation[] {
    const found = this.#byId.get(id);
    return found === undefined ? [] : found instanceof Map ? [...found.values()] : [found];
  }

  *values(): Iterable<OrderedRevocation> {
    for (const found of this.#byId.values())
      if (found instanceof Map) yield* found.values();
      else yield found;
  }

  /** Why no further one of this subject is taken; null: one is. */
  crowded(subject: string): string | null {
    return this.#index.count(subject) < MAX_PER_SUBJECT
      ? null
      : `there are ${MAX_PER_SUBJECT} revocations of this subject; lift some of them`;
  }

  /** Takes one that is not there yet. */
  add(revocation: OrderedRevocation): void {
    const { id, record } = revocation;
    const found = this.#byId.get(id);
    if (found === undefined) this.#byId.set(id, revocation);
    else if (found instanceof Map) found.set(record, revocation);
    else
      this.#byId.set(
        id,
        new Map([
          [found.record, found],
          [record, revocation],
        ]),
      );
    this.#size++;
    this.#index.add(revocation);
  }

  /** Drops one that is there. */
  remove(revocation: OrderedRevocation): void {
    const { id, record } = revocation;
    const found = this.#byId.get(id);
    if (found instanceof Map) found.delete(record);
    if (found === revocation || (found instanceof Map && found.size === 0)) this.#byId.delete(id);
    this.#size--;
    this.#index.remove(revocation);
  }

  /** Drops those that ended before `beforeMs`. */
  dropEnded(beforeMs: number): void {
    for (const revocation of this.values()) if (revocation.untilMs < beforeMs) this.remove(revocation);
  }
}
