import { EventEmitter } from 'node:events';
import { basename } from 'node:path';
import { messageOf } from '../../base/fault.ts';
import type { Inventory } from '../../inventory/inventory.ts';
import { FolderLooks } from '../../source/folder-looks.ts';
import { formatProblem, type Problem, problemAtStart } from '../../source/problem.ts';
import type { Engine } from '../decide/engine.ts';
import type { Snapshot } from '../decide/snapshot.ts';
import { type PolicySettings, type Sources, settingsAt } from '../text/sources.ts';
import { installInTurns, type Loaded, loadSnapshot, type Rejection, validateApart } from './load.ts';
import { type PolicyPaths, type Reading, readParts, WORKLOADS } from './read.ts';
import { fingerprint, SETTLE_MS, settledReading } from './settled.ts';
import { decideAlike, type Judged, judgeByTeam } from './teams.ts';

export interface HolderOptions {
  readonly paths: PolicyPaths;
  readonly settings: PolicySettings;
  readonly engine: Engine;
  /** Milliseconds since the epoch: decides which disabled guardrails hold again. */
  readonly clock: () => number;
  /** Milliseconds between two looks at the files where no watcher reports; default 5 s. */
  readonly pollMs?: number;
}

/** What is served, and how the last attempt to load went. Times are milliseconds since the epoch. */
export interface HolderStatus {
  readonly revision: string | null;
  readonly loadedAt: number | null;
  /** What is wrong with the files as they stand now; empty when they are served. */
  readonly problems: readonly Problem[];
  /** Teams whose folder is not served as it is; `problems` say why. */
  readonly heldBack: readonly string[];
  readonly warnings: readonly Problem[];
  readonly lastAttemptAt: number | null;
}

/** Told after each attempt to load what the files hold now. */
export interface HolderEvents {
  loaded: [snapshot: Snapshot<Inventory>];
  refused: [problems: readonly Problem[]];
}

/** So often is judged anew what changed while it was judged; what never rests so long is reported. */
const MAX_ROUNDS = 5;
const POLL_MS = 5000;
/** What stands for the files until the next look, when they are to be loaded though they did not change. */
const TRY_AGAIN = 'to be tried again';
/** Our kinds of files, and whatever may be a folder. */
const OURS = /\.(cedar|cedarschema|ya?ml)$|^[^.]+$/;

/**
 * Keeps the snapshot that the files hold: loads it at the start, watches the folders for changes, and swaps in what passed.
 * What did not pass is reported, and the last good snapshot stays. Whole directories are watched (a ConfigMap swaps a
 * symlink in them, editors rename), and looked at from time to time where no event comes.
 */
