import { signs } from '../support/redis-books.ts';
import { openRegistry } from '../support/redis-registries.ts';
import { until } from '../support/until.ts';
import type { SoakResult } from './run.ts';
import { type StateFault, stateFaults } from './store/faults.ts';
import { LeaseLoad } from './store/leases.ts';
import { budgetOverSidecars } from './store/once.ts';
import { TaskLoad, type TaskSidecar } from './store/tasks.ts';
import { WashLoad } from './store/washed.ts';

const SIDECARS = 4;
const CALLS = 10_000;
const BUDGET = 1000;
const BEFORE_MS = 1000;
const AFTER_MS = 500;
/** How soon after a fault is over a task that begins must be served: what begins in a history of 5 s has no budget. */
const RECOVERY_MS = 10_000;
/** How much longer than its timeout a refusal may take on a machine that is busy. */
const SLACK_MS = 1500;
/** How much longer all that may take in the short run, which is part of `check` on machines of any speed. */
const SHORT_PATIENCE = 3;
const BUSY = 32;

interface Played {
  readonly line: string;
  readonly faults: readonly string[];
  readonly calls: number;
  readonly over: number;
  readonly revived: number;
  readonly washed: number;
}

/**
 * `npm run soak -- tasks [short] [FAULT]`: 10,000 calls at once over four sidecars on a budget of 1,000 get 1,000; then a store is put through every fault while agents call within tasks with budgets on the
 * states of four sidecars: no task is permitted more than its budgets, none that was ended, or lapsed, lives, and none
 * writes to the outside what it may have read.
 */
export async function run(args: readonly string[]): Promise<SoakResult> {
  const short = args.includes('short');
  const wanted = args.find((arg) => arg !== 'short');
  const many = await budgetOverSidecars(SIDECARS, short ? CALLS / 10 : CALLS, short ? BUDGET / 10 : BUDGET);
  const faults = [...many.faults];
  const chosen = stateFaults.filter(({ name, long }) => (wanted === undefined ? !(short && long) : name === wanted));
  let [calls, over, revived, washed] = [0, 0, 0, 0];
  for (const fault of chosen) {
    const played = await play(fault, short ? SHORT_PATIENCE : 1);
    faults.push(...played.faults);
    calls += played.calls;
    over += played.over;
    revived += played.revived;
    washed += played.washed;
    if (!short) process.stdout.write(`  ${fault.name}: ${played.line}\n`);
  }
  const line = `${many.line}; ${chosen.length} faults, ${calls} calls, ${over} over budget, ${revived} revived, ${washed} washed`;
  return { line, faults: faults.slice(0, 40) };
}

async function play({ name, busy = false, stage }: StateFault, patience: number): Promise<Played> {
  const { options, fault, stop } = await stage();
  const limits = { perWorkload: 100_000, all: 100_000 };
  const sidecars: (TaskSidecar & { readonly stop: () => Promise<void> })[] = [];
  for (let n = 0; n < SIDECARS; n++) {
    const { state, registry, stop } = await openRegistry(options, { keys: signs, limits });
    sidecars.push({ state, registry, unknown: (nowMs) => registry.unknown(nowMs), stop });
  }
  try {
    const load = new TaskLoad(name, sidecars, options.maxStaleMs);
    const leases = new LeaseLoad(name, sidecars, options.maxStaleMs);
    const washes = new WashLoad(name, sidecars);
    const served = async () => (await load.served()) && (await leases.served()) && (await washes.served());
    await until('service', async () => ((await served()) ? true : null), RECOVERY_MS).catch(() => {
      load.faults.push(`${name}: not served before the fault: ${sidecars[0]!.state.status().fault}`);
    });
    load.start(busy ? BUSY : 8, busy ? 0 : 5);
    leases.start();
    washes.start(4);
    await systemPause(BEFORE_MS);
    await fault();
    const ended = performance.now();
    await until('recovery', async () => ((await served()) ? true : null), 4 * RECOVERY_MS).catch(() => {});
    const recoveryMs = performance.now() - ended;
    if (recoveryMs > patience * RECOVERY_MS)
      load.faults.push(`${name}: served again after ${Math.round(recoveryMs)} ms`);
    await systemPause(AFTER_MS);
    await leases.stop();
    await washes.stop();
    await load.stop();
    if (load.slowestMs > options.timeoutMs + patience * SLACK_MS)
      load.faults.push(`${name}: an answer took ${Math.round(load.slowestMs)} ms`);
    const line = `${outcomes(load.counts)}; slowest answer ${Math.round(load.slowestMs)} ms, recovery ${Math.round(recoveryMs)} ms; ${leases.over} tasks over; touched: ${outcomes(washes.counts)}`;
    const faults = [...load.faults, ...leases.faults, ...washes.faults];
    const revived = load.revived + leases.revived;
    return { line, faults, calls: load.calls, over: load.over, revived, washed: washes.washed };
  } finally {
    for (const sidecar of sidecars) await sidecar.stop();
    await stop();
  }
}

const outcomes = (counts: ReadonlyMap<string, number>): string =>
  [...counts].map(([outcome, count]) => `${count} ${outcome}`).join(', ');

const systemPause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
