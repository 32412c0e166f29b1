import { randomBytes } from 'node:crypto';
import { messageOf } from '../base/fault.ts';
import { digest, placed } from './line.ts';
import type { AuditBody } from './record.ts';
import type { AuditSink, Tail } from './sink.ts';
import { plainJson } from './text.ts';

/** The line that was written for a record. */
export interface Written {
  readonly seq: number;
  /** `sha256:` and the hex digest of the line: whoever keeps it elsewhere can show that the line was there. */
  readonly hash: string;
}

/** A record on its way to a sink. */
export interface Pending {
  /** The line, once the sink has it; null when it could not be written. Never rejects. */
  readonly done: Promise<Written | null>;
  /** Takes the record back; false when its line was begun already. */
  cancel(): boolean;
}

export interface ChainOptions {
  readonly sink: AuditSink;
  /** Records that may wait. */
  readonly queue: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Facts for the first line of a boot, such as the version. */
  readonly start: Readonly<Record<string, string | readonly string[]>>;
  /** Told how many records became lines, or did not; `cause` says why not, once for each run of failures of one cause. */
  readonly report: (sink: string, result: 'written' | 'failed', records: number, cause: string | null) => void;
}

interface Entry {
  readonly body: AuditBody;
  readonly resolve: (written: Written | null) => void;
  /** It counts as a record; notes of the chain itself do not. */
  readonly record: boolean;
}

interface State {
  readonly boot: string;
  seq: number;
  head: string | null;
}

/** Lines of one write: enough for any load, and a bound on what one failed write can lose. */
const MAX_BATCH = 512;
/** Characters of one write, but for a single long record: they are hashed in one turn. */
const MAX_BATCH_CHARS = 1024 * 1024;
/** Characters of all records that wait: few long ones count like many short ones. */
const MAX_QUEUE_CHARS = 32 * 1024 * 1024;
/** How soon after a line it is looked whether its file was moved away, in milliseconds. */
const ROTATION_LOOK_MS = 250;

/**
 * The hash chain of one sink. All records that wait are written with one write; a failed write loses its records, and the
 * chain begins again behind whatever the sink holds then. What was lost is counted by a line of its own.
 */
export class AuditChain {
  readonly #options: ChainOptions;
  #queue: Entry[] = [];
  #queuedChars = 0;
  #state: State | null = null;
  #lost = 0;
  #cause: string | null = null;
  #flushing: Promise<void> | null = null;
  #reopen = false;
  #look: NodeJS.Timeout | null = null;

  private constructor(options: ChainOptions) {
    this.#options = options;
  }

  /** Opens the sink and writes the first line. Throws when that fails: a sidecar that cannot record does not start. */
  static async start(options: ChainOptions): Promise<AuditChain> {
    const chain = new AuditChain(options);
    await chain.#begin(await options.sink.open());
    return chain;
  }

  /** The name of its sink. */
  get sink(): string {
    return this.#options.sink.name;
  }

  /** Lines that wait for the sink. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Queues a record; a full queue refuses it at once. */
  append(body: AuditBody): Pending {
    const { promise, resolve } = Promise.withResolvers<Written | null>();
    const entry: Entry = { body, resolve, record: true };
    const full = this.#queue.length >= this.#options.queue || this.#queuedChars + body.json.length > MAX_QUEUE_CHARS;
    if (full) this.#drop([entry], 'the queue is full');
    else this.#push(entry);
    return { done: promise, cancel: () => this.#cancel(entry) };
  }

  /** Queues a line of our own, such as the withdrawal of an earlier one. */
  note(time: number, decision: string, content: Readonly<Record<string, unknown>>): void {
    const json = plainJson({ ...content, decision });
    this.#push({ body: { time, decision, json }, resolve: () => {}, record: false });
  }

  /** Follows a rotation now, behind the lines that are being written. */
  reopen(): void {
    this.#reopen = true;
    this.#flushing ??= this.#flush();
  }

  /** Writes what waits, and closes the sink. */
  async close(): Promise<void> {
    while (this.#flushing !== null) await this.#flushing;
    if (this.#look !== null) clearTimeout(this.#look);
    await this.#options.sink.close();
  }

  #push(entry: Entry): void {
    this.#queue.push(entry);
    this.#queuedChars += entry.body.json.length;
    this.#flushing ??= this.#flush();
  }

  #cancel(entry: Entry): boolean {
    const at = this.#queue.indexOf(entry);
    if (at === -1) return false;
    this.#queue.splice(at, 1);
    this.#queuedChars -= entry.body.json.length;
    entry.resolve(null);
    return true;
  }

  #drop(entries: readonly Entry[], cause: string): void {
    const records = entries.filter((entry) => entry.record).length;
    this.#lost += records;
    if (records > 0) {
      this.#options.report(this.#options.sink.name, 'failed', records, cause === this.#cause ? null : cause);
      this.#cause = cause;
    }
    for (const entry of entries) entry.resolve(null);
  }

