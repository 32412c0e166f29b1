import { openApprovals } from '../support/redis-approvals.ts';
import { signs } from '../support/redis-books.ts';
import { until } from '../support/until.ts';
import type { SoakResult } from './run.ts';
import { ApprovalLoad } from './store/approvals.ts';
import { type StateFault, stateFaults } from './store/faults.ts';
import { approvalOverSidecars } from './store/once.ts';

const SIDECARS = 4;
const USES = 10_000;
const SHORT_USES = 1000;
const BEFORE_MS = 1000;
const AFTER_MS = 500;
/** How soon after a fault is over what is granted then must be served: what was granted in a history of 5 s does not count. */
const RECOVERY_MS = 10_000;
/** How much longer than its timeout a refusal may take on a machine that is busy. */
const SLACK_MS = 1500;
/** How much longer all that may take in the short run, which is part of `check` on machines of any speed. */
const SHORT_PATIENCE = 3;
/** What is played in the short run, all at one time: a store that loses all or the last of it, that says nothing, and a failover. */
const SHORT = ['FLUSHALL', 'cut-off replica promoted', 'half-open', 'Sentinel failover under load'];
const BUSY = 32;

type Played = Pick<ApprovalLoad, 'uses' | 'grants' | 'closed' | 'over' | 'late' | 'ungranted'> & {
  readonly line: string;
  readonly faults: readonly string[];
};

/**
 * `npm run soak -- approvals [short] [FAULT]`: one request that was approved for one use, and one that was for seven, 10,000 times
 * over four sidecars with one store: as many pass, whatever comes at once. Then a store is put through every fault while agents
 * make requests on the states of four sidecars and persons grant, refuse and withdraw: nothing passes more often than it was
 * granted, after it was closed or had ended, or without a grant.
 */
export async function run(args: readonly string[]): Promise<SoakResult> {
  const short = args.includes('short');
  const wanted = args.find((arg) => arg !== 'short');
  const uses = short ? SHORT_USES : USES;
  const one = await approvalOverSidecars(SIDECARS, uses, 1);
  const several = await approvalOverSidecars(SIDECARS, uses, 7);
  const chosen = stateFaults.filter(({ name }) =>
    wanted === undefined ? !short || SHORT.includes(name) : name === wanted,
  );
  const all: Played[] = short ? await Promise.all(chosen.map((fault) => play(fault, SHORT_PATIENCE))) : [];
  for (const fault of short ? [] : chosen) {
    const played = await play(fault, 1);
    all.push(played);
    process.stdout.write(`  ${fault.name}: ${played.line}\n`);
  }
  const sum = (of: (played: Played) => number): number => all.reduce((total, played) => total + of(played), 0);
  const [over, late, ungranted] = [sum((p) => p.over), sum((p) => p.late), sum((p) => p.ungranted)];
  const each = over === 0 ? '1 allow each' : `${over} grants allowed too often`;
  const counts = `${sum((p) => p.grants)} grants, ${sum((p) => p.closed)} closed, ${late} allows after that, ${ungranted} without a grant`;
  return {
    line: `${chosen.length} faults, ${sum((p) => p.uses)} uses, ${each}; ${counts}; ${one.line}; ${several.line}`,
    faults: [...one.faults, ...several.faults, ...all.flatMap(({ faults }) => faults)].slice(0, 40),
  };
}

async function play({ name, busy = false, stage }: StateFault, patience: number): Promise<Played> {
  const { options, fault, stop } = await stage();
  const sidecars: Awaited<ReturnType<typeof openApprovals>>[] = [];
  for (let n = 0; n < SIDECARS; n++) sidecars.push(await openApprovals(options, signs));
  try {
    const load = new ApprovalLoad(name, sidecars, options.maxStaleMs);
    const served = async () => ((await load.served()) ? true : null);
    await until('service', served, RECOVERY_MS).catch(() => {
      load.faults.push(`${name}: not served before the fault: ${sidecars[0]!.state.status().fault}`);
    });
    load.start(busy ? BUSY : 8, busy ? 0 : 5);
    await systemPause(BEFORE_MS);
    await fault();
    const ended = performance.now();
    await until('recovery', served, 4 * RECOVERY_MS).catch(() => {});
    const recoveryMs = performance.now() - ended;
    if (recoveryMs > patience * RECOVERY_MS)
      load.faults.push(`${name}: served again after ${Math.round(recoveryMs)} ms`);
    await systemPause(AFTER_MS);
    await load.stop();
    const { uses, grants, closed, over, late, ungranted, slowestMs } = load;
    if (slowestMs > options.timeoutMs + patience * SLACK_MS)
      load.faults.push(`${name}: an answer took ${Math.round(slowestMs)} ms`);
    const told = [...load.counts].map(([outcome, count]) => `${count} ${outcome}`).join(', ');
    const line = `${told}; ${grants} grants, ${closed} closed; slowest answer ${Math.round(slowestMs)} ms, recovery ${Math.round(recoveryMs)} ms`;
    return { line, faults: load.faults, uses, grants, closed, over, late, ungranted };
  } finally {
    for (const sidecar of sidecars) await sidecar.stop();
    await stop();
  }
}

const systemPause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
