import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { run } from '../../support/run.ts';
import type { Windows } from '../contest.ts';
import { micros, ratio, rounded, type Spread, spread } from '../figures.ts';
import type { Hits } from '../hits.ts';
import type { Spent } from '../load/drive.ts';
import type { Latency } from '../load/latency.ts';
import { root } from '../servers/servers.ts';
import type { ServerName, Shape } from '../shapes.ts';
import type { Sizes } from '../sizes.ts';
import type { Starts } from '../starts.ts';

/** When, of what and where a section was measured. */
export interface Made {
  readonly date: string;
  readonly commit: string;
  readonly machine: string;
  /** Of the minute before: what else the machine had to do. */
  readonly load: number;
  readonly node: string;
}

/** What a server takes for one shape. */
export interface ServerFigures {
  /** CPU microseconds a check. */
  readonly micros: Spread;
  readonly perSecond: Spread;
  /** Of the load generator: the most that it took of its core. */
  readonly loadShare: number;
}

export interface ShapeFigures {
  readonly about: string;
  readonly servers: Partial<Record<ServerName, { readonly full: ServerFigures; readonly alone: ServerFigures }>>;
  /** Of the product, or of the only server there is; null where there is nothing to compare with. */
  readonly ofFloor: number;
  readonly ofFloorAlone: number;
  readonly ofHeimdall: number | null;
}

/** What `npm run bench` measures. */
export interface Checks extends Made {
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUp: number;
  readonly shapes: Readonly<Record<string, ShapeFigures>>;
  readonly latency: readonly (Latency & { readonly server: ServerName; readonly perSecond: number })[];
  /** Milliseconds inside the sidecar at 1,000 checks a second, by its own histogram. */
  readonly handler: { readonly p50: number; readonly p99: number; readonly p999: number };
  readonly memoryMb: Partial<Record<ServerName, { readonly idle: number; readonly loaded: number }>>;
  readonly starts: Starts;
  readonly hits: Hits;
}

/** What `npm run soak -- steady` measures. */
export interface Steady extends Made {
  readonly minutes: number;
  readonly most: number;
  readonly perSecond: number;
  readonly checks: number;
  readonly latency: Pick<Latency, 'p50' | 'p99' | 'p999' | 'slowest'>;
  readonly overload: {
    readonly perSecond: number;
    readonly inTime: number;
    readonly decided: number;
    readonly late: number;
    readonly lostConnections: number;
    readonly recoveredMs: number;
  };
}

/** The last full run of each, as it is committed; docs/performance.md is made of it. */
export interface LastRun {
  readonly checks: Checks;
  readonly sizes?: Sizes & Made;
  readonly steady?: Steady;
}

export const lastRunFile = join(root, 'test', 'bench', 'last-run.json');

export function readLastRun(): LastRun {
  return JSON.parse(readFileSync(lastRunFile, 'utf8')) as LastRun;
}

/** Replaces one section of the last run. */
export function writeLastRun(section: Partial<LastRun>): void {
  writeFileSync(lastRunFile, `${JSON.stringify({ ...readLastRun(), ...section }, null, 2)}\n`);
}

/** Now, here, at this commit; for the time before a run. */
export async function made(): Promise<Made> {
  const [{ model = 'unknown' } = {}] = cpus();
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: (await run('git', ['rev-parse', '--short', 'HEAD'], { cwd: root })).trim(),
    machine: `${model}, ${cpus().length} cores, ${gigabytes} GiB, Linux ${release().split('-')[0]}`,
    load: rounded(loadavg()[0]!, 1),
    node: process.versions.node,
  };
}

/** The server that is the product in a shape. */
export function ours(servers: { has(name: ServerName): boolean }): ServerName {
  return (['product', 'miss', 'heimdall'] as const).find((name) => servers.has(name))!;
}

/** What the windows of a shape come to. */
export function figuresOf({ about }: Pick<Shape, 'about'>, by: ReadonlyMap<ServerName, Windows>): ShapeFigures {
  const name = ours(by);
  const [mine, floor, peer] = [by.get(name)!, by.get('floor')!, by.get('heimdall')];
  return {
    about,
    servers: Object.fromEntries(
      [...by].map(([server, { full, alone }]) => [server, { full: figures(full), alone: figures(alone) }]),
    ),
    ofFloor: rounded(ratio(mine.full, floor.full)),
    ofFloorAlone: rounded(ratio(mine.alone, floor.alone)),
    ofHeimdall: peer === undefined || name === 'heimdall' ? null : rounded(ratio(mine.full, peer.full)),
  };
}

function figures(windows: readonly Spent[]): ServerFigures {
  const each = (values: readonly number[], digits: number) =>
    spread(values).map((one) => rounded(one, digits)) as unknown as Spread;
  return {
    micros: each(windows.map(micros), 1),
    perSecond: each(
      windows.map(({ checks, seconds }) => checks / seconds),
      0,
    ),
    loadShare: rounded(Math.max(...windows.map(({ loadShare }) => loadShare))),
  };
}
