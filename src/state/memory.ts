import { Fault } from '../base/fault.ts';
import { Entries } from './bounded/entries.ts';
import type { StateLoad } from './bounded/load.ts';
import { MAX_ACCOUNTS, misfitOf, type Touch, type TouchedRecord } from './bounded/touched.ts';
import { TouchedTable } from './bounded/touched-table.ts';
import {
  type Claim,
  type ClaimResult,
  type Count,
  checkOf,
  type History,
  MAX_COUNTS,
  markOf,
  misfit,
  type State,
  type Use,
} from './model.ts';

const SECOND = 1000;
/** Counts end with their task, which may live for days. */
const COUNT_SLOT_MS = 600 * SECOND;
/** The most that one claim forgets, which is far more than it adds. */
const MAX_DROPS = 1000;

/** The first use of a key, for as long as Envoy may ask again. */
interface FirstUse {
  /** Digest of all that makes two Checks the same one. */
  readonly check: string;
  readonly deadline: number;
}

/** How often a member of a count was used. */
interface Uses {
  readonly key: string;
  uses: number;
}

type Counted = Claim & { readonly count: Count };

/**
 * The state of one process. It remembers each key until the end of its window, and never drops one earlier: when it is
 * full, it refuses. One caller may take no more than half of what all others leave, so that none can fill it alone. What
 * is remembered ends with the process, so single use holds for one sidecar from start to stop.
 */
export class MemoryState implements State {
  readonly #history: History;
  /** What is used, in windows that have not ended, and by which caller. */
  readonly #used: Entries;
  /** The Checks that used it, for as long as Envoy may ask again. */
  readonly #uses = new Map<string, FirstUse>();
  /** What a retry lives by too, so that it is not given back. */
  readonly #shared = new Set<string>();
  /** Counts and their members, and how often each was used. */
  readonly #counted: Entries;
  readonly #counts = new Map<string, Uses>();
  /** How many members each count has. */
  readonly #members = new Map<string, number>();
  readonly #touched: TouchedTable;

  /** `startedAtMs`: when the process started, in milliseconds since the epoch; nobody remembers what was used before. */
  constructor({
    maxEntries,
    maxCounts = MAX_COUNTS,
    maxAccounts = MAX_ACCOUNTS,
    startedAtMs,
  }: {
    readonly maxEntries: number;
    readonly maxCounts?: number;
    readonly maxAccounts?: number;
    readonly startedAtMs: number;
  }) {
    this.#used = new Entries(maxEntries, SECOND);
    this.#counted = new Entries(maxCounts, COUNT_SLOT_MS);
    this.#touched = new TouchedTable(maxAccounts);
    this.#history = { id: '', sinceMs: startedAtMs };
  }

  history(): History {
    return this.#history;
  }

  get load(): StateLoad {
    return this.#used.load;
  }

  get countLoad(): StateLoad {
    return this.#counted.load;
  }

  get touchedLoad(): StateLoad {
    return this.#touched.load;
  }

