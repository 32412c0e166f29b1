import type { FSWatcher } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Fault } from '../base/fault.ts';
import { decodeUtf8 } from '../base/strict-json.ts';
import { watchFile } from '../source/watch-file.ts';
import { TrustBundle } from './bundle.ts';
import { parseBundleFile } from './bundle-document.ts';
import type { BundleSink, BundleSource } from './bundle-source.ts';

const MAX_BYTES = 4 * 1024 * 1024;
/** One change of a folder makes several events; they become one read. */
const SETTLE_MS = 50;
/** How often the file is read whatever the watcher says, until a document states a refresh hint. */
const DEFAULT_POLL_MS = 60_000;
const MIN_POLL_MS = 1000;

export interface BundleFileOptions {
  readonly trustDomain: string;
  readonly file: string;
  /** Milliseconds: the file is read again at least three times within this, so that it does not grow stale untouched. */
  readonly maxStaleMs: number;
}

/**
 * A bundle file: read at the start, whenever it may have changed, and from time to time.
 */
export class BundleFile implements BundleSource {
  readonly #trustDomain: string;
  readonly #file: string;
  readonly #maxStaleMs: number;
  #sink: BundleSink | null = null;
  #watcher: FSWatcher | null = null;
  #settle: NodeJS.Timeout | null = null;
  #poll: NodeJS.Timeout | undefined;
  #reading: Promise<void> | null = null;
  #changedMeanwhile = false;
  #pollMs: number;

  constructor({ trustDomain, file, maxStaleMs }: BundleFileOptions) {
    this.#trustDomain = trustDomain;
    this.#file = file;
    this.#maxStaleMs = maxStaleMs;
    this.#pollMs = this.#pollFor(DEFAULT_POLL_MS);
  }

  async start(sink: BundleSink): Promise<void> {
    this.#sink = sink;
    this.#watch();
    await this.reload();
  }

  stop(): void {
    this.#sink = null;
    this.#watcher?.close();
    this.#watcher = null;
    clearTimeout(this.#poll);
    if (this.#settle !== null) clearTimeout(this.#settle);
    this.#settle = null;
  }

  /** Reads the file now; when a read is under way, once more after it. Resolves when what it asked for was delivered. */
  async reload(): Promise<void> {
    this.#changedMeanwhile = true;
    this.#reading ??= this.#readUntilSettled();
    await this.#reading;
  }

  async #readUntilSettled(): Promise<void> {
    try {
      while (this.#changedMeanwhile) {
        this.#changedMeanwhile = false;
        this.#deliver(await this.#read());
      }
    } finally {
      this.#reading = null;
      this.#pollLater();
    }
  }

  async #read(): Promise<TrustBundle | null | Fault> {
    let bytes: Uint8Array;
    try {
      bytes = await readFile(this.#file);
    } catch (error) {
      return new Fault(error instanceof Error ? error.message : String(error));
    }
    if (bytes.length > MAX_BYTES) return new Fault(`longer than ${MAX_BYTES} bytes`);
    const text = decodeUtf8(bytes);
    if (text instanceof Fault) return text;
    const content = parseBundleFile(this.#trustDomain, text);
    if (content === null || content instanceof Fault) return content;
    this.#pollMs = this.#pollFor(content.refreshSeconds * 1000);
    return new TrustBundle(this.#trustDomain, content);
  }

  #deliver(read: TrustBundle | null | Fault): void {
    if (read instanceof Fault) this.#sink?.reject(this.#trustDomain, `${this.#file}: ${read.detail}`);
    else this.#sink?.accept(this.#trustDomain, read);
  }

  /** A folder that was itself replaced has lost its watcher, so that each poll watches anew. */
  #watch(): void {
    this.#watcher?.close();
    // Without a folder, reading the file says so.
    this.#watcher = watchFile(this.#file, () => this.#readSoon());
  }

  /** Not put off by further events, so that a busy folder delays no update. */
  #readSoon(): void {
    if (this.#sink === null) return;
    this.#settle ??= setTimeout(() => {
      this.#settle = null;
      void this.reload();
    }, SETTLE_MS).unref();
  }

  #pollLater(): void {
    clearTimeout(this.#poll);
    if (this.#sink === null) return;
    this.#poll = setTimeout(() => {
      this.#watch();
      void this.reload();
    }, this.#pollMs).unref();
  }

  #pollFor(wantedMs: number): number {
    return Math.max(MIN_POLL_MS, Math.min(wantedMs, this.#maxStaleMs / 3));
  }
}