export class SnapshotHolder {
  readonly events = new EventEmitter<HolderEvents>();
  readonly #options: HolderOptions;
  readonly #looks: FolderLooks;
  #held: { readonly snapshot: Snapshot<Inventory>; readonly sources: Sources } | null = null;
  #seen = '';
  #status: HolderStatus = {
    revision: null,
    loadedAt: null,
    problems: [],
    heldBack: [],
    warnings: [],
    lastAttemptAt: null,
  };
  #unsettled = false;
  #closed = false;

  private constructor(options: HolderOptions) {
    this.#options = options;
    this.#looks = new FolderLooks({
      look: () => this.#look(),
      pollMs: options.pollMs ?? POLL_MS,
      leastMs: SETTLE_MS,
      concerns: (name) => this.#concerns(name),
    });
  }

  /** Resolves after the first attempt to load; `status` tells whether it succeeded. */
  static async open(options: HolderOptions): Promise<SnapshotHolder> {
    const holder = new SnapshotHolder(options);
    await holder.refresh();
    return holder;
  }

  /** The snapshot that new checks get, or null while none could be loaded. A check takes one and keeps it to its end. */
  current(): Snapshot<Inventory> | null {
    return this.#held?.snapshot ?? null;
  }

  /** What the current snapshot was made of; null where there is none. */
  sources(): Sources | null {
    return this.#held?.sources ?? null;
  }

  status(): HolderStatus {
    if (!this.#unsettled) return this.#status;
    return { ...this.#status, problems: [...this.#status.problems, UNSETTLED] };
  }

  /** Looks at the files now; resolves when what they hold was served or refused. */
  async refresh(): Promise<void> {
    await this.#looks.refresh();
  }

  /** Ends the watching. The current snapshot stays usable. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#looks.close();
  }

  async #look(): Promise<void> {
    try {
      await this.#loadFiles();
      await this.#bindExpired();
    } catch (error) {
      // Nothing throws here but a bug, and a bug must not end the process: it keeps the last good snapshot.
      this.#seen = TRY_AGAIN;
      const message = messageOf(error);
      this.#status = { ...this.#status, problems: [problemAtStart('policies', `could not be loaded: ${message}`)] };
    }
  }

  /**
   * Judges what the files hold, and installs it only where they hold it still: judging takes long, and a writer may have been
   * in the middle of its files all the while.
   */
  async #loadFiles(): Promise<void> {
    let judged: Judged | Rejection | null = null;
    let of = '';
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const reading = await settledReading(() => this.#read(), this.#seen);
      if (this.#closed) return;
      if (reading === null) break;
      const seen = fingerprint(reading);
      if (seen === this.#seen) {
        this.#unsettled = false;
        return;
      }
      if (judged === null || of !== seen) [judged, of] = [await this.#judge(reading), seen];
      if (this.#closed) return;
      const { stamp } = await this.#read();
      if (this.#closed) return;
      if (stamp !== reading.stamp) continue;
      this.#unsettled = false;
      this.#seen = 'problems' in judged && judged.transient ? TRY_AGAIN : seen;
      if ('problems' in judged) this.#refuse(judged.problems);
      else await this.#serve(judged, reading.notes);
      return;
    }
    this.#sayUnsettled();
  }

  async #judge({ sources, unread }: Reading): Promise<Judged | Rejection> {
    if (Array.isArray(sources)) {
      return { problems: [...sources, ...[...unread.values()].flat()], transient: false };
    }
    const held = this.#held?.sources ?? null;
    const read = held?.workloads?.stamp === sources.workloads?.stamp ? held?.workloads : sources.workloads;
    return judgeByTeam({ ...sources, workloads: read }, unread, held, validateApart);
  }

  async #serve({ sources, validated, heldBack }: Judged, notes: readonly Problem[]): Promise<void> {
    const problems = [...heldBack.values()].flat();
    const teams = [...heldBack.keys()];
    if (teams.length > 0 && this.#held !== null && decideAlike(sources, this.#held.sources)) {
      this.#refuse(problems, teams);
      return;
    }
    const loaded = await installInTurns(this.#options.engine, sources, validated);
    if (this.#closed) return;
    if ('problems' in loaded) {
      this.#seen = TRY_AGAIN;
      this.#refuse(loaded.problems);
    } else this.#install({ ...loaded, warnings: [...loaded.warnings, ...notes] }, sources, problems, teams);
  }

  /**
   * A guardrail whose time is over holds again, also where what the files hold now is not served: the last good sources
   * are loaded with it. Without their tests, which may rest on what was disabled. The report on the files stays.
   */
  async #bindExpired(): Promise<void> {
    const held = this.#held;
    if (held === null || this.#closed) return;
    const settings = settingsAt(held.sources.settings, this.#options.clock());
    if (settings.disabledGuardrails.length === held.sources.settings.disabledGuardrails.length) return;
    const { problems } = this.#status;
    const sources = { ...held.sources, tests: [], settings };
    const loaded = await loadSnapshot(this.#options.engine, sources);
    if (!('problems' in loaded)) return this.#install(loaded, sources, problems, this.#status.heldBack);
    // Tried again with each look: what was said of it then is not said twice.
    const said = new Set(problems.map(formatProblem));
    this.#refuse([...problems, ...loaded.problems.filter((problem) => !said.has(formatProblem(problem)))]);
  }

  #sayUnsettled(): void {
    if (this.#unsettled) return;
    this.#unsettled = true;
    this.events.emit('refused', [UNSETTLED]);
  }

  async #read(): Promise<Reading> {
    const { paths, settings, clock } = this.#options;
    const reading = await readParts(paths, settingsAt(settings, clock()));
    if (!this.#closed) this.#looks.follow(reading.directories);
    return reading;
  }

  /** Whether a change of this name may be one of ours: an audit log that grows in the same folder is none. */
  #concerns(name: string): boolean {
    return (
      name === basename(this.#options.paths.inventory) || name === WORKLOADS || name.startsWith('..') || OURS.test(name)
    );
  }

  #install(loaded: Loaded, sources: Sources, problems: readonly Problem[], heldBack: readonly string[]): void {
    const now = this.#options.clock();
    this.#held = { snapshot: loaded.snapshot, sources };
    this.#status = {
      revision: loaded.snapshot.revision,
      loadedAt: now,
      lastAttemptAt: now,
      problems,
      heldBack,
      warnings: loaded.warnings,
    };
    this.events.emit('loaded', loaded.snapshot);
  }

  #refuse(problems: readonly Problem[], heldBack = this.#status.heldBack): void {
    this.#status = { ...this.#status, problems, heldBack, lastAttemptAt: this.#options.clock() };
    this.events.emit('refused', problems);
  }
}

const UNSETTLED = problemAtStart(
  'policies',
  'the files keep changing; they are served when two looks in a row find the same',
);
