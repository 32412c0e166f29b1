import { setTimeout as pause } from 'node:timers/promises';
import type { StoreOptions } from '../../../src/state/redis/options.ts';
import type { Revocation } from '../../../src/state/revocation.ts';
import { orderOf } from '../../support/orders.ts';
import { openBook, type SidecarBook, signs } from '../../support/redis-books.ts';

const ORDER_EVERY_MS = 100;
const LOOK_EVERY_MS = 20;
/** Orders that are looked at each time. */
const LOOKED_AT = 50;

/** An order that was taken, and when its answer came. */
interface Taken {
  readonly order: Revocation;
  readonly at: number;
}

/**
 * The revocations of several sidecars: orders at any of them, and what the others would let pass. An allow that a revocation
 * forbade is one that comes later than the bound of staleness after the order was answered, whatever became of the store.
 */
export class RevocationLoad {
  readonly #name: string;
  readonly #maxStaleMs: number;
  readonly #sidecars: readonly SidecarBook[];
  readonly #taken: Taken[] = [];
  #running = true;
  #workers: Promise<unknown> = Promise.resolve();
  #made = 0;
  forbidden = 0;
  refusals = 0;
  readonly faults: string[] = [];

  private constructor(name: string, maxStaleMs: number, sidecars: readonly SidecarBook[]) {
    this.#name = name;
    this.#maxStaleMs = maxStaleMs;
    this.#sidecars = sidecars;
  }

  static async open(name: string, options: StoreOptions, count: number): Promise<RevocationLoad> {
    const sidecars: SidecarBook[] = [];
    for (let n = 0; n < count; n++) sidecars.push(await openBook(options, signs));
    return new RevocationLoad(name, options.maxStaleMs, sidecars);
  }

  get orders(): number {
    return this.#taken.length;
  }

  get states() {
    return this.#sidecars.map(({ state }) => state);
  }

  start(): void {
    const order = async (): Promise<void> => {
      while (this.#running) {
        await this.#order();
        await pause(ORDER_EVERY_MS);
      }
    };
    const look = async (): Promise<void> => {
      while (this.#running) {
        this.#look(LOOKED_AT);
        await pause(LOOK_EVERY_MS);
      }
    };
    this.#workers = Promise.all([order(), look()]);
  }

  /** Whether all of them know what is revoked, and take an order. */
  async served(): Promise<boolean> {
    return this.#sidecars.every(({ book }) => book.unknown(Date.now()) === null) && (await this.#order());
  }

  /** Ends, after every order was looked up at every sidecar. */
  async stop(): Promise<void> {
    this.#running = false;
    await this.#workers;
    const latest = this.#taken.at(-1)?.at ?? 0;
    await pause(Math.max(0, latest + this.#maxStaleMs + 1 - Date.now()));
    this.#look(Number.POSITIVE_INFINITY);
  }

  async close(): Promise<void> {
    for (const { stop } of this.#sidecars) await stop();
  }

  async #order(): Promise<boolean> {
    const { book } = this.#sidecars[this.#made % this.#sidecars.length]!;
    const order = orderOf(`r-${this.#made++}`);
    const { result } = await book.revoke(order, Date.now());
    if (result !== 'stored') return false;
    this.#taken.push({ order, at: Date.now() });
    return true;
  }

  #look(most: number): void {
    const first = most === Number.POSITIVE_INFINITY ? 0 : Math.floor(Math.random() * this.#taken.length);
    for (const { order, at } of this.#taken.slice(first, first + most))
      for (const [number, { asked }] of this.#sidecars.entries()) {
        const answer = asked(order);
        if (answer !== null) {
          if (answer !== order.id) this.refusals++;
          continue;
        }
        const age = Date.now() - at;
        if (age <= this.#maxStaleMs) continue;
        this.forbidden++;
        this.faults.push(
          `${this.#name}: sidecar ${number} let ${order.id} pass ${age} ms after its order was answered`,
        );
      }
  }
}
