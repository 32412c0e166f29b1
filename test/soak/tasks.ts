import { systemClock } from '../../src/base/clock.ts';
import { RedisState } from '../../src/state/redis/store.ts';
import { ProcessRegistry } from '../../src/state/tasks/process-registry.ts';
import { until } from '../support/until.ts';
import type { SoakResult } from './run.ts';
import { type StateFault, stateFaults } from './store/faults.ts';
import { TaskLoad, type TaskSidecar } from './store/tasks.ts';

const SIDECARS = 4;
const BEFORE_MS = 1000;
const AFTER_MS = 500;
/** How soon after a fault is over a task that begins must be served: what begins in a history of 5 s has no budget. */
const RECOVERY_MS = 10_000;
/** How much longer than its timeout a refusal may take on a machine that is busy. */
const SLACK_MS = 1500;
const BUSY = 32;

interface Played {
  readonly line: string;
  readonly faults: readonly string[];
  readonly calls: number;
  readonly over: number;
  readonly revived: number;
}

/**
 * `npm run soak -- tasks [short] [FAULT]`: a store is put through every fault while agents call within tasks with budgets on the
 * states of four sidecars: no task is permitted more than its budgets, and none that was ended lives.
 */
export async function run(args: readonly string[]): Promise<SoakResult> {
  const short = args.includes('short');
  const wanted = args.find((arg) => arg !== 'short');
  const faults: string[] = [];
  const chosen = stateFaults.filter(({ name, long }) => (wanted === undefined ? !(short && long) : name === wanted));
  let [calls, over, revived] = [0, 0, 0];
  for (const fault of chosen) {
    const played = await play(fault);
    faults.push(...played.faults);
    calls += played.calls;
    over += played.over;
    revived += played.revived;
    if (!short) process.stdout.write(`  ${fault.name}: ${played.line}\n`);
  }
  const line = `${chosen.length} faults, ${calls} calls, ${over} over budget, ${revived} revived`;
  return { line, faults: faults.slice(0, 40) };
}

async function play({ name, busy = false, stage }: StateFault): Promise<Played> {
  const { options, fault, stop } = await stage();
  const sidecars: TaskSidecar[] = [];
  const registry = new ProcessRegistry({ perWorkload: 100_000, all: 100_000 });
  for (let n = 0; n < SIDECARS; n++) {
    const state = await RedisState.start({ options, clock: systemClock, onEvent: () => {} });
    sidecars.push({ state, registry, unknown: () => null });
  }
  try {
    const load = new TaskLoad(name, sidecars, options.maxStaleMs);
    const served = () => load.served();
    await until('service', async () => ((await served()) ? true : null), RECOVERY_MS).catch(() => {
      load.faults.push(`${name}: not served before the fault: ${sidecars[0]!.state.status().fault}`);
    });
    load.start(busy ? BUSY : 8, busy ? 0 : 5);
    await systemPause(BEFORE_MS);
    await fault();
    const ended = performance.now();
    await until('recovery', async () => ((await served()) ? true : null), 3 * RECOVERY_MS).catch(() => {});
    const recoveryMs = performance.now() - ended;
    if (recoveryMs > RECOVERY_MS) load.faults.push(`${name}: served again after ${Math.round(recoveryMs)} ms`);
    await systemPause(AFTER_MS);
    await load.stop();
    if (load.slowestMs > options.timeoutMs + SLACK_MS)
      load.faults.push(`${name}: an answer took ${Math.round(load.slowestMs)} ms`);
    const told = [...load.counts].map(([outcome, count]) => `${count} ${outcome}`).join(', ');
    const line = `${told}; slowest answer ${Math.round(load.slowestMs)} ms, recovery ${Math.round(recoveryMs)} ms`;
    return { line, faults: load.faults, calls: load.calls, over: load.over, revived: load.revived };
  } finally {
    for (const { state } of sidecars) await state.stop();
    await stop();
  }
}

const systemPause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
