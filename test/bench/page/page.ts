import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LIMIT_MIB } from '../contest.ts';
import type { Spread } from '../figures.ts';
import { root } from '../servers/servers.ts';
import type { ServerName } from '../shapes.ts';
import type { SizeRow } from '../sizes.ts';
import { plot } from './plot.ts';
import { type Checks, type LastRun, type Made, ours, readLastRun, type ServerFigures } from './record.ts';

const NAMES: Readonly<Record<ServerName, string>> = {
  floor: 'floor',
  raw: 'raw',
  heimdall: 'Heimdall',
  product: 'cedar-ext-authz',
  limited: `cedar-ext-authz within ${LIMIT_MIB} MiB`,
  miss: 'cedar-ext-authz',
};
/** A load average up to this is that of the bench itself, while it builds. */
const IDLE = 1;
const pageFile = join(root, 'docs', 'performance.md');
const plotFile = join(root, 'docs', 'performance.svg');

/** Writes docs/performance.md and its plot from the last run. */
export function writePage(): void {
  const run = readLastRun();
  writeFileSync(pageFile, page(run));
  writeFileSync(plotFile, plot(run.checks));
}

/** docs/performance.md: the prose of the template, and the tables of a run. */
export function page(run: LastRun): string {
  const parts = partsOf(run);
  const template = readFileSync(join(import.meta.dirname, 'performance.template.md'), 'utf8');
  return template
    .replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
      const part = parts[name];
      if (part === undefined) throw new Error(`the template asks for ${name}`);
      return part;
    })
    .replace(/\n{3,}/g, '\n\n');
}

function partsOf({ checks, sizes, steady }: LastRun): Readonly<Record<string, string>> {
  const shares = Object.values(checks.shapes).flatMap(({ servers }) =>
    Object.values(servers).flatMap(({ full, alone }) => [full.loadShare, alone.loadShare]),
  );
  const { handler, hits } = checks;
  return {
    made: `${madeOf(checks)}, Node ${checks.node}`,
    checks: checksTable(checks),
    rounds: String(checks.rounds),
    seconds: String(checks.seconds),
    warmUp: String(checks.warmUp),
    heimdall: checks.memoryMb.heimdall === undefined ? 'left out of this run' : 'version 0.17.18, a server in Go',
    shapes: Object.entries(checks.shapes)
      .map(([name, { about }]) => `| \`${name}\` | ${about} |`)
      .join('\n'),
    latency: latencyTable(checks),
    handler: `Inside the sidecar at 1,000 a second, by its own histogram: half within ${handler.p50} ms, 99 % within ${handler.p99} ms, 99.9 % within ${handler.p999} ms.`,
    memory: `${memoryTable(checks)}\n\n${limitedTo(checks)}`,
    starts: startsTable(checks),
    cost: costTable(checks),
    hits:
      `20 workloads with 200 paths and five tasks each, ${count(hits.decisions)} questions about the shipped policies: ` +
      `**${hits.percentInSecondHalf} %** of the verdicts were remembered in the second half, ${hits.percent} % over all; Cedar was asked ${hits.asked} times.`,
    limit: String(LIMIT_MIB),
    share: `${Math.round(Math.max(...shares) * 100)} %`,
    sizes: sizes === undefined ? 'Not measured yet: `npm run bench -- sizes --record`.' : sizesTable(sizes),
    steady: steady === undefined ? '' : steadyOf(steady),
  };
}

const madeOf = ({ date, commit, machine, load }: Made): string =>
  `Measured ${date}, commit ${commit}, ${machine}${load > IDLE ? `, which was busy with other work (load average ${load}): times are upper bounds` : ''}`;
