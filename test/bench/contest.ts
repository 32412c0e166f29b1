import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TestCa } from '../support/ca.ts';
import { TRUST_DOMAIN } from '../support/estate.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { residentMb } from '../support/load.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { ending } from '../support/started.ts';
import { TaskIssuer } from '../support/task-issuer.ts';
import { ALONE, type Depth, drive, FULL, type Spent } from './load/drive.ts';
import { limitMemory } from './servers/cgroup.ts';
import { startHeimdall } from './servers/heimdall.ts';
import { type Contender, contender, startFloor, startProduct, type Tree } from './servers/servers.ts';
import { READS_PATHS, type ServerName, type Shape, shapes } from './shapes.ts';

/** Of the sidecar that has little memory: what docs/performance.md says is enough. */
export const LIMIT_MIB = 384;

/** All servers up at once, and what they are asked. */
export interface Contest {
  readonly servers: ReadonlyMap<ServerName, Contender>;
  readonly shapes: readonly Shape[];
  readonly product: Sidecar;
  /** Resident memory of each server before its first check, in MB. */
  readonly idleMb: ReadonlyMap<ServerName, number>;
  stop(): Promise<void>;
}

export async function assemble({ heimdall, tree }: { heimdall: boolean; tree: Tree }): Promise<Contest> {
  await using started = new AsyncDisposableStack();
  const [ca, issuer] = [TestCa.root(TRUST_DOMAIN), new TaskIssuer(TRUST_DOMAIN)];
  const folder = () => started.adopt(temporaryFolder(), removeFolder);
  const servers = new Map<ServerName, Contender>();
  for (const kind of ['floor', 'raw'] as const) servers.set(kind, ending(started, await startFloor(kind)));
  if (heimdall) {
    try {
      servers.set('heimdall', ending(started, await startHeimdall(folder(), issuer)));
    } catch (error) {
      const [why = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
      process.stderr.write(`bench: WITHOUT HEIMDALL, which cannot be had here: ${why}\n`);
    }
  }
  const product = ending(started, await startProduct({ dir: folder(), ca, issuer, tree }));
  servers.set('product', contender('product', product));
  const memory = limitMemory(LIMIT_MIB * 2 ** 20);
  if (typeof memory === 'string') {
    process.stderr.write(`bench: WITHOUT A MEMORY LIMIT, which cannot be set here: ${memory}\n`);
  } else {
    started.defer(memory.remove);
    const limited = ending(started, await startProduct({ dir: folder(), ca, issuer, tree, memory }));
    servers.set('limited', contender('limited', limited));
  }
  const readsPaths = (dir: string) => writeFileSync(join(dir, 'policies', 'bench.cedar'), READS_PATHS);
  const miss = ending(started, await startProduct({ dir: folder(), ca, issuer, tree, prepare: readsPaths }));
  servers.set('miss', contender('miss', miss));
  const idleMb = new Map([...servers].map(([name, { pid }]) => [name, residentMb(pid)]));
  const running = started.move();
  const asked = shapes(ca, issuer).filter((shape) =>
    shape.servers.some((name) => name !== 'floor' && name !== 'raw' && servers.has(name)),
  );
  return { servers, shapes: asked, product, idleMb, stop: () => running.disposeAsync() };
}

/** The windows of one shape at one server. */
export interface Windows {
  readonly full: Spent[];
  readonly alone: Spent[];
}

/** What was measured: by shape, then by server. */
export type Measured = ReadonlyMap<string, ReadonlyMap<ServerName, Windows>>;

export interface Rounds {
  readonly rounds: number;
  /** Of one window. */
  readonly seconds: number;
  /** Full load of each server before its first window that counts. */
  readonly warmUp: number;
}

/**
 * Rounds of windows: in each, every shape at every server in turn, in another order each time, so that what else the
 * machine does meets all alike. `after` is told of each window.
 */
export async function compare(
  { servers, shapes }: Contest,
  { rounds, seconds, warmUp }: Rounds,
  after: (server: ServerName) => void = () => {},
): Promise<Measured> {
  const measured = new Map(
    shapes.map((shape) => {
      const windows = shape.servers.filter((name) => servers.has(name)).map((name) => [name, { full: [], alone: [] }]);
      return [shape.name, new Map<ServerName, Windows>(windows as [ServerName, Windows][])] as const;
    }),
  );
  /** Checks a second that each last answered, by which the next window is supplied. */
  const rates = new Map<string, number>();
  const window = async (shape: Shape, name: ServerName, depth: Depth, time: number): Promise<Spent> => {
    const key = `${shape.name} ${name} ${depth.streams}`;
    const source = shape.begin(name, 100 + (rates.get(key) ?? 5000) * time * 1.2);
    const right = name === 'floor' || name === 'raw' ? 'allow' : shape.right;
    const spent = await drive(servers.get(name)!, source, { seconds: time }, right, depth);
    rates.set(key, spent.checks / spent.seconds);
    return spent;
  };
  for (const name of servers.keys()) {
    const its = shapes.filter((shape) => shape.servers.includes(name));
    for (const shape of its) await window(shape, name, FULL, warmUp / its.length);
  }
  for (let round = 0; round < rounds; round++) {
    for (const shape of shapes) {
      const all = [...measured.get(shape.name)!];
      const inOrder = [...all.slice(round % all.length), ...all.slice(0, round % all.length)];
      for (const [name, windows] of inOrder) {
        windows.full.push(await window(shape, name, FULL, seconds));
        after(name);
      }
      for (const [name, windows] of inOrder) windows.alone.push(await window(shape, name, ALONE, seconds));
    }
  }
  return measured;
}
