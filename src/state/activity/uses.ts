import { setImmediate } from 'node:timers/promises';
import { workloadText } from './entry.ts';
import { type LastUse, type LiveTask, MAX_TASKS } from './model.ts';

/** How much later a use is reported again, in milliseconds: the last use of a workload lies behind by no more. */
const REPORT_MS = 60_000;
/** Of the allows of one workload at most one is kept in so many milliseconds. */
const KEPT_MS = 1000;
/** Kinds of credentials of one workload; there are fewer. */
const MAX_CREDENTIALS = 8;
/** How many names are looked at before others run. */
const LOOKED_AT = 2000;
/** How many uses one sweep looks at. */
const SWEPT = 1000;

/** What is known of one workload. */
export interface KnownUse extends LastUse {
  owner: string | null;
  lastMs: number;
  readonly credentials: string[];
  tasks: LiveTask[];
  /** Allows until one is kept, and when the last one was. */
  allowsLeft: number;
  keptMs: number;
  /** When it was moved to the end of the order, and reported. */
  movedMs: number;
}

/** A verified task, as far as it matters here. `expiresAt`: seconds since the epoch. */
export interface SeenTask {
  readonly issuer: string;
  readonly id: string;
  readonly expiresAt: number;
}

export interface UsesOptions {
  readonly workloads: number;
  readonly oneAllowIn: number;
  /** Called for each use that is new in some way, and for others once a minute. */
  readonly onUse?: ((use: KnownUse) => void) | undefined;
  /** Called where a live task is not noted, because too many are. */
  readonly onTaskOmitted?: () => void;
}

/**
 * The last use of each workload that was seen in this process, of so many workloads: those that were used last. What it
 * costs a check is one look-up; nothing is made unless something is new.
 */
export class Uses {
  readonly #options: UsesOptions;
  /** In the order of their last use, to the minute. */
  readonly #uses = new Map<string, KnownUse>();
  readonly #maxTasks: number;
  #taskCount = 0;
  #sweep: Iterator<KnownUse> | null = null;

  constructor(options: UsesOptions) {
    this.#options = options;
    this.#maxTasks = 2 * options.workloads;
  }

  get size(): number {
    return this.#uses.size;
  }

  /** A workload was proven as the caller of a request. `nowMs`: milliseconds since the epoch. */
  seen(workload: string, owner: string, credential: string, nowMs: number): KnownUse {
    const name = workloadText(workload);
    const use = this.#uses.get(name) ?? this.#begin(name);
    use.owner = owner;
    use.lastMs = nowMs;
    let changed = false;
    if (!use.credentials.includes(credential) && use.credentials.length < MAX_CREDENTIALS) {
      use.credentials.push(credential);
      changed = true;
    }
    if (Math.abs(nowMs - use.movedMs) >= REPORT_MS) {
      use.movedMs = nowMs;
      this.#uses.delete(use.workload);
      this.#uses.set(use.workload, use);
      changed = true;
    }
    if (changed) this.#options.onUse?.(use);
    return use;
  }

  /** Whether this allow of the workload is one that is kept: the first, and then one in so many, at most one a second. */
  keepsAllow(use: KnownUse): boolean {
    if (use.allowsLeft > 0) {
      use.allowsLeft--;
      return false;
    }
    if (Math.abs(use.lastMs - use.keptMs) < KEPT_MS) return false;
    use.allowsLeft = this.#options.oneAllowIn - 1;
    use.keptMs = use.lastMs;
    return true;
  }

  /** A permitted request of the workload had this task. */
  noteTask(use: KnownUse, { issuer, id, expiresAt }: SeenTask): void {
    const untilMs = expiresAt * 1000;
    const at = use.tasks.findIndex((task) => task.id === id && task.issuer === issuer);
    if (at !== -1 && use.tasks[at]!.untilMs >= untilMs) return;
    if (untilMs <= use.lastMs) return;
    const task = { issuer: flat(issuer), id: flat(id), untilMs };
    if (at !== -1) use.tasks[at] = task;
    else if (!this.#add(use, task)) return;
    this.#options.onUse?.(use);
  }

  get(workload: string): KnownUse | null {
    return this.#uses.get(workloadText(workload)) ?? null;
  }

  /** At most `count` names behind this one, in their order. Looks through all of them, and lets others run meanwhile. */
  async namesBehind(name: string, count: number): Promise<readonly string[]> {
    const first: string[] = [];
    let looked = 0;
    for (const other of this.#uses.keys()) {
      if (++looked % LOOKED_AT === 0) await setImmediate();
      if (other <= name || (first.length === count && other >= first.at(-1)!)) continue;
      let [low, high] = [0, first.length];
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (first[middle]! < other) low = middle + 1;
        else high = middle;
      }
      // One that is used meanwhile moves to the end, and comes twice.
      if (first[low] === other) continue;
      first.splice(low, 0, other);
      if (first.length > count) first.pop();
    }
    return first;
  }

  /** Drops tasks that have ended, of some uses at a time. */
  sweep(nowMs: number): void {
    this.#sweep ??= this.#uses.values();
    for (let n = 0; n < SWEPT; n++) {
      const { value, done } = this.#sweep.next();
      if (done === true) {
        this.#sweep = null;
        return;
      }
      this.#dropEnded(value, nowMs);
    }
  }

  #begin(name: string): KnownUse {
    const use: KnownUse = {
      workload: flat(name),
      owner: null,
      lastMs: 0,
      credentials: [],
      tasks: [],
      allowsLeft: 0,
      keptMs: Number.NEGATIVE_INFINITY,
      movedMs: Number.NEGATIVE_INFINITY,
    };
    if (this.#uses.size >= this.#options.workloads) {
      for (const oldest of this.#uses.values()) {
        this.#taskCount -= oldest.tasks.length;
        this.#uses.delete(oldest.workload);
        break;
      }
    }
    this.#uses.set(use.workload, use);
    return use;
  }

  #add(use: KnownUse, task: LiveTask): boolean {
    this.#dropEnded(use, use.lastMs);
    if (use.tasks.length >= MAX_TASKS) {
      const first = use.tasks.reduce((one, other) => (other.untilMs < one.untilMs ? other : one));
      if (first.untilMs >= task.untilMs) return false;
      use.tasks[use.tasks.indexOf(first)] = task;
      return true;
    }
    if (this.#taskCount >= this.#maxTasks) {
      this.#options.onTaskOmitted?.();
      return false;
    }
    this.#taskCount++;
    use.tasks.push(task);
    return true;
  }

  #dropEnded(use: KnownUse, nowMs: number): void {
    const before = use.tasks.length;
    if (before === 0) return;
    use.tasks = use.tasks.filter(({ untilMs }) => untilMs > nowMs);
    this.#taskCount -= before - use.tasks.length;
  }
}

/** The text in memory of its own: a part of a long text keeps all of it alive. */
const flat = (text: string): string => Buffer.from(text).toString();