  touched(keys: readonly string[], now: number): readonly TouchedRecord[] | Fault {
    this.#touched.forget(now);
    const fault = this.#touched.fault([], '', now);
    return fault === null ? keys.map((key) => this.#touched.read(key, now)) : new Fault(fault);
  }

  giveBack(claims: readonly Claim[], use: Use): void {
    const mark = markOf(claims, use);
    const counted = mark === null || (this.#used.has(mark) && !this.#shared.has(mark));
    for (const { key } of onceOf(claims, mark, use)) {
      if (this.#shared.has(key)) continue;
      this.#used.remove(key);
      this.#dropped(key);
    }
    if (counted) for (const claim of countsOf(claims)) this.#countDown(claim);
  }

  /** Nothing is awaited in here: that is what makes it atomic. */
  claim(claims: readonly Claim[], use: Use, now: number, touches: readonly Touch[] = []): ClaimResult {
    this.#forget(now);
    const unfit = misfit(claims) ?? misfitOf(touches);
    if (unfit !== null) return unavailable(unfit);
    const mark = markOf(claims, use);
    const [once, counts] = [onceOf(claims, mark, use), countsOf(claims)];
    const used = once.filter(({ key }) => this.#used.has(key));
    if (once.length > 0 && used.length === once.length && used.every(({ key }) => this.#isRetry(key, use, now))) {
      for (const { key } of used) this.#shared.add(key);
      return { result: 'same' };
    }
    const replayed = used.find(({ key }) => key !== mark);
    if (replayed !== undefined) return { result: 'replayed', key: replayed.key };
    if (!once.every(({ until }) => this.#used.remembers(until)) || !counts.every((each) => this.#isKnown(each)))
      return unavailable('the window ended before what is remembered begins; did the clock go back?');
    const spent = counts.find((claim) => this.#isSpent(claim));
    if (spent !== undefined) return { result: 'spent', key: spent.key };
    const more = counts.filter((claim) => !this.#counted.has(entryOf(claim)));
    const full =
      this.#used.fault(use.caller, once.length) ??
      this.#counted.fault(use.caller, more.length) ??
      (touches.length === 0 ? null : this.#touched.fault(touches, use.caller, now));
    if (full !== null) return unavailable(full);
    if (this.#touched.grown(touches, now)) return { result: 'grown' };
    for (const { key, until } of once) this.#remember(key, until, use);
    for (const claim of counts) this.#countUp(claim, use.caller);
    if (touches.length === 0) return { result: 'fresh' };
    return { result: 'fresh', touchedUntil: this.#touched.record(touches, use.caller, now) };
  }

  /** Envoy's own retry of one Check is the same use, within the time in which Envoy still waits for the first answer. */
  #isRetry(key: string, use: Use, now: number): boolean {
    const first = this.#uses.get(key);
    return first !== undefined && now <= first.deadline && first.check === checkOf(use);
  }

  #isKnown({ until }: Claim): boolean {
    return this.#counted.remembers(until);
  }

  #isSpent(claim: Counted): boolean {
    const counted = this.#counts.get(entryOf(claim));
    const { limit, member } = claim.count;
    if (member === null) return (counted?.uses ?? 0) >= limit;
    return counted === undefined && (this.#members.get(claim.key) ?? 0) >= limit;
  }

  #remember(key: string, until: number, use: Use): void {
    this.#used.add(key, use.caller, until);
    const check = checkOf(use);
    if (check !== null) this.#uses.set(key, { check, deadline: use.deadline });
  }

  #countUp(claim: Counted, caller: string): void {
    const entry = entryOf(claim);
    const counted = this.#counts.get(entry);
    if (counted !== undefined) {
      counted.uses++;
      return;
    }
    const { key, until } = claim;
    this.#counts.set(entry, { key, uses: 1 });
    this.#counted.add(entry, caller, until);
    this.#members.set(key, (this.#members.get(key) ?? 0) + 1);
  }

  #countDown(claim: Counted): void {
    const entry = entryOf(claim);
    const counted = this.#counts.get(entry);
    if (counted === undefined || --counted.uses > 0) return;
    this.#counted.remove(entry);
    this.#dropCount(entry);
  }

  #forget(now: number): void {
    for (const key of this.#used.forget(now, MAX_DROPS)) this.#dropped(key);
    for (const entry of this.#counted.forget(now, MAX_DROPS)) this.#dropCount(entry);
    this.#touched.forget(now);
    let left = MAX_DROPS;
    for (const [key, { deadline }] of this.#uses) {
      if (now <= deadline || --left < 0) return;
      this.#uses.delete(key);
    }
  }

  #dropped(key: string): void {
    this.#uses.delete(key);
    this.#shared.delete(key);
  }

  #dropCount(entry: string): void {
    const { key } = this.#counts.get(entry)!;
    this.#counts.delete(entry);
    const left = (this.#members.get(key) ?? 0) - 1;
    if (left > 0) this.#members.set(key, left);
    else this.#members.delete(key);
  }
}

const entryOf = ({ key, count: { member } }: Counted): string => JSON.stringify([key, member]);

const countsOf = (claims: readonly Claim[]): readonly Counted[] =>
  claims.filter((claim): claim is Counted => claim.count !== undefined);

/** What is used once: the Check too, where it counts something. */
function onceOf(claims: readonly Claim[], mark: string | null, { deadline }: Use) {
  const once: Pick<Claim, 'key' | 'until'>[] = claims.filter(({ count }) => count === undefined);
  return mark === null ? once : [...once, { key: mark, until: deadline }];
}

const unavailable = (detail: string): ClaimResult => ({ result: 'unavailable', detail });
