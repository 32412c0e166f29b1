import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { against } from './against.ts';
import { measureChecks } from './checks.ts';
import { measureHits } from './hits.ts';
import { writePage } from './page/page.ts';
import { plot } from './page/plot.ts';
import { made, writeLastRun } from './page/record.ts';
import { line } from './page/report.ts';
import { revocationFigures } from './revocations.ts';
import { build, root, type Tree, takeLoadCore } from './servers/servers.ts';
import { measureSizes } from './sizes.ts';
import { measureStarts } from './starts.ts';
import { budgetFigures, stateFigures } from './state.ts';
import { taskFigures } from './tasks.ts';
import { viewerFigures } from './viewer.ts';

const USAGE = `npm run bench [-- --quick] [--no-heimdall] [--rounds N] [--seconds N] [--warm-up N] [--record]
  what a check costs here, at a server that allows everything and at Heimdall, in one run; about 12 minutes, with --quick under 3
npm run bench -- sizes [--rounds N] [--seconds N] [--warm-up N] [--most N] [--record]
  the same in estates of more policies, workloads and hops
npm run bench -- hits [SEED]
  how many verdicts are remembered in a mixed load
npm run bench -- starts [N]
  what a start takes, and the first checks after it
npm run bench -- state [proofs|budgets|revocations] [--rounds N] [--checks N]
  what a proof costs with the memory and with a shared store, what a budget costs, and how soon and at what cost revocations of a store hold
npm run bench -- tasks
  how soon a sidecar knows that a task of its store began, ended, lapsed or was revoked
npm run bench -- viewer [--rounds N] [--checks N]
  what a check costs while somebody is told each decision by a stream of events
npm run bench -- against COMMIT [--rounds N] [--checks N]
  what a check costs here and at that commit
--record writes test/bench/last-run.json, docs/performance.md and docs/performance.svg. Take the whole machine for it.
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    'no-heimdall': { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    'warm-up': { type: 'string' },
    most: { type: 'string', default: '1e9' },
    checks: { type: 'string', default: '20000' },
  },
});
const number = (text: string | undefined, otherwise: number): number => (text === undefined ? otherwise : Number(text));
const rounds = {
  rounds: number(values.rounds, 3),
  seconds: number(values.seconds, values.quick ? 0.4 : 3),
  warmUp: number(values['warm-up'], values.quick ? 5 : 10),
};
const [command, argument] = positionals;
const print = (text: string): boolean => process.stdout.write(`${text}\n`);
const folder = temporaryFolder();
try {
  process.exitCode = await dispatch();
} finally {
  removeFolder(folder);
}

async function dispatch(): Promise<number> {
  switch (command) {
    case undefined:
      return await bench(await build(folder));
    case 'sizes':
      return await sizes(await build(folder));
    case 'hits':
      print(`bench: hits: ${JSON.stringify(await measureHits(number(argument, 1)))}`);
      return 0;
    case 'starts':
      return await starts(await build(folder));
    case 'state': {
      const proofs = { rounds: number(values.rounds, 5), checks: Number(values.checks) / 10 };
      const parts = {
        proofs: () => stateFigures(proofs),
        budgets: () => budgetFigures(proofs),
        revocations: () => revocationFigures({ ...proofs, checks: Number(values.checks) }),
      };
      let good = true;
      for (const [name, figures] of Object.entries(parts))
        if (argument === undefined || argument === name) good = (await figures()) && good;
      return good ? 0 : 1;
    }
    case 'tasks':
      await taskFigures();
      return 0;
    case 'viewer':
      return (await viewerFigures({ rounds: number(values.rounds, 5), checks: Number(values.checks) })) ? 0 : 1;
    case 'against': {
      const options = { rounds: number(values.rounds, 9), checks: Number(values.checks) };
      return (await against(argument ?? 'HEAD', options)) ? 0 : 1;
    }
    default:
      process.stderr.write(USAGE);
      return 64;
  }
}

async function bench(tree: Tree): Promise<number> {
  await takeLoadCore();
  const { checks, faults } = await measureChecks({
    ...rounds,
    tree,
    heimdall: !values['no-heimdall'],
    latencySeconds: values.quick ? 1 : 10,
    starts: values.quick ? 1 : 5,
  });
  for (const [name, figures] of Object.entries(checks.shapes)) print(line(name, figures));
  for (const { server, perSecond, p50, p99, p999 } of checks.latency)
    print(`bench: ${server} at ${perSecond} a second: p50 ${p50} ms, p99 ${p99} ms, p99.9 ${p999} ms`);
  const { handler, memoryMb, hits } = checks;
  print(`bench: inside the sidecar at 1000 a second: p99 ${handler.p99} ms, p99.9 ${handler.p999} ms`);
  print(`bench: memory: ${memoryMb.product?.idle} MB idle, ${memoryMb.product?.loaded} MB loaded`);
  print(`bench: ready after ${checks.starts.ready[1]} ms on one core, ${checks.starts.readyOnTwoCores[1]} ms on two`);
  print(`bench: ${hits.percentInSecondHalf} % of the verdicts remembered in the second half`);
  const share = Math.max(
    ...Object.values(checks.shapes).flatMap(({ servers }) => Object.values(servers).map(({ full }) => full.loadShare)),
  );
  print(`bench: the load generator took at most ${Math.round(share * 100)} % of its core`);
  for (const fault of faults) print(`bench: WRONG: ${fault}`);
  const into = join(root, 'build', 'bench');
  mkdirSync(into, { recursive: true });
  writeFileSync(join(into, 'run.json'), `${JSON.stringify(checks, null, 2)}\n`);
  writeFileSync(join(into, 'plot.svg'), plot(checks));
  if (faults.length > 0) return 1;
  if (values.record) record({ checks });
  return 0;
}

async function starts(tree: Tree): Promise<number> {
  await takeLoadCore();
  const found = await measureStarts(tree, number(argument, 7));
  for (const [name, value] of Object.entries(found)) print(`bench: starts: ${name} ${value.join(', ')}`);
  return 0;
}

async function sizes(tree: Tree): Promise<number> {
  await takeLoadCore();
  const header = await made();
  const { rows, notes } = await measureSizes(tree, { ...rounds, most: Number(values.most) }, (row) =>
    print(
      `bench: ${row.size} ${row.what}: ${row.micros[1]} us, ${row.ofSmallest} of the smallest, ready after ${row.readyMs} ms, ` +
        `${row.idleMb} MB idle, ${row.loadedMb} MB loaded`,
    ),
  );
  for (const note of notes) print(`bench: ${note}`);
  if (values.record) record({ sizes: { ...header, rows, notes } });
  return 0;
}

function record(section: Parameters<typeof writeLastRun>[0]): void {
  writeLastRun(section);
  writePage();
}
