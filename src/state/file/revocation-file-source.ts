import { hash } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { inSlices, type Steps } from '../../base/slices.ts';
import { withPath } from '../../source/explain.ts';
import { formatProblem } from '../../source/problem.ts';
import { Refresher } from '../../source/refresher.ts';
import { type RevocableNames, unknownName } from '../revocation-names.ts';
import { type RevocationFile, readRevocationFile } from './revocation-file.ts';
import { type RevocationChange, RevocationSet } from './revocation-set.ts';
import { REVOCATION_LINES } from './revocation-yaml.ts';

/** How often the file is read whatever the watcher reports. */
const REFRESH_MS = 10_000;
const LEAST_MS = 200;

/** Who is told of the reads of the file. */
export interface RevocationFileListener {
  /** Told of changes before they apply, in steps. */
  readonly onChange: (change: RevocationChange) => Steps<void>;
  /** Told after each read whether anything applies yet, and the faults. */
  readonly onRead: (applies: boolean, problems: readonly string[]) => void;
}

/** The revocations of a file, which is watched with the one that it names. */
export class RevocationFileSource {
  readonly #file: string;
  readonly #clock: Clock;
  readonly #listener: RevocationFileListener;
  readonly #refresher: Refresher<RevocationFile>;
  readonly #watchers: (() => void)[] = [];
  #applying: RevocationSet | null = null;
  #next: RevocationSet | null = null;
  #revision = '';
  #problems: readonly string[] = [];

  private constructor(file: string, clock: Clock, listener: RevocationFileListener) {
    this.#file = file;
    this.#clock = clock;
    this.#listener = listener;
    this.#refresher = new Refresher<RevocationFile>({
      clock,
      files: [file, join(dirname(file), REVOCATION_LINES)],
      maxStaleMs: Number.MAX_SAFE_INTEGER,
      leastMs: LEAST_MS,
      refreshMs: () => REFRESH_MS,
      read: (signal, last) => this.#read(signal, last),
      onRead: (read) => this.#apply(read),
    });
  }

  /** Reads the file once, and goes on reading it. */
  static async start(file: string, clock: Clock, listener: RevocationFileListener): Promise<RevocationFileSource> {
    const source = new RevocationFileSource(file, clock, listener);
    await source.#refresher.refresh();
    return source;
  }

  /** What applies now; null while the file could not be read once. */
  get applying(): RevocationSet | null {
    return this.#applying;
  }

  /** Names what applies: another text after each change, and the same wherever the same was read. */
  get revision(): string {
    return this.#revision;
  }

  /** What is wrong with the file as it is now, one line each: it is not, or not alone, what applies. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** Teams, issuers and trust domains of the file that nobody has, one line each: their revocations hit nothing. */
  unknown(known: RevocableNames): readonly string[] {
    return (this.#refresher.last?.names ?? []).flatMap((name) => {
      const message = unknownName(name, known);
      return message === null ? [] : [formatProblem({ ...name.place, message: withPath(name.path, message) })];
    });
  }

  /** Why nothing applies yet; null: something does. */
  get unread(): string | null {
    return this.#applying === null ? `the revocations in ${this.#file} could not be read` : null;
  }

  /** Tells of each change of what applies. */
  onChange(watcher: () => void): void {
    this.#watchers.push(watcher);
  }

  stop(): Promise<void> {
    return this.#refresher.stop();
  }

  async #read(signal: AbortSignal, last: RevocationFile | null): Promise<RevocationFile | Fault> {
    const read = await readRevocationFile(this.#file, signal, last);
    // A look at an unchanged file changes nothing: retries of checks between two looks are no second uses.
    const same = read instanceof Fault || read.revocations === last?.revocations;
    this.#next = same ? this.#applying : await inSlices(this.#after(read));
    return read;
  }

  #apply(read: RevocationFile | Fault): void {
    this.#problems = read instanceof Fault ? [read.detail] : read.problems;
    const changes = this.#next !== this.#applying;
    if (changes && !(read instanceof Fault)) {
      const before = this.#problems.length === 0 ? '' : this.#revision;
      this.#revision = hash('sha256', JSON.stringify([before, read.text, read.lines?.digest ?? null]), 'base64url');
    }
    this.#applying = this.#next;
    this.#listener.onRead(this.#applying !== null, this.#problems);
    if (changes) for (const watcher of this.#watchers) watcher();
  }

  /**
   * What applies after a read. Nothing is lifted by a file that has a fault; at the start it must have none, since nobody
   * knows what the entry that cannot be read would have refused.
   */
  *#after({ revocations, problems }: RevocationFile): Steps<RevocationSet | null> {
    const before = this.#applying;
    if (before === null && problems.length > 0) return null;
    const now = before !== null && problems.length > 0 ? yield* before.with(revocations) : revocations;
    const change = yield* now.since(before ?? new RevocationSet(), this.#clock.now());
    const { added, changed, lifted } = change;
    if (before === null || added.length + changed.length + lifted.length > 0) yield* this.#listener.onChange(change);
    return now;
  }
}
