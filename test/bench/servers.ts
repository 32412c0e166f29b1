import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleDocument, type TestCa } from '../support/ca.ts';
import { exampleIdentity, PAYMENTS } from '../support/estate.ts';
import { Program } from '../support/process.ts';
import { run } from '../support/run.ts';
import { Sidecar } from '../support/sidecar.ts';
import type { TaskIssuer } from '../support/task-issuer.ts';
import { until } from '../support/until.ts';
import { ORIGIN } from './messages.ts';

/** The server has this core, and the load the other one. */
const SERVER_CORE = '0';
const LOAD_CORE = '1';
export const BOTH_CORES = `${SERVER_CORE},${LOAD_CORE}`;
export const root = join(import.meta.dirname, '..', '..');

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

/** The server that says yes: `raw` without reading the request. */
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
  /** Another checkout than this one, whose sources are run. */
  readonly tree?: string;
  readonly prepare?: Prepare;
  readonly limits?: Readonly<Record<string, unknown>>;
  /** Those that it may use; one when left out. */
  readonly cores?: string;
}

/** Writes `dist`, as an operator gets it. */
export async function build(): Promise<void> {
  await run('npm', ['run', 'build'], { cwd: root });
}

/**
 * The product with the example's policies and a task issuer, its audit a file: the built program with the flags of its first
 * line, or the sources of another checkout.
 */
export async function startProduct({
  dir,
  ca,
  issuer,
  tree,
  prepare,
  limits,
  cores,
}: ProductOptions): Promise<Sidecar> {
  cpSync(join(tree ?? root, 'cedar', 'example'), dir, { recursive: true });
  writeFileSync(join(dir, 'bundle.json'), JSON.stringify(bundleDocument([ca])));
  const inventory = join(dir, 'inventory.yaml');
  const host = `  - host: ${PAYMENTS}\n`;
  writeFileSync(inventory, readFileSync(inventory, 'utf8').replace(host, `${host}    origin: ${ORIGIN}\n`));
  prepare?.(dir);
  const main = tree === undefined ? join(root, 'dist', 'main.js') : join(tree, 'src', 'main.ts');
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
    config: tree === undefined ? config : inWordsOf(tree, config),
    main,
    command: (args) => onServerCore(process.execPath, ['--inspect-port=0', ...nodeFlags(main), main, ...args], cores),
  });
}

/** A sidecar as one that is compared. */
export function contender(name: string, sidecar: Sidecar): Contender {
  if (!('port' in sidecar.check)) throw new Error('it listens on a socket');
  return { name, port: sidecar.check.port, pid: sidecar.pid, stop: () => sidecar.stop() };
}

/** What the first line of a program tells `env -S node`. */
function nodeFlags(main: string): readonly string[] {
  const [, flags = ''] = /^#!.*\bnode((?: \S+)*)\n/.exec(readFileSync(main, 'utf8')) ?? [];
  return flags.split(' ').filter((flag) => flag !== '');
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