  async #flush(): Promise<void> {
    // One turn of the event loop, so that all checks that ended in it share the write.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.#queue.length > 0 || this.#reopen) {
      if (this.#queue.length > 0) await this.#writeBatch(this.#nextBatch());
      if (this.#reopen) await this.#followRotation();
    }
    // In the same turn as the look at the queue: what is pushed from now on begins a flush of its own.
    this.#flushing = null;
  }

  async #writeBatch(batch: readonly Entry[]): Promise<void> {
    try {
      await this.#write(batch);
    } catch (error) {
      this.#state = null;
      this.#drop(batch, messageOf(error));
    }
    // Not after each batch: a look costs as much as a line.
    this.#look ??= setTimeout(() => {
      this.#look = null;
      this.reopen();
    }, ROTATION_LOOK_MS).unref();
  }

  #nextBatch(): readonly Entry[] {
    let [count, chars] = [0, 0];
    for (const { body } of this.#queue.slice(0, MAX_BATCH)) {
      if (count > 0 && chars + body.json.length > MAX_BATCH_CHARS) break;
      count++;
      chars += body.json.length;
    }
    this.#queuedChars -= chars;
    return this.#queue.splice(0, count);
  }

  async #write(batch: readonly Entry[]): Promise<void> {
    const { sink, now, report } = this.#options;
    const state = this.#state ?? (await this.#begin(await sink.open()));
    const lines: string[] = [];
    const lost = this.#lost;
    if (lost > 0) lines.push(next(state, now(), plainJson({ event: 'lost', records: lost })));
    const written = batch.map(({ body }): Written => {
      lines.push(next(state, body.time, body.json));
      return { seq: state.seq, hash: state.head! };
    });
    await sink.append(`${lines.join('\n')}\n`);
    this.#lost -= lost;
    this.#cause = null;
    const records = batch.filter((entry) => entry.record).length;
    if (records > 0) report(sink.name, 'written', records, null);
    for (const [at, entry] of batch.entries()) entry.resolve(written[at]!);
  }

  /** After the file was moved away, the new one goes on with the same chain, unless it holds another one already. */
  async #followRotation(): Promise<void> {
    const { sink } = this.#options;
    this.#reopen = false;
    try {
      const tail = await sink.rotated();
      if (tail !== null && (tail.last !== null || tail.torn !== null)) await this.#begin(tail);
    } catch {
      // What was written is written; the next batch opens the sink again and reports what is wrong.
      this.#state = null;
    }
  }

  async #begin(tail: Tail): Promise<State> {
    const { sink, now, start } = this.#options;
    const state: State = { boot: randomBytes(16).toString('hex'), seq: 0, head: tail.last?.digest ?? null };
    const last = tail.last === null ? null : { boot: tail.last.boot, seq: tail.last.seq };
    const line = next(state, now(), plainJson({ event: 'boot', last, torn: tail.torn, ...start }));
    await sink.append(`${tail.open ? '\n' : ''}${line}\n`);
    this.#state = state;
    return state;
  }
}

/** The next line of the chain; moves its state on. */
function next(state: State, time: number, json: string): string {
  state.seq += 1;
  const line = placed(time, { boot: state.boot, seq: state.seq, prev: state.head }, json);
  state.head = digest(line);
  return line;
}
