import type { KeyObject } from 'node:crypto';
import { verifiedLift } from './lift.ts';
import { OrderedRevocation } from './ordered-revocation.ts';
import { MAX_ORDERED } from './revocation-book.ts';
import { RevocationTable } from './revocation-table.ts';
import { type Held, type LearnedIds, RejectedTexts, type StoreMirror } from './store-mirror.ts';

/** What a store lacks: a revocation, with the lift of it that was lost, or null. */
export interface Lost {
  readonly revocation: OrderedRevocation;
  readonly lift: string | null;
}

/** By ids; `rejected`: whose lift no trusted key signed; each such lift once. */
export type Learned = LearnedIds<'added' | 'lifted' | 'rejected'>;

export interface MirrorParts {
  readonly namespace: string;
  readonly trustedKeys: () => readonly KeyObject[];
}

/** Beyond this a store holds more than it may. */
const MAX_HELD = 2 * MAX_ORDERED;

/**
 * The revocations of a store, as far as they were seen: what a check is looked up in. A revocation is never dropped because the
 * store has it no longer, only at its end, or by a lift that a trusted key signed.
 */
export class RevocationMirror implements StoreMirror<Lost, keyof Learned> {
  readonly #parts: MirrorParts;
  readonly #table = new RevocationTable();
  /** Lifts by the record that they lifted, to the end of that. */
  readonly #lifted = new Map<string, { readonly id: string; readonly untilMs: number; readonly lift: string }>();
  readonly #rejected = new RejectedTexts();
  #pass = 0;
  #unreadable = 0;
  #overflowed = false;
  #overflowing = false;

  constructor(parts: MirrorParts) {
    this.#parts = parts;
  }

  /** For looking things up. */
  get table(): Omit<RevocationTable, 'add' | 'remove' | 'dropEnded' | 'see'> {
    return this.#table;
  }

  get size(): number {
    return this.#table.size;
  }

  /** Records that could not be read since the last full read began. */
  get unreadable(): number {
    return this.#unreadable;
  }

  /** Whether there were more than can be held: then nobody knows what is revoked. */
  get overflowed(): boolean {
    return this.#overflowed;
  }

  isLifted(id: string): boolean {
    for (const lifted of this.#lifted.values()) if (lifted.id === id) return true;
    return false;
  }

  beginPass(): void {
    this.#pass++;
    this.#unreadable = 0;
    this.#overflowing = false;
  }

  endPass(nowMs: number): readonly Lost[] {
    this.#overflowed = this.#overflowing;
    return [...this.#table.unseen(this.#pass, nowMs)].map((revocation) => ({ revocation, lift: null }));
  }

  async take(held: readonly Held[], lost: Lost[]): Promise<Learned> {
    const learned = { added: [] as string[], lifted: [] as string[], rejected: [] as string[] };
    for (const { record, mark: lift } of held) {
      if (record === null) continue;
      const revocation = OrderedRevocation.read(record);
      if (revocation === null) {
        this.#unreadable++;
        continue;
      }
      const liftedBy = this.#lifted.get(record)?.lift ?? null;
      if (lift !== null && lift === liftedBy) continue;
      if (lift !== null && (await this.#holds(revocation, lift))) {
        if (this.liftKnown(revocation, lift)) learned.lifted.push(revocation.id);
        continue;
      }
      if (lift !== null && this.#rejected.isNew(lift)) learned.rejected.push(revocation.id);
      if (liftedBy !== null) lost.push({ revocation, lift: liftedBy });
      else if (this.add(revocation)) learned.added.push(revocation.id);
    }
    return learned;
  }

  /** Takes one revocation; false where it was known. */
  add(revocation: OrderedRevocation): boolean {
    if (this.#table.see(revocation, this.#pass)) return false;
    if (this.#table.size + this.#lifted.size >= MAX_HELD) {
      this.#overflowing = true;
      this.#overflowed = true;
      return false;
    }
    this.#table.add(revocation, this.#pass);
    return true;
  }

  /** Takes a lift that holds; false where it was known. */
  liftKnown(revocation: OrderedRevocation, lift: string): boolean {
    const { id, untilMs, record } = revocation;
    const isNew = !this.#lifted.has(record);
    this.#lifted.set(record, { id, untilMs, lift });
    this.#table.remove(revocation);
    return isNew;
  }

  dropEnded(beforeMs: number): void {
    this.#table.dropEnded(beforeMs);
    for (const [record, { untilMs }] of this.#lifted) if (untilMs < beforeMs) this.#lifted.delete(record);
  }

  async #holds({ id, digest, untilMs }: OrderedRevocation, record: string): Promise<boolean> {
    const { namespace, trustedKeys } = this.#parts;
    const lift = await verifiedLift(namespace, record, trustedKeys());
    return lift !== null && lift.id === id && lift.digest === digest && lift.untilMs === untilMs;
  }
}
