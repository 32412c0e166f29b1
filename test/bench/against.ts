import { join } from 'node:path';
import { TestCa } from '../support/ca.ts';
import { cached } from '../support/cache.ts';
import { TRUST_DOMAIN } from '../support/estate.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { run } from '../support/run.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { TaskIssuer } from '../support/task-issuer.ts';
import { AGENT, asked, LEDGER, request, type Spent, startSidecar } from './contenders.ts';
import { micros } from './figures.ts';

const repository = join(import.meta.dirname, '..', '..');
/** The servers share this core, and the load has the other one. */
const [SERVER_CORE, LOAD_CORE] = ['0', '1'];

interface Shape {
  readonly name: string;
  /** Begins a round; gives the maker of its messages. No credential has to live longer than a round. */
  readonly begin: () => () => Uint8Array;
  readonly allow: boolean;
}

/**
 * What a check costs in this tree and in a checkout of `commit`: both servers up at once, busy in turn with the same
 * messages, each round in the other order. Prints a line a shape: the ratio of the minima (below 1: this tree is
 * cheaper), and the spread of each. False when an answer was wrong.
 */
export async function against(
  commit: string,
  { rounds, checks }: { rounds: number; checks: number },
): Promise<boolean> {
  const tree = await checkout(commit);
  const [ca, issuer] = [TestCa.root(TRUST_DOMAIN), new TaskIssuer(TRUST_DOMAIN)];
  const folders = [temporaryFolder(), temporaryFolder()] as const;
  const here = await startSidecar(folders[0], ca, issuer);
  const there = await startSidecar(folders[1], ca, issuer, tree);
  let wrong = 0;
  try {
    await pin(process.pid, LOAD_CORE);
    for (const { pid } of [here, there]) await pin(pid, SERVER_CORE);
    for (const shape of shapes(ca, issuer)) {
      const spent = await inTurn([here, there], shape, rounds, checks);
      wrong += spent.flat().reduce((sum, one) => sum + one.wrong, 0);
      const [mine, theirs] = spent.map(micros) as [ReturnType<typeof micros>, ReturnType<typeof micros>];
      process.stdout.write(
        `against ${commit}: ${shape.name.padEnd(12)}${(mine[0] / theirs[0]).toFixed(3)} of it, ` +
          `here ${figures(mine)}, there ${figures(theirs)}\n`,
      );
    }
  } finally {
    await here.stop();
    await there.stop();
    folders.forEach(removeFolder);
  }
  if (wrong > 0) process.stdout.write(`against ${commit}: ${wrong} answers were wrong\n`);
  return wrong === 0;
}

/** The rounds of each server; one more than is counted, in which the first checks compile. */
async function inTurn(
  servers: readonly Sidecar[],
  { begin, allow }: Shape,
  rounds: number,
  checks: number,
): Promise<readonly Spent[][]> {
  const spent: Spent[][] = servers.map(() => []);
  for (let round = 0; round <= rounds; round++) {
    const order = round % 2 === 0 ? [0, 1] : [1, 0];
    const message = begin();
    for (const server of order) {
      const one = await asked(servers[server]!, message, { checks }, allow);
      if (round > 0) spent[server]!.push(one);
    }
  }
  return spent;
}

function shapes(ca: TestCa, issuer: TaskIssuer): readonly Shape[] {
  const [ledger, agent] = [ca.svid(LEDGER), ca.svid(AGENT)];
  const inTask = (): Uint8Array => request(AGENT, agent, { 'txn-token': issuer.txnToken({ workload: AGENT }) });
  const always = (message: Uint8Array) => () => message;
  return [
    { name: 'certificate', begin: () => always(request(LEDGER, ledger)), allow: true },
    { name: 'task', begin: () => always(inTask()), allow: true },
    { name: 'new-task', begin: () => inTask, allow: true },
    { name: 'denied', begin: () => always(request(AGENT, agent)), allow: false },
  ];
}

/** The files of a commit in the cache, with packages of their own: they outlive those of this tree. */
async function checkout(commit: string): Promise<string> {
  const sha = (await run('git', ['rev-parse', '--verify', `${commit}^{commit}`], { cwd: repository })).trim();
  return await cached('checkout', sha, async (into) => {
    await run('sh', ['-c', `git archive ${sha} | tar -x -C '${into}'`], { cwd: repository });
    await run('npm', ['ci', '--no-fund', '--no-audit'], { cwd: into });
  });
}

/** Keeps every thread of a process on one core. */
async function pin(pid: number, core: string): Promise<void> {
  await run('taskset', ['-acp', core, String(pid)]);
}

function figures([lowest, median, highest]: readonly [number, number, number]): string {
  return `${lowest.toFixed(1)} µs (median ${median.toFixed(1)}, up to ${highest.toFixed(1)})`;
}
