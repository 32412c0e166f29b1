import { residentMb } from '../support/load.ts';
import { assemble, type Contest, compare, type Rounds } from './contest.ts';
import { measureHits } from './hits.ts';
import { handlerQuantile, handlerTimes, openLoop } from './load/latency.ts';
import { type Checks, figuresOf, made } from './page/record.ts';
import { wrongAnswers } from './page/report.ts';
import type { Tree } from './servers/servers.ts';
import type { ServerName } from './shapes.ts';
import { measureStarts } from './starts.ts';

const RATES = [500, 1000] as const;
const PACED: readonly ServerName[] = ['floor', 'heimdall', 'product'];

export interface ChecksOptions extends Rounds {
  readonly tree: Tree;
  readonly heimdall: boolean;
  /** Of each open loop. */
  readonly latencySeconds: number;
  readonly starts: number;
}

/** All that `npm run bench` measures, and one line for each shape and server with wrong answers. */
export async function measureChecks(options: ChecksOptions): Promise<{ checks: Checks; faults: readonly string[] }> {
  const { tree, heimdall, latencySeconds, starts, ...rounds } = options;
  const header = await made();
  const contest = await assemble({ heimdall, tree });
  const { servers, shapes, idleMb } = contest;
  const loadedMb = new Map<ServerName, number>();
  let measured: Awaited<ReturnType<typeof compare>>;
  let paced: Awaited<ReturnType<typeof measurePaced>>;
  try {
    measured = await compare(contest, rounds, (name) => {
      loadedMb.set(name, Math.max(loadedMb.get(name) ?? 0, residentMb(servers.get(name)!.pid)));
    });
    paced = await measurePaced(contest, latencySeconds);
  } finally {
    await contest.stop();
  }
  const late = paced.latency.filter(({ wrong }) => wrong > 0);
  const checks = {
    ...header,
    ...rounds,
    shapes: Object.fromEntries(shapes.map((shape) => [shape.name, figuresOf(shape, measured.get(shape.name)!)])),
    ...paced,
    memoryMb: Object.fromEntries(
      [...servers.keys()].map((name) => [name, { idle: idleMb.get(name)!, loaded: loadedMb.get(name)! }]),
    ),
    starts: await measureStarts(tree, starts),
    hits: await measureHits(),
  };
  const faults = [
    ...wrongAnswers(measured),
    ...late.map(({ server, perSecond, wrong }) => `${perSecond} a second: ${wrong} wrong answers by ${server}`),
  ];
  return { checks, faults };
}

/** One token's checks at a pace that does not depend on the answers. */
async function measurePaced(
  { servers, shapes, product }: Contest,
  seconds: number,
): Promise<Pick<Checks, 'latency' | 'handler'>> {
  const task = shapes.find(({ name }) => name === 'task')!;
  const latency: Checks['latency'][number][] = [];
  let handler = { p50: 0, p99: 0, p999: 0 };
  for (const perSecond of RATES) {
    for (const name of PACED.filter((one) => servers.has(one))) {
      const before = await handlerTimes(product);
      const source = task.begin(name, perSecond * seconds);
      latency.push({
        server: name,
        perSecond,
        ...(await openLoop(servers.get(name)!, source, { perSecond, seconds, right: 'allow' })),
      });
      if (name !== 'product') continue;
      const after = await handlerTimes(product);
      const at = (share: number) => handlerQuantile(before, after, share);
      handler = { p50: at(0.5), p99: at(0.99), p999: at(0.999) };
    }
  }
  return { latency, handler };
}
