import { TestCa } from '../support/ca.ts';
import { checkout } from '../support/checkout.ts';
import { TRUST_DOMAIN } from '../support/estate.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { TaskIssuer } from '../support/task-issuer.ts';
import { micros, type Spread, spread } from './figures.ts';
import { drive, type Spent } from './load/drive.ts';
import { type Contender, contender, root, sourcesOf, startProduct, takeLoadCore } from './servers/servers.ts';
import { type Shape, shapes } from './shapes.ts';

/** Shapes that a checkout of any age answers. */
const SHAPES = ['certificate', 'task', 'new-task', 'denied'];

/**
 * What a check costs in this tree and in a checkout of `commit`: both servers up at once, busy in turn with the same
 * messages, each round in the other order. Prints a line a shape: the ratio of the minima (below 1: this tree is
 * cheaper), and the spread of each. False when an answer was wrong.
 */
export async function against(
  commit: string,
  { rounds, checks }: { rounds: number; checks: number },
): Promise<boolean> {
  const tree = sourcesOf(await checkout(commit));
  const [ca, issuer] = [TestCa.root(TRUST_DOMAIN), new TaskIssuer(TRUST_DOMAIN)];
  const folders = [temporaryFolder(), temporaryFolder()] as const;
  const here = contender('here', await startProduct({ dir: folders[0], ca, issuer, tree: sourcesOf(root) }));
  const there = contender('there', await startProduct({ dir: folders[1], ca, issuer, tree }));
  let wrong = 0;
  try {
    await takeLoadCore();
    for (const shape of shapes(ca, issuer).filter(({ name }) => SHAPES.includes(name))) {
      const spent = await inTurn([here, there], shape, rounds, checks);
      wrong += spent.flat().reduce((sum, one) => sum + one.wrong, 0);
      const [mine, theirs] = spent.map((windows) => spread(windows.map(micros))) as [Spread, Spread];
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
  servers: readonly Contender[],
  { begin, right }: Shape,
  rounds: number,
  checks: number,
): Promise<readonly Spent[][]> {
  const spent: Spent[][] = servers.map(() => []);
  for (let round = 0; round <= rounds; round++) {
    for (const server of round % 2 === 0 ? [0, 1] : [1, 0]) {
      const one = await drive(servers[server]!, begin('product', checks), { checks }, right);
      if (round > 0) spent[server]!.push(one);
    }
  }
  return spent;
}

function figures([lowest, median, highest]: Spread): string {
  return `${lowest.toFixed(1)} µs (median ${median.toFixed(1)}, up to ${highest.toFixed(1)})`;
}
