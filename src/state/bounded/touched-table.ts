import { Entries } from './entries.ts';
import type { StateLoad } from './load.ts';
import { MAX_TOUCHED_APIS, type Touch, type TouchedRecord, touchedLoad } from './touched.ts';

/** Accounts live for hours: they are dropped up to so much later than they end. */
const SLOT_MS = 600_000;
const MAX_DROPS = 100;

/** One account. What was opened counts until the time that is beside it, in milliseconds since the epoch. */
interface Account {
  version: string;
  endsMs: number;
  /** By sensitivity. */
  readonly levels: Map<number, number>;
  readonly apis: Map<string, number>;
  allUntilMs: number;
}

/**
 * What was opened on each account, in one process. Nothing is dropped before its end. Where an account has more apis than are
 * told apart, it has all; where there are too many accounts, nothing more is recorded, so that nothing more is permitted.
 */
export class TouchedTable {
  readonly #entries: Entries;
  readonly #accounts = new Map<string, Account>();
  readonly #limit: number;
  #versions = 0;

  constructor(limit: number) {
    this.#limit = limit;
    this.#entries = new Entries(limit, SLOT_MS);
  }

  get load(): StateLoad {
    return touchedLoad(this.#accounts.size, this.#limit);
  }

  read(key: string, nowMs: number): TouchedRecord {
    const account = this.#accounts.get(key);
    if (account === undefined) return { sensitivity: 0, apis: new Set(), version: '' };
    const { version, apis, allUntilMs } = account;
    const live = new Set<string>();
    for (const [api, untilMs] of apis) if (untilMs > nowMs) live.add(api);
    return { sensitivity: sensitivityOf(account, nowMs), apis: allUntilMs > nowMs ? 'all' : live, version };
  }

  /** Whether more was opened on one of the accounts than the request was judged by. */
  grown(touches: readonly Touch[], nowMs: number): boolean {
    return touches.some(({ key, judgedBy }) => {
      const account = this.#accounts.get(key);
      if (judgedBy === null || account === undefined) return false;
      const { sensitivity, version } = judgedBy;
      return sensitivityOf(account, nowMs) > sensitivity || (version !== null && version !== account.version);
    });
  }

  /** Why these cannot be read or recorded; null where they can. What was dropped would count again once the clock went back. */
  fault(touches: readonly Touch[], owner: string, nowMs: number): string | null {
    if (!this.#entries.remembers(nowMs)) return 'what was opened may be forgotten; did the clock go back?';
    const more = touches.filter(({ key, sensitivity }) => sensitivity > 0 && !this.#entries.has(key));
    return this.#entries.fault(owner, more.length);
  }

  /** Records what each opens; gives until when that is remembered, 0 where nothing was to be recorded. */
  record(touches: readonly Touch[], owner: string, nowMs: number): readonly number[] {
    return touches.map((touch) => (touch.sensitivity === 0 ? 0 : this.#record(touch, owner, nowMs)));
  }

  forget(nowMs: number): void {
    for (const key of this.#entries.forget(nowMs, MAX_DROPS)) this.#accounts.delete(key);
  }

  #record({ key, neededUntilMs, untilMs, sensitivity, apis }: Touch, owner: string, nowMs: number): number {
    let account = this.#accounts.get(key);
    if (account === undefined) {
      account = { version: '', endsMs: 0, levels: new Map(), apis: new Map(), allUntilMs: 0 };
      this.#accounts.set(key, account);
    }
    if (account.endsMs < neededUntilMs) {
      account.endsMs = untilMs;
      this.#entries.add(key, owner, untilMs);
    }
    const { endsMs } = account;
    account.levels.set(sensitivity, Math.max(endsMs, account.levels.get(sensitivity) ?? 0));
    for (const api of apis) this.#recordApi(account, api, nowMs);
    return endsMs;
  }

  #recordApi(account: Account, api: string, nowMs: number): void {
    const { apis, endsMs } = account;
    if (!apis.has(api) && apis.size >= MAX_TOUCHED_APIS)
      for (const [name, untilMs] of apis) if (untilMs <= nowMs) apis.delete(name);
    const told = apis.has(api) || apis.size < MAX_TOUCHED_APIS;
    const known = told ? (apis.get(api) ?? 0) : account.allUntilMs;
    if (known <= nowMs) account.version = String(++this.#versions);
    if (told) apis.set(api, Math.max(endsMs, known));
    else account.allUntilMs = Math.max(endsMs, known);
  }
}

function sensitivityOf({ levels }: Account, nowMs: number): number {
  let highest = 0;
  for (const [level, untilMs] of levels) if (untilMs > nowMs) highest = Math.max(highest, level);
  return highest;
}
