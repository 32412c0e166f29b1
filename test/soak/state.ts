import { until } from '../support/until.ts';
import type { SoakResult } from './run.ts';
import { type StateFault, stateFaults } from './store/faults.ts';
import { StateLoad } from './store/load.ts';
import { onceOverSidecars } from './store/once.ts';
import { RevocationLoad } from './store/revocations.ts';

const SIDECARS = 4;
const USES = 10_000;
const SHORT_USES = 1000;
/** Uses before and after each fault. */
const BEFORE_MS = 500;
const AFTER_MS = 500;
/** How soon after a fault is over a client that does what it is told must be served. */
const RECOVERY_MS = 5000;
/** How much longer than its timeout a refusal may take on a machine that is busy. */
const SLACK_MS = 1500;
/** How much longer all that may take in the short run, which is part of `check` on machines of any speed. */
const SHORT_PATIENCE = 3;
/** What the failover runs under: this many at once, without a pause. */
const BUSY = 32;

interface Played {
  readonly line: string;
  readonly faults: readonly string[];
  readonly uses: number;
  readonly second: number;
  /** Orders to revoke that were taken, and allows that one of them forbade. */
  readonly orders: number;
  readonly forbidden: number;
  readonly recoveryMs: number;
}

/**
 * `npm run soak -- state [short] [FAULT]`: one proof used 10,000 times over four sidecars is allowed once; then a store is
 * put through every fault while clients and thieves use proofs on the states of four sidecars and revocations are ordered at
 * each of them: no proof is allowed twice, and nothing is allowed that a revocation forbids.
 */
export async function run(args: readonly string[]): Promise<SoakResult> {
  const short = args.includes('short');
  const wanted = args.find((arg) => arg !== 'short');
  const once = await onceOverSidecars(SIDECARS, short ? SHORT_USES : USES);
  const faults = [...once.faults];
  const chosen = stateFaults.filter(({ name, long }) => (wanted === undefined ? !(short && long) : name === wanted));
  let [uses, second, orders, forbidden, slowest] = [0, 0, 0, 0, 0];
  for (const fault of chosen) {
    const played = await play(fault, short ? SHORT_PATIENCE : 1);
    faults.push(...played.faults);
    uses += played.uses;
    second += played.second;
    orders += played.orders;
    forbidden += played.forbidden;
    slowest = Math.max(slowest, played.recoveryMs);
    if (!short) process.stdout.write(`  ${fault.name}: ${played.line}\n`);
  }
  const line = `${once.line}; ${chosen.length} faults, ${uses} uses, ${second} second allows, ${orders} revocations, ${forbidden} allows that a revocation forbade, slowest recovery ${Math.round(slowest)} ms`;
  return { line, faults: faults.slice(0, 40) };
}

async function play({ name, busy = false, unnoticed = false, stage }: StateFault, patience: number): Promise<Played> {
  const { options, fault, stop } = await stage();
  const revocations = await RevocationLoad.open(name, options, SIDECARS);
  const { states } = revocations;
  try {
    const load = new StateLoad(name, states);
    const served = async () => (await load.served()) && (await revocations.served());
    await until('service', async () => ((await served()) ? true : null), RECOVERY_MS).catch(() => {
      load.faults.push(`${name}: not served before the fault: ${states[0]!.status().fault}`);
    });
    load.start(busy ? BUSY : 8, busy ? 0 : 5);
    revocations.start();
    await systemPause(BEFORE_MS);
    const known = states.map((state) => state.history().id);
    await fault();
    const over = performance.now();
    await until('recovery', async () => ((await served()) ? true : null), 6 * RECOVERY_MS).catch(() => {});
    const recoveryMs = performance.now() - over;
    if (recoveryMs > patience * RECOVERY_MS)
      load.faults.push(
        `${name}: served again after ${Math.round(recoveryMs)} ms: ${states.map((s) => s.status().fault)}`,
      );
    await systemPause(AFTER_MS);
    await load.stop();
    await revocations.stop();
    if (load.slowestMs > options.timeoutMs + patience * SLACK_MS)
      load.faults.push(`${name}: an answer took ${Math.round(load.slowestMs)} ms`);
    // The stream of revocations may tell every sidecar of a new history before a proof is claimed under the old one.
    const noticed = (load.counts.get('unavailable') ?? 0) > 0 || states.some((s, at) => s.history().id !== known[at]);
    if (!unnoticed && !noticed) load.faults.push(`${name}: nobody noticed it`);
    const told = [...load.counts].map(([outcome, count]) => `${count} ${outcome}`).join(', ');
    const line = `${told}; slowest answer ${Math.round(load.slowestMs)} ms, recovery ${Math.round(recoveryMs)} ms; ${revocations.orders} revocations, ${revocations.refusals} refusals because nobody knew`;
    return {
      line,
      faults: [...load.faults, ...revocations.faults],
      uses: load.uses,
      second: load.second,
      orders: revocations.orders,
      forbidden: revocations.forbidden,
      recoveryMs,
    };
  } finally {
    await revocations.close();
    await stop();
  }
}

const systemPause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
