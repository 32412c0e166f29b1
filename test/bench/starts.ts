import { TestCa } from '../support/ca.ts';
import { TRUST_DOMAIN } from '../support/estate.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { H2Connection } from '../support/h2-client.ts';
import { TaskIssuer } from '../support/task-issuer.ts';
import { messages } from './messages.ts';
import { startProduct } from './servers.ts';

/** Milliseconds of the first check after each of several starts, and of the hundredth. */
export type FirstChecks = readonly [first: readonly number[], hundredth: readonly number[]];

const CHECKS = 100;

/**
 * How long the first check takes that a new sidecar gets once it is ready, as a client on an open connection sees it:
 * Envoy waits 200 ms for it by default. Every check brings a certificate that was never seen, or a token.
 */
export async function firstChecks(starts: number): Promise<ReadonlyMap<string, FirstChecks>> {
  const ca = TestCa.root(TRUST_DOMAIN);
  const issuer = new TaskIssuer(TRUST_DOMAIN);
  const { byNewCertificate, inTask } = messages(ca, issuer);
  const kinds = { 'first check, by a certificate': byNewCertificate, 'first check, in a task': () => inTask() };
  const found = new Map<string, readonly [number[], number[]]>(Object.keys(kinds).map((name) => [name, [[], []]]));
  // One start more than is counted, in which the client itself gets warm.
  for (let start = 0; start <= starts; start++) {
    for (const [name, message] of Object.entries(kinds)) {
      const times = await afterStart(ca, issuer, message);
      if (start === 0) continue;
      found.get(name)![0].push(times[0]!);
      found.get(name)![1].push(times.at(-1)!);
    }
  }
  return found;
}

async function afterStart(ca: TestCa, issuer: TaskIssuer, message: () => Uint8Array): Promise<readonly number[]> {
  const dir = temporaryFolder();
  const sidecar = await startProduct({ dir, ca, issuer });
  const connection = await H2Connection.to(sidecar.check);
  try {
    const times: number[] = [];
    for (const bytes of Array.from({ length: CHECKS }, message)) {
      const before = performance.now();
      const { status } = await connection.check(bytes);
      times.push(performance.now() - before);
      if (status.code !== 0) throw new Error(`a check after the start was refused: ${status.message}`);
    }
    return times;
  } finally {
    connection.close();
    await sidecar.stop();
    removeFolder(dir);
  }
}
