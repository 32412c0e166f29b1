import { TestCa } from '../support/ca.ts';
import { TRUST_DOMAIN } from '../support/estate.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { H2Connection } from '../support/h2-client.ts';
import { residentMb } from '../support/load.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { TaskIssuer } from '../support/task-issuer.ts';
import { rounded, type Spread, spread } from './figures.ts';
import { messages } from './messages.ts';
import { BOTH_CORES, startProduct, type Tree } from './servers/servers.ts';

const CHECKS = 100;

/** What starts take, in milliseconds; of the checks, as a client on an open connection sees it. */
export interface Starts {
  /** From the command to readiness, on one core and on two. Looked at every 20 ms. */
  readonly ready: Spread;
  readonly readyOnTwoCores: Spread;
  /** The first check that a new sidecar gets, and the hundredth, each with credentials that were never seen. */
  readonly firstByCertificate: Spread;
  readonly firstInTask: Spread;
  readonly hundredthInTask: Spread;
  /** Resident memory when it has just become ready, in MB. */
  readonly residentMb: Spread;
}

/** Starts the product again and again. Envoy waits 200 ms for an answer by default, also for the first one. */
export async function measureStarts(tree: Tree, starts: number): Promise<Starts> {
  const [dir, ca, issuer] = [temporaryFolder(), TestCa.root(TRUST_DOMAIN), new TaskIssuer(TRUST_DOMAIN)];
  const { byNewCertificate, inTask } = messages(ca, issuer);
  const found = {
    ready: [] as number[],
    readyOnTwoCores: [] as number[],
    firstByCertificate: [] as number[],
    firstInTask: [] as number[],
    hundredthInTask: [] as number[],
    residentMb: [] as number[],
  };
  try {
    const sidecar = await startProduct({ dir, ca, issuer, tree });
    // The first start reads files that no start has read before, and is not counted.
    for (let start = 0; start < starts; start++) {
      found.ready.push(await readyAgain(sidecar));
      found.residentMb.push(residentMb(sidecar.pid));
      found.firstByCertificate.push((await checksTake(sidecar, byNewCertificate))[0]!);
      await readyAgain(sidecar);
      const inTasks = await checksTake(sidecar, () => inTask());
      found.firstInTask.push(inTasks[0]!);
      found.hundredthInTask.push(inTasks.at(-1)!);
    }
    await sidecar.stop();
    const free = await startProduct({ dir, ca, issuer, tree, cores: BOTH_CORES });
    for (let start = 0; start < starts; start++) found.readyOnTwoCores.push(await readyAgain(free));
    await free.stop();
  } finally {
    removeFolder(dir);
  }
  const spreads = Object.entries(found).map(([name, values]) => [name, spread(values).map((one) => rounded(one, 1))]);
  return Object.fromEntries(spreads) as unknown as Starts;
}

/** Stops it, and starts it anew; the milliseconds of the start. */
async function readyAgain(sidecar: Sidecar): Promise<number> {
  await sidecar.stop();
  const before = performance.now();
  await sidecar.start();
  return performance.now() - before;
}

async function checksTake(sidecar: Sidecar, message: () => Uint8Array): Promise<readonly number[]> {
  const connection = await H2Connection.to(sidecar.check);
  const times: number[] = [];
  for (const bytes of Array.from({ length: CHECKS }, message)) {
    const before = performance.now();
    const { status } = await connection.check(bytes);
    times.push(performance.now() - before);
    if (status.code !== 0) throw new Error(`a check after the start was refused: ${status.message}`);
  }
  connection.close();
  return times;
}
