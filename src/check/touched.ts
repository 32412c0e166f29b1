import { Fault } from '../base/fault.ts';
import { Refusal } from '../base/outcome.ts';
import { Remembered } from '../base/remembered.ts';
import { after, type Soon } from '../base/soon.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { Target } from '../inventory/model.ts';
import type { TouchedFacts, TouchedNeed } from '../policy/decide/touched.ts';
import {
  apiDigest,
  EVERYTHING,
  MAX_TOUCHED_APIS,
  type Touch,
  type Touched,
  type TouchedRecord,
  together,
} from '../state/bounded/touched.ts';
import type { History, State } from '../state/model.ts';
import { type Touching, UNTOUCHING } from '../state/redemption.ts';
import type { TaskLookup } from '../state/tasks/registry.ts';
import type { TaskContext } from '../task/model.ts';
import { accountsOf, keyOfAccount, type TouchedAccount } from './accounts.ts';

/** Where it is remembered what was opened, and how long. */
export interface TouchedSource {
  readonly state: Pick<State, 'history' | 'touched'>;
  /** The registered tasks that are known at `nowMs`; a Fault while nobody knows. */
  readonly tasks: (nowMs: number) => TaskLookup | Fault;
  readonly windowMs: number;
  /** In milliseconds since the epoch: nothing that was opened before counts; null: nobody said so. */
  readonly nothingBeforeMs: number | null;
}

/** What of the accounts of a request was known when it was judged. */
export interface ReadTouched {
  readonly facts: TouchedFacts;
  readonly history: History;
  /** By the names of the accounts. */
  readonly records: ReadonlyMap<string, TouchedRecord>;
}

/** Apis of all accounts of a request together: beyond, it has opened all. */
const MAX_APIS = 2 * MAX_TOUCHED_APIS;
/** What was recorded is recorded again only when it would not be remembered for a window any more: every quarter of it. */
const SLACK = 0.25;
/** By some clock a task, or its token, is good for so much longer. */
const CLOCKS_MS = 10_000;
const RECORDED_BYTES = 4 * 2 ** 20;

/** The apis of an inventory, by name and by digest. */
interface ApiDigests {
  readonly digests: ReadonlyMap<string, string>;
  readonly names: ReadonlyMap<string, string>;
}

/** What this process knows to be recorded of an account. */
interface Recorded {
  readonly history: string;
  readonly untilMs: number;
  readonly sensitivity: number;
  readonly apis: ReadonlySet<string>;
}

/**
 * Reads what was opened on the accounts of a request, and says what it opens itself. Only what is not known to be recorded is: a
 * workload that opens the same again costs nothing.
 */
export class TouchedAccounts {
  readonly #source: TouchedSource;
  readonly #recorded = new Remembered<Recorded>(RECORDED_BYTES, ({ apis }) => 100 + apis.size * 100);
  readonly #digests = new WeakMap<Inventory, ApiDigests>();

  constructor(source: TouchedSource) {
    this.#source = source;
  }

  /** Refusals: `state_unavailable`. `nowMs`: milliseconds since the epoch. */
  read(task: TaskContext, inventory: Inventory, nowMs: number): Soon<ReadTouched | Refusal> {
    const { state } = this.#source;
    const accounts = this.#accounts(task, nowMs);
    if (accounts instanceof Refusal) return accounts;
    const history = state.history();
    return after(state.touched(accounts.map(keyOfAccount), nowMs), (found) => {
      if (found instanceof Fault) return new Refusal('state_unavailable', found.detail);
      const records = new Map(accounts.map(({ name }, at) => [name, found[at]!]));
      const { names } = this.#apisOf(inventory);
      const touched = accounts.map((account) => ({
        account,
        touched: this.#isUnknown(account, task, history, nowMs) ? EVERYTHING : named(records.get(account.name)!, names),
      }));
      const all = (of: typeof touched): Touched => bounded(together(of.map((each) => each.touched)));
      const facts = { chain: all(touched), task: all(touched.filter(({ account }) => account.of === 'task')) };
      return { facts, history, records };
    });
  }

