import type { KeyObject } from 'node:crypto';
import { signLift } from '../lift.ts';
import type { LiftKeys } from '../lift-keys.ts';
import { OrderedRevocation } from '../ordered-revocation.ts';
import type { Revocation } from '../revocation.ts';
import {
  type KnownRevocation,
  knownOrder,
  type LiftOrder,
  MAX_ORDERED,
  MAX_ORDERED_BYTES,
  type OrderResult,
  type RevocationBook,
} from '../revocation-book.ts';
import { type Learned, type Lost, RevocationMirror } from '../revocation-mirror.ts';
import type { RevocationLookup } from '../revocations.ts';
import type { Head } from './record-queries.ts';
import { RESTORE, REVOCATION_KEYS, REVOKE } from './revocation-scripts.ts';
import { type FollowedStore, type RecordEvent, SharedRecords } from './shared-records.ts';
import { type Unwritten, unavailable, unwritten } from './writer.ts';

/** What happened to the revocations of the store. */
export type BookEvent = RecordEvent<keyof Learned>;

interface RedisBookParts extends FollowedStore {
  readonly liftKeys: () => LiftKeys;
  readonly onEvent: (event: BookEvent) => void;
}

/**
 * The revocations that several sidecars share. Orders are written to the store on a connection of their own; all that is
 * looked up is the mirror in the memory of this process, which a feed keeps up to date.
 */
export class RedisBook implements RevocationBook {
  readonly #parts: RedisBookParts;
  readonly #mirror: RevocationMirror;
  readonly #shared: SharedRecords<Lost, keyof Learned>;

  private constructor(parts: RedisBookParts) {
    this.#parts = parts;
    const { options, liftKeys, onEvent } = parts;
    this.#mirror = new RevocationMirror({ namespace: options.namespace, trustedKeys: () => liftKeys().trusted });
    this.#shared = new SharedRecords(parts, {
      what: 'revocations',
      names: REVOCATION_KEYS,
      log: REVOCATION_KEYS.at(-1)!,
      mirror: this.#mirror,
      restore: RESTORE,
      limits: [MAX_ORDERED, MAX_ORDERED_BYTES].map(String),
      argsOf: (lost) => restoredBy([lost]),
      refused: (word) => refusedBy(word).detail,
      onEvent,
    });
  }

  /** Begins to follow the store; resolves after the first full read, or when that takes long. */
  static async start(parts: RedisBookParts): Promise<RedisBook> {
    const book = new RedisBook(parts);
    await book.#shared.start();
    return book;
  }

  get lookup(): RevocationLookup {
    return this.#mirror.table;
  }

  /** Why nobody knows what is revoked at `nowMs`; null: it is known. */
  unknown(nowMs: number): string | null {
    if (this.#mirror.overflowed) return 'the store holds more revocations than it may';
    return this.#shared.unknown(nowMs);
  }

  /** Milliseconds since they were up to date; null: never. */
  stalenessMs(nowMs: number): number | null {
    return this.#shared.stalenessMs(nowMs);
  }

  /** How far the store was read: the same on all sidecars that have read as far. */
  get revision(): string {
    return this.#shared.feed.revision;
  }

  /** Other keys are trusted now. */
  keysChanged(): void {
    this.#shared.feed.resyncSoon();
  }

  /** What the store told of itself last, records of it that could not be read, and how old what is known may be. */
  status(): { readonly head: Head | null; readonly unreadable: number; readonly maxStaleMs: number } {
    const { maxStaleMs } = this.#parts.options;
    return { head: this.#shared.feed.head, unreadable: this.#mirror.unreadable, maxStaleMs };
  }

  *all(): Iterable<KnownRevocation> {
    for (const revocation of this.#mirror.table.values()) yield knownOrder(revocation, 'store');
  }

  get(id: string): KnownRevocation | null {
    const revocation = this.#mirror.table.get(id);
    return revocation === null ? null : knownOrder(revocation, 'store');
  }

  inForce(nowMs: number): number {
    return this.#mirror.table.inForce(nowMs);
  }

  async revoke(order: Revocation, nowMs: number): Promise<OrderResult> {
    const before = this.#mirror.table.get(order.id);
    const asked = new OrderedRevocation(order, nowMs);
    const crowded = before === null ? this.#mirror.table.crowded(order.subject) : null;
    if (crowded !== null) return { result: 'full', detail: crowded };
    const args = [asked.id, String(asked.untilMs), asked.content, String(MAX_ORDERED), String(MAX_ORDERED_BYTES)];
    const written = await this.#shared.writer.write(REVOKE, args);
    if ('result' in written) return written;
    const [word, record] = written.words;
    switch (word) {
      case 'stored':
      case 'unchanged': {
        const taken = OrderedRevocation.read(record ?? '');
        if (taken === null) return unavailable('the store answered with something else');
        if (this.#mirror.add(taken)) this.#parts.onEvent(learnedOf({ added: [taken.id] }));
        return this.#shared.writer.confirmed(written.link, word, taken.atMs);
      }
      case 'conflict':
        return { result: 'conflict', detail: `${order.id} is a revocation with other content` };
      default:
        return refusedBy(word);
    }
  }

  async lift(order: LiftOrder): Promise<OrderResult> {
    const revocations = this.#mirror.table.ofId(order.id);
    if (revocations.length === 0) {
      if (!this.#mirror.isLifted(order.id)) return { result: 'unknown' };
      return { result: 'unchanged', atMs: order.atMs, replicas: null, covers: 'store' };
    }
    const key = this.#parts.liftKeys().signing;
    if (key === null) return { result: 'unsigned', detail: 'a lift must be signed, and there is no control.key here' };
    const lifts = revocations.map((revocation) => ({ revocation, lift: this.#sign(revocation, order, key) }));
    const written = await this.#shared.writer.write(RESTORE, [
      ...[Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER].map(String),
      ...restoredBy(lifts),
    ]);
    if ('result' in written) return written;
    const [word] = written.words;
    if (word !== 'done') return refusedBy(word);
    for (const { revocation, lift } of lifts) this.#mirror.liftKnown(revocation, lift);
    this.#parts.onEvent(learnedOf({ lifted: [order.id] }));
    return this.#shared.writer.confirmed(written.link, 'stored', order.atMs);
  }

  stop(): Promise<void> {
    return this.#shared.stop();
  }

  #sign({ digest, untilMs }: OrderedRevocation, { id, reason, by, atMs }: LiftOrder, key: KeyObject): string {
    return signLift(this.#parts.options.namespace, { id, digest, untilMs, atMs, by, reason }, key);
  }
}

const restoredBy = (lost: readonly Lost[]): readonly string[] =>
  lost.flatMap(({ revocation: { id, digest, record }, lift }) => [id, digest, record, lift ?? '']);

const learnedOf = (some: Partial<Learned>): BookEvent => ({
  kind: 'learned',
  added: [],
  lifted: [],
  rejected: [],
  ...some,
});

/** What the store answered instead of taking an order. */
const refusedBy = (word: string | undefined): Unwritten =>
  unwritten(word, `${MAX_ORDERED} revocations, or ${MAX_ORDERED_BYTES} bytes of them`);
