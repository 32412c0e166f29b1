import { parseArgs } from 'node:util';
import { against } from './against.ts';
import { assemble, type Contender, type Spent } from './contenders.ts';
import { micros, spread } from './figures.ts';
import { firstChecks } from './starts.ts';
import { stateFigures } from './state.ts';

/**
 * `npm run bench [-- --seconds N] [--rounds N] [--starts N]`: what one check costs, through gRPC on a Unix socket, beside what it
 * cannot cost less than. Rounds alternate, so that what else the machine does meets all alike. CPU is that of the server
 * process alone; compare figures of one run only. At last, what the first check after a start takes.
 *
 * `npm run bench -- state [--rounds N] [--checks N]`: what a proof costs with the memory and with a shared store.
 *
 * `npm run bench -- against COMMIT [--rounds N] [--checks N]`: what a check costs here and at that commit.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    checks: { type: 'string', default: '20000' },
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string' },
    starts: { type: 'string', default: '7' },
  },
});
if (positionals[0] === 'against') {
  const options = { rounds: Number(values.rounds ?? 9), checks: Number(values.checks) };
  process.exit((await against(positionals[1] ?? 'HEAD', options)) ? 0 : 1);
}
if (positionals[0] === 'state') {
  const options = { rounds: Number(values.rounds ?? 5), checks: Number(values.checks) / 10 };
  process.exit((await stateFigures(options)) ? 0 : 1);
}
const [seconds, rounds, starts] = [Number(values.seconds), Number(values.rounds ?? 5), Number(values.starts)];

const contest = await assemble();
try {
  const spent = new Map<Contender, Spent[]>(contest.contenders.map((contender) => [contender, []]));
  // One round more than is counted: the first compiles.
  for (let round = 0; round <= rounds; round++) {
    for (const [contender, list] of spent) {
      const one = await contender.busy(seconds);
      if (round > 0) list.push(one);
    }
  }
  const floor = micros([...spent.values()][0]!)[1];
  for (const [{ name }, list] of spent) process.stdout.write(`bench ${name.padEnd(38)}${figures(list, floor)}\n`);
  process.stdout.write(
    `bench memory of the sidecar: ${contest.memoryMb()} MB resident, node ${process.versions.node}\n`,
  );
  const wrong = [...spent.values()].flat().reduce((sum, one) => sum + one.wrong, 0);
  if (wrong > 0) {
    process.stdout.write(`bench: ${wrong} answers were wrong\n`);
    process.exitCode = 1;
  }
} finally {
  await contest.stop();
}
for (const [name, [first, hundredth]] of starts > 0 ? await firstChecks(starts) : []) {
  process.stdout.write(`bench ${name.padEnd(38)}${span(first)}, the hundredth ${span(hundredth)}, ${starts} starts\n`);
}

/** Median with minimum and maximum, of CPU and of throughput. */
function figures(list: readonly Spent[], floor: number): string {
  const [lowest, median, highest] = micros(list);
  const [slowest, usual, fastest] = spread(list.map((one) => one.checks / one.seconds)).map(Math.round);
  return (
    `${median.toFixed(1).padStart(6)} CPU µs (${lowest.toFixed(1)} to ${highest.toFixed(1)}), ` +
    `${(median / floor).toFixed(2)} of the floor, ${usual}/s (${slowest} to ${fastest})`
  );
}

function span(milliseconds: readonly number[]): string {
  const [lowest, median, highest] = spread(milliseconds).map((ms) => ms.toFixed(1));
  return `${median} ms (${lowest} to ${highest})`;
}