const count = (value: number): string => value.toLocaleString('en');
const spreadOf = ([min, median, max]: Spread): string => `**${median}** (${min} to ${max})`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map((_, at) => (at === 0 ? '---' : '--:')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');

function oursOf({ servers }: Checks['shapes'][string]): { full: ServerFigures; alone: ServerFigures } {
  return servers[ours(new Map(Object.entries(servers)) as ReadonlyMap<ServerName, unknown>)]!;
}

function checksTable({ shapes }: Checks): string {
  const rows = Object.entries(shapes).map(([name, figures]) => {
    const { full, alone } = oursOf(figures);
    const beside = (['floor', 'raw', 'heimdall'] as const).map((server) =>
      figures.servers[server] === undefined ? '–' : String(figures.servers[server].full.micros[1]),
    );
    return [
      `\`${name}\``,
      spreadOf(full.micros),
      count(full.perSecond[1]),
      figures.ofFloor.toFixed(2),
      figures.ofHeimdall === null ? '–' : figures.ofHeimdall.toFixed(2),
      ...beside,
      spreadOf(alone.micros),
      figures.ofFloorAlone.toFixed(2),
    ];
  });
  const head = 'shape, CPU µs, a second, of floor, of Heimdall, floor µs, raw µs, Heimdall µs, alone: CPU µs, of floor';
  return table(head.split(', '), rows);
}

function latencyTable({ latency }: Checks): string {
  const rows = latency.map(({ server, perSecond, p50, p99, p999, slowest }) => [
    NAMES[server],
    ...[count(perSecond), p50, p99, p999, slowest].map(String),
  ]);
  return table(['server', 'checks a second', 'p50', 'p99', 'p99.9', 'slowest'], rows);
}

function memoryTable({ memoryMb }: Checks): string {
  const rows = (['product', 'limited', 'floor', 'raw', 'heimdall'] as const).flatMap((name) => {
    const its = memoryMb[name];
    return its === undefined ? [] : [[NAMES[name], String(its.idle), String(its.loaded)]];
  });
  return table(['server', 'resident when idle, MB', 'the most under load, MB'], rows);
}

/** What a limit of memory costs. */
function limitedTo({ shapes }: Checks): string {
  const ratios = Object.entries(shapes).flatMap(
    ([
      shape,
      {
        servers: { product, limited },
      },
    ]) =>
      product === undefined || limited === undefined
        ? []
        : [`\`${shape}\` costs ${(limited.full.micros[1] / product.full.micros[1]).toFixed(2)}`],
  );
  if (ratios.length === 0) return '';
  return `Within a memory cgroup of ${LIMIT_MIB} MiB ${ratios.join(' and ')} times what it costs without.`;
}

function startsTable({ starts }: Checks): string {
  const rows: readonly (readonly [string, Spread])[] = [
    ['ready, on one core', starts.ready],
    ['ready, on two cores', starts.readyOnTwoCores],
    ['first check, with a certificate never seen', starts.firstByCertificate],
    ['first check, in a task', starts.firstInTask],
    ['the hundredth, in a task', starts.hundredthInTask],
  ];
  return table(
    ['start', 'ms'],
    rows.map(([name, spread]) => [name, spreadOf(spread)]),
  );
}

/** What is more in one shape than in another. */
function costTable({ shapes }: Checks): string {
  const micros = (shape: string, server: ServerName = 'product'): number =>
    shapes[shape]?.servers[server]?.full.micros[1] ?? Number.NaN;
  const rows: readonly (readonly [string, number])[] = [
    ['gRPC and protobuf (the floor)', micros('certificate', 'floor')],
    ['all else of a check by certificate, audit line included', micros('certificate') - micros('certificate', 'floor')],
    ['a task token, seen before', micros('task') - micros('certificate')],
    ['a task token, never seen: one ES256 signature', micros('new-task') - micros('task')],
    ['a DPoP proof: one ES256 signature, and its single use', micros('dpop') - micros('task')],
    ['a certificate, never seen: path and signature', micros('new-certificate') - micros('certificate')],
    ['a verdict that is not remembered: Cedar', micros('miss', 'miss') - micros('certificate')],
  ];
  return table(
    ['part', 'CPU µs'],
    rows.map(([name, value]) => [name, String(Math.round(value))]),
  );
}

function sizesTable(sizes: NonNullable<LastRun['sizes']>): string {
  const rows = sizes.rows.map(({ what, size, micros, ofSmallest, readyMs, idleMb, loadedMb }: SizeRow) => [
    `${count(size)} ${what}`,
    spreadOf(micros),
    ofSmallest.toFixed(2),
    ...[count(readyMs), idleMb, loadedMb].map(String),
  ]);
  const head = ['size', 'CPU µs', 'of the smallest', 'ready after, ms', 'idle, MB', 'loaded, MB'];
  return [
    `${madeOf(sizes)}. Six callers take turns, all of whose verdicts are remembered.`,
    '',
    table(head, rows),
    '',
    ...sizes.notes.map((note) => `- ${note}.`),
  ].join('\n');
}

function steadyOf(steady: NonNullable<LastRun['steady']>): string {
  const { minutes, perSecond, most, checks, latency, overload } = steady;
  return (
    `${madeOf(steady)}: **${minutes} minutes at ${count(perSecond)} a second**, 85 % of the maximum of ${count(most)}: ${count(checks)} checks, no ` +
    `error and no second without answers; p50 ${latency.p50} ms, p99 ${latency.p99} ms, p99.9 ${latency.p999} ms, slowest ${latency.slowest} ms. ` +
    `At ${count(overload.perSecond)} a second, three times the maximum: ${count(overload.inTime)} answers a second within their deadline of 200 ms, ` +
    `${count(overload.decided)} of them decided and the others refused as overloaded, ${overload.late} late; right again ${overload.recoveredMs} ms after it ended.`
  );
}
