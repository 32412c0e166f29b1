import { Fault } from '../../base/fault.ts';
import type { OrderResult } from '../revocation-book.ts';
import { Link, type Reply } from './link.ts';
import { type Endpoint, type StoreOptions, textOf } from './options.ts';
import type { Head } from './record-queries.ts';
import type { Script } from './scripts.ts';

/** How long the server may take for one order, and the replicas to have it. No check waits for either. */
const ORDER_MS = 2000;
const REPLICAS_MS = 1000;

interface WriterParts {
  readonly options: StoreOptions;
  readonly primary: () => Endpoint | null;
  readonly keys: readonly string[];
  readonly feed: { readonly history: string | null; readonly head: Head | null; readonly fault: string };
}

/** Why a script wrote nothing, or may have written nothing. */
export type Unwritten = Extract<OrderResult, { readonly result: 'full' | 'unavailable' }>;

/** What was written, and who has it. */
type Confirmed = Extract<OrderResult, { readonly atMs: number }>;

/** What a script answered, and on which connection. */
export interface WriterReply {
  readonly link: Link;
  readonly words: readonly string[];
}

/**
 * Writes orders, on a connection of its own: that of the feed waits for changes, and those of claims must not wait for orders.
 * It writes only into the history that the feed follows.
 */
export class StoreWriter {
  readonly #parts: WriterParts;
  #link: Link | null = null;
  #opening: Promise<Link | Fault> | null = null;
  #closed = false;

  constructor(parts: WriterParts) {
    this.#parts = parts;
  }

  /** Runs one of the scripts that change something; gives why it was not taken, or may not have been. Never rejects. */
  async write(script: Script, args: readonly string[]): Promise<WriterReply | Unwritten> {
    const { feed, keys } = this.#parts;
    const { history } = feed;
    if (history === null) return unavailable(`the store is not reached: ${feed.fault}`);
    const link = await this.#open();
    if (link instanceof Fault) return unavailable(link.detail);
    const reply = await link.run(script, keys, [history, ...args], ORDER_MS);
    if (!(reply instanceof Fault)) return { link, words: wordsOf(reply) };
    // The connection may be dead without a word.
    link.close(reply.detail);
    if (reply.detail.startsWith('OOM')) return { result: 'full', detail: `the store is full: ${reply.detail}` };
    return unavailable(`${reply.detail}; it may have been taken, and may be ordered again`);
  }

  /** Counts the replicas that have what was written: it is unavailable where they are fewer than they must be. */
  async confirmed(link: Link, result: 'stored' | 'unchanged', atMs: number): Promise<Confirmed | Unwritten> {
    const { options, feed } = this.#parts;
    const asked = Math.max(options.replicas, feed.head?.replicas ?? 0);
    if (asked === 0) return { result, atMs, replicas: 0, covers: 'store' };
    const reply = await link.call(['WAIT', String(asked), String(REPLICAS_MS)], REPLICAS_MS + ORDER_MS);
    if (reply instanceof Fault) return unavailable(`${reply.detail}; the primary has it`);
    const replicas = Number(reply);
    if (replicas < options.replicas)
      return unavailable(`${replicas} of ${options.replicas} replicas have it, and the primary`);
    return { result, atMs, replicas, covers: 'store' };
  }

  close(): void {
    this.#closed = true;
    this.#link?.close();
  }

  async #open(): Promise<Link | Fault> {
    const { primary, options } = this.#parts;
    const endpoint = primary();
    if (endpoint === null) return new Fault('nobody knows where the store is');
    const open = this.#link;
    if (open !== null && open.lost === null && textOf(open.endpoint) === textOf(endpoint)) return open;
    open?.close();
    this.#opening ??= Link.open({ ...options, endpoint, timeoutMs: ORDER_MS }).then((link) => {
      this.#opening = null;
      if (link instanceof Fault) return link;
      this.#link = link;
      if (this.#closed) link.close();
      return link;
    });
    return this.#opening;
  }
}

const wordsOf = (reply: Reply): readonly string[] =>
  Array.isArray(reply) ? (reply as readonly Reply[]).map(String) : [];

export const unavailable = (detail: string): Unwritten => ({ result: 'unavailable', detail });

/** What a script answered instead of taking an order. `full`: what there is no room beside. */
export function unwritten(word: string | undefined, full: string): Unwritten {
  if (word === 'full') return { result: 'full', detail: `the store holds ${full}` };
  if (word === 'skew') return unavailable('the clock here is ahead of that of the store; set both clocks');
  if (word === 'history') return unavailable('the store began a new history; order it again');
  return unavailable('the store answered with something else');
}
