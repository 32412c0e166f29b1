import { OrderedRevocation } from './ordered-revocation.ts';
import type { Revocation } from './revocation.ts';
import {
  type KnownRevocation,
  knownOrder,
  type LiftOrder,
  MAX_ORDERED,
  MAX_ORDERED_BYTES,
  type OrderResult,
  type RevocationBook,
} from './revocation-book.ts';
import { RevocationTable } from './revocation-table.ts';
import type { RevocationLookup } from './revocations.ts';

/** What an order takes beside its text: measured, and rounded up. */
const ENTRY_BYTES = 256;

/** The orders of one process, which are lost with it. When it is full, an order is refused. */
export class ProcessBook implements RevocationBook {
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #onChange: () => void;
  readonly #table = new RevocationTable();

  /** `onChange` is called after what applies has changed. */
  constructor(onChange: () => void = () => {}, limits: { readonly entries?: number; readonly bytes?: number } = {}) {
    this.#onChange = onChange;
    this.#maxEntries = limits.entries ?? MAX_ORDERED;
    this.#maxBytes = limits.bytes ?? MAX_ORDERED_BYTES;
  }

  get lookup(): RevocationLookup {
    return this.#table;
  }

  *all(): Iterable<KnownRevocation> {
    for (const revocation of this.#table.values()) yield knownOrder(revocation, 'memory');
  }

  get(id: string): KnownRevocation | null {
    const revocation = this.#table.get(id);
    return revocation === null ? null : knownOrder(revocation, 'memory');
  }

  inForce(nowMs: number): number {
    return this.#table.inForce(nowMs);
  }

  async revoke(order: Revocation, nowMs: number): Promise<OrderResult> {
    const asked = new OrderedRevocation(order, nowMs);
    const before = this.#table.get(order.id);
    if (before?.isSame(asked)) return done('unchanged', before.atMs);
    if (before !== null) return { result: 'conflict', detail: `${order.id} is a revocation with other content` };
    const detail = this.#table.crowded(order.subject) ?? this.#full(asked, nowMs);
    if (detail !== null) return { result: 'full', detail };
    this.#table.add(asked, 0);
    this.#onChange();
    return done('stored', nowMs);
  }

  async lift({ id, atMs }: LiftOrder): Promise<OrderResult> {
    const revocation = this.#table.get(id);
    if (revocation === null) return { result: 'unknown' };
    this.#table.remove(revocation);
    this.#onChange();
    return done('stored', atMs);
  }

  /** Why there is no room, after what has ended was dropped; null: there is. */
  #full(asked: OrderedRevocation, nowMs: number): string | null {
    if (this.#hasRoom(asked)) return null;
    this.#table.dropEnded(nowMs);
    if (this.#hasRoom(asked)) return null;
    return `there are ${this.#table.size} of at most ${this.#maxEntries} revocations, in ${this.#bytes()} of ${this.#maxBytes} bytes`;
  }

  #hasRoom({ record }: OrderedRevocation): boolean {
    return this.#table.size < this.#maxEntries && this.#bytes(1) + Buffer.byteLength(record) <= this.#maxBytes;
  }

  /** What all entries take, and so many more without their texts. */
  #bytes(more = 0): number {
    return this.#table.bytes + ENTRY_BYTES * (this.#table.size + more);
  }
}

const done = (result: 'stored' | 'unchanged', atMs: number): OrderResult => ({
  result,
  atMs,
  replicas: null,
  covers: 'this process',
});
