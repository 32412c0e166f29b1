import { parseArgs } from 'node:util';
import { assemble, type Contender, type Spent } from './contenders.ts';
import { firstChecks } from './starts.ts';

/**
 * `npm run bench [-- --seconds N] [--rounds N] [--starts N]`: what one check costs, through gRPC on a Unix socket, beside what it
 * cannot cost less than. Rounds alternate, so that what else the machine does meets all alike. CPU is that of the server
 * process alone; compare figures of one run only. At last, what the first check after a start takes.
 */
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '5' },
    starts: { type: 'string', default: '7' },
  },
});
const [seconds, rounds, starts] = [Number(values.seconds), Number(values.rounds), Number(values.starts)];

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
  const floor = micros([...spent.values()][0]!)[1]!;
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
  const [lowest, median, highest] = micros(list) as [number, number, number];
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

function micros(list: readonly Spent[]): readonly number[] {
  return spread(list.map((one) => (one.cpuMs * 1000) / one.checks));
}

/** Minimum, median and maximum. */
function spread(values: readonly number[]): readonly [number, number, number] {
  const sorted = values.toSorted((a, b) => a - b);
  return [sorted[0]!, sorted[sorted.length >> 1]!, sorted.at(-1)!];
}
