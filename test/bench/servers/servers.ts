import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { asShipped } from '../../support/as-shipped.ts';
import { bundleDocument, type TestCa } from '../../support/ca.ts';
import { exampleIdentity, PAYMENTS } from '../../support/estate.ts';
import { Program } from '../../support/process.ts';
import { run } from '../../support/run.ts';
import { Sidecar } from '../../support/sidecar.ts';
import type { TaskIssuer } from '../../support/task-issuer.ts';
import { until } from '../../support/until.ts';
import { ORIGIN } from '../messages.ts';
import type { MemoryLimit } from './cgroup.ts';

/** The server has this core, and the load the other one, if there is one. */
const SERVER_CORE = '0';
const LOAD_CORE = availableParallelism() > 1 ? '1' : '0';
export const BOTH_CORES = `${SERVER_CORE},${LOAD_CORE}`;
export const root = join(import.meta.dirname, '..', '..', '..');

/** A server that is compared: it answers Envoy's Check on a port of loopback. */
export interface Contender {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  readonly stop: () => Promise<unknown>;
}

/** A command line that runs on the servers' core, with all its threads. */
export function onServerCore(
  file: string,
  args: readonly string[],
  cores = SERVER_CORE,
): { file: string; args: readonly string[] } {
  return { file: 'taskset', args: ['-c', cores, file, ...args] };
}

/** Keeps this process, which makes the load, on the other core. */
export async function takeLoadCore(): Promise<void> {
  await run('taskset', ['-acp', LOAD_CORE, String(process.pid)]);
}

/** The server that allows everything: `raw` without reading the request. */
export async function startFloor(kind: 'floor' | 'raw'): Promise<Contender> {
  const { file, args } = onServerCore(process.execPath, [join(import.meta.dirname, 'floor.mjs'), kind]);
  const program = new Program(`the ${kind} server`, file, args);
  const port = await until(`the ${kind} server`, () => {
    program.assertRunning();
    return program.stdout.find((line) => line.startsWith('serving '))?.slice('serving '.length);
  });
  return { name: kind, port: Number(port), pid: program.pid, stop: () => program.stop() };
}

/** The folder that a sidecar runs in, before it starts: change what it holds. */
export type Prepare = (dir: string) => void;

export interface ProductOptions {
  readonly dir: string;
  readonly ca: TestCa;
  readonly issuer: TaskIssuer;
  readonly tree: Tree;
  readonly prepare?: Prepare;
  readonly limits?: Readonly<Record<string, unknown>>;
  /** Those that it may use; one when left out. */
  readonly cores?: string;
  readonly memory?: MemoryLimit;
}

/** A product to start. */
export interface Tree {
  readonly root: string;
  /** Below `root`. */
  readonly main: string;
}

/** The sources of a checkout. */
export const sourcesOf = (checkout: string): Tree => ({ root: checkout, main: 'src/main.ts' });

/** What `npm run build` makes of this checkout, in an empty folder: edits and builds that go on meanwhile change nothing. */
export async function build(folder: string): Promise<Tree> {
  const parts = ['src', 'proto', 'cedar', 'package.json', 'tsconfig.json', 'tsconfig.build.json'];
  for (const part of [...parts, 'test/support/node-version.mjs'])
    cpSync(join(root, part), join(folder, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  await run('npm', ['run', 'build'], { cwd: folder });
  return { root: folder, main: 'dist/main.js' };
}

/**
 * A product with the example's policies and a task issuer, its audit a file, under the flags of its program's first line.
 */
export async function startProduct(options: ProductOptions): Promise<Sidecar> {
  const { dir, ca, issuer, tree, prepare, limits, cores, memory } = options;
  cpSync(join(tree.root, 'cedar', 'example'), dir, { recursive: true });
  writeFileSync(join(dir, 'bundle.json'), JSON.stringify(bundleDocument([ca])));
  const inventory = join(dir, 'inventory.yaml');
  const host = `  - host: ${PAYMENTS}\n`;
  writeFileSync(inventory, readFileSync(inventory, 'utf8').replace(host, `${host}    origin: ${ORIGIN}\n`));
  prepare?.(dir);
  const main = join(tree.root, tree.main);
  const config = {
    hosts: [PAYMENTS],
    identity: exampleIdentity({ mode: 'sanitize-set' }),
    task: issuer.configure(dir),
    policy: { folder: './policies', inventory: './inventory.yaml' },
    limits: { deadline: '30s', ...limits },
  };
  return await Sidecar.start({
    dir,
    tcp: true,
    config: inWordsOf(tree.root, config),
    main,
    command: (more) => {
      const command = onServerCore('env', [...asShipped(main), '--inspect-port=0', main, ...more], cores);
      return memory === undefined ? command : memory.within(command.file, command.args);
    },
  });
}

/** A sidecar as one that is compared. */
export function contender(name: string, sidecar: Sidecar): Contender {
  if (!('port' in sidecar.check)) throw new Error('it listens on a socket');
  return { name, port: sidecar.check.port, pid: sidecar.pid, stop: () => sidecar.stop() };
}

/** The configuration as a tree reads it: one from before keys were renamed has a schema with the old ones. */
function inWordsOf(tree: string, config: Record<string, unknown>): Record<string, unknown> {
  if (!/^ +serves: s$/m.test(readFileSync(join(tree, 'src', 'config', 'schema.ts'), 'utf8'))) return config;
  const old = new Map([
    ['hosts', 'serves'],
    ['local', 'ours'],
    ['legacyClaimNames', 'oldNames'],
  ]);
  return JSON.parse(
    JSON.stringify(config).replace(/"(\w+)":/g, (key, name) => (old.has(name) ? `"${old.get(name)}":` : key)),
  );
}