  /**
   * What a permitted request records, and by what of `read` it was judged; nothing where no policy needs it. Refusals:
   * `state_unavailable`. `nowMs`: milliseconds since the epoch.
   */
  touching(
    task: TaskContext,
    { resource }: Target,
    inventory: Inventory,
    need: TouchedNeed,
    read: ReadTouched | null,
    nowMs: number,
  ): Touching | Refusal {
    if (need.read === 'never' || (read === null && resource.sensitivity === 0)) return UNTOUCHING;
    const accounts = this.#accounts(task, nowMs);
    if (accounts instanceof Refusal) return accounts;
    const history = read?.history ?? this.#source.state.history();
    const { digests } = this.#apisOf(inventory);
    const apis = resource.apis.map((api) => digests.get(api) ?? apiDigest(api));
    const touches: Touch[] = [];
    const names: string[] = [];
    for (const account of accounts) {
      const times = this.#timesOf(account, task, nowMs);
      const isKnown =
        resource.sensitivity === 0 || this.#isRecorded(account, history, times, resource.sensitivity, apis);
      const record = read?.records.get(account.name);
      if (isKnown && record === undefined) continue;
      const judgedBy =
        record === undefined ? null : { sensitivity: record.sensitivity, version: need.apis ? record.version : null };
      const recorded = isKnown ? { sensitivity: 0, apis: [] } : { sensitivity: resource.sensitivity, apis };
      touches.push({ key: keyOfAccount(account), history, ...times, ...recorded, judgedBy });
      names.push(account.name);
    }
    if (touches.length === 0) return UNTOUCHING;
    return { touches, onRecorded: (untils) => this.#note(names, touches, untils) };
  }

  /** Whether something was opened on the account of which nobody knows any more. */
  #isUnknown(
    { of, begunAtMs }: TouchedAccount,
    { backing }: TaskContext,
    { sinceMs }: History,
    nowMs: number,
  ): boolean {
    const { windowMs, nothingBeforeMs } = this.#source;
    if (nothingBeforeMs !== null && sinceMs <= nothingBeforeMs) return false;
    if (begunAtMs !== null) return begunAtMs < sinceMs;
    if (nowMs < sinceMs + windowMs) return true;
    return of === 'task' && backing.some(({ issuedAt }) => issuedAt * 1000 < sinceMs);
  }

  /** A registered task is remembered to its end, all else for a window from now, and a task while its token is good. */
  #timesOf({ of, endsAtMs }: TouchedAccount, { backing }: TaskContext, nowMs: number) {
    const { windowMs } = this.#source;
    const endMs = endsAtMs === null ? null : Math.ceil(endsAtMs) + CLOCKS_MS;
    if (endMs !== null) return { neededUntilMs: endMs, untilMs: endMs };
    const tokens = of === 'task' ? Math.max(...backing.map(({ expiresAt }) => expiresAt * 1000)) + CLOCKS_MS : 0;
    const neededUntilMs = Math.ceil(Math.max(nowMs + windowMs, tokens));
    return { neededUntilMs, untilMs: neededUntilMs + Math.ceil(windowMs * SLACK) };
  }

  #isRecorded(
    { name }: TouchedAccount,
    { id }: History,
    { neededUntilMs }: Pick<Touch, 'neededUntilMs'>,
    sensitivity: number,
    apis: readonly string[],
  ): boolean {
    const known = this.#recorded.get(name);
    if (known === undefined || known.history !== id || known.untilMs < neededUntilMs) return false;
    return known.sensitivity >= sensitivity && apis.every((api) => known.apis.has(api));
  }

  #note(names: readonly string[], touches: readonly Touch[], untils: readonly number[]): void {
    for (const [at, { history, sensitivity, apis }] of touches.entries()) {
      const [name, untilMs] = [names[at]!, untils[at] ?? 0];
      if (sensitivity === 0 || untilMs === 0) continue;
      const before = this.#recorded.get(name);
      const goesOn = before?.history === history.id && before.untilMs === untilMs;
      const known = goesOn && before.apis.size < MAX_TOUCHED_APIS ? before : null;
      this.#recorded.set(name, {
        history: history.id,
        untilMs,
        sensitivity: Math.max(sensitivity, known?.sensitivity ?? 0),
        apis: new Set([...(known?.apis ?? []), ...apis]),
      });
    }
  }

  #accounts(task: TaskContext, nowMs: number): readonly TouchedAccount[] | Refusal {
    const tasks = task.backing.length === 0 ? null : this.#source.tasks(nowMs);
    return tasks instanceof Fault ? new Refusal('state_unavailable', tasks.detail) : accountsOf(task, tasks);
  }

  #apisOf(inventory: Inventory): ApiDigests {
    let known = this.#digests.get(inventory);
    if (known === undefined) {
      const pairs = [...inventory.known.apis].map((api) => [api, apiDigest(api)] as const);
      known = { digests: new Map(pairs), names: new Map(pairs.map(([api, digest]) => [digest, api])) };
      this.#digests.set(inventory, known);
    }
    return known;
  }
}

/** With the apis by name; one that the inventory does not list any more keeps what stands for it, which no policy names. */
const named = ({ sensitivity, apis }: Touched, names: ReadonlyMap<string, string>): Touched => ({
  sensitivity,
  apis: apis === 'all' ? apis : new Set([...apis].map((digest) => names.get(digest) ?? digest)),
});

const bounded = (touched: Touched): Touched =>
  touched.apis !== 'all' && touched.apis.size > MAX_APIS ? { ...touched, apis: 'all' } : touched;
