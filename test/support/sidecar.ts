import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './ports.ts';
import { Program } from './process.ts';
import { until } from './until.ts';

/** On a machine that is busy with other tests. */
const START_LIMIT_MS = 60_000;
const sources = join(import.meta.dirname, '..', '..', 'src', 'main.ts');

/** The lines of a file. */
export function linesOf(file: string): readonly string[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
}

/** How to start the product with arguments; `dir` is the only folder that it reads and writes. */
export type Command = (
  args: readonly string[],
  dir: string,
) => { readonly file: string; readonly args: readonly string[] };

/** A program of the product under the Node of the tests. The port of the inspector opens at SIGUSR1 alone. */
const byNode =
  (main: string): Command =>
  (args) => ({ file: process.execPath, args: ['--inspect-port=0', main, ...args] });

/** One line of the audit file, as far as tests look at it. */
export interface AuditLine {
  readonly seq: number;
  readonly decision?: string;
  readonly result?: 'allow' | 'deny';
  readonly reason?: string;
  readonly caller?: { readonly id: string } | null;
  readonly policy?: { readonly revision: string | null };
  readonly [more: string]: unknown;
}

/** The configuration of a sidecar that runs in `dir`. Ports and the audit file are the harness's; the rest is the test's. */
export interface SidecarSetup {
  readonly dir: string;
  /** TCP on loopback instead of a Unix socket in `dir`. */
  readonly tcp?: boolean;
  /** With `tcp`: the address to listen on, where it is not loopback. */
  readonly host?: string;
  /** More of the section `listen`. */
  readonly listen?: Readonly<Record<string, unknown>>;
  /** The program to run, where it is not `src/main.ts` of this checkout. */
  readonly main?: string;
  /** How to start it, where it is not by the Node of the tests. */
  readonly command?: Command;
  /** A start is over when it serves, ready or not. */
  readonly unready?: boolean;
  /** The configuration file without `listen` and the sinks of `audit`. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** The product itself, started as an operator starts it: `serve --config FILE`. It can be killed and started again. */
export const Sidecar = { start };
export type Sidecar = Awaited<ReturnType<typeof start>>;

/** Starts it and waits until it is ready, or until it serves. */
async function start(setup: SidecarSetup) {
  const { dir, tcp = false, host = '127.0.0.1', main, command = byNode(main ?? sources), unready = false } = setup;
  const port = tcp ? await freePort() : 0;
  const statusPort = await freePort();
  const target: { readonly port: number } | { readonly socket: string } = tcp
    ? { port }
    : { socket: join(dir, 'check.sock') };
  const configFile = join(dir, 'config.yaml');
  const auditFile = join(dir, 'audit.jsonl');
  const logFile = join(dir, 'sidecar.log');
  const config = {
    ...setup.config,
    // No Envoy has to notice the end of most sidecars.
    // Another program may be of a version that does not know the key.
    limits: { ...(main === undefined && { drainDelay: '0s' }), ...(setup.config.limits as object | undefined) },
    listen: {
      ...setup.listen,
      check: 'port' in target ? `${host}:${port}` : `unix://${target.socket}`,
      status: `127.0.0.1:${statusPort}`,
    },
    audit: { ...(setup.config.audit as object | undefined), sinks: [{ file: { path: auditFile } }] },
  };
  // JSON is YAML.
  writeFileSync(configFile, JSON.stringify(config, null, 2));

  let program: Program | null = null;
  /** A request to the status port. */
  const status = (path: '/healthz' | '/readyz' | '/status' | '/metrics'): Promise<Response> =>
    fetch(`http://127.0.0.1:${statusPort}${path}`);
  /** Starts it again after `stop` or `kill`, on the same addresses and the same audit file. */
  const again = async (): Promise<void> => {
    const { file, args } = command(['serve', '--config', configFile], dir);
    const starting = new Program('the sidecar', file, args, { logFile });
    program = starting;
    const isUp = async (): Promise<true | null> =>
      starting.exitCode !== null || (await status(unready ? '/healthz' : '/readyz')).status === 200 ? true : null;
    try {
      await until('readiness of the sidecar', isUp, START_LIMIT_MS);
      starting.assertRunning();
    } catch (error) {
      await starting.stop('SIGKILL');
      throw new Error(`the sidecar did not start:\n${starting.tail()}`, { cause: error });
    }
  };
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<number> => {
    const ending = program;
    program = null;
    return ending === null ? 0 : await ending.stop(signal);
  };
  /** The audit file so far, boot lines included. */
  const audit = (): readonly AuditLine[] => linesOf(auditFile).map((line) => JSON.parse(line) as AuditLine);
  await again();
  return {
    check: target,
    configFile,
    auditFile,
    /** What it writes to standard error, over all its starts. */
    logFile,
    statusPort,
    start: again,
    status,
    audit,
    /** The value of one series of /metrics, written as it stands there (`name{label="x"}`); 0 when it is not there yet. */
    metric: async (series: string): Promise<number> => {
      const lines = (await (await status('/metrics')).text()).split('\n');
      return Number(lines.find((text) => text.startsWith(`${series} `))?.slice(series.length + 1) ?? 0);
    },
    /** The audit line of a decision, which is there before its answer leaves. */
    auditOf: (decision: string | null): AuditLine => {
      const found = audit().find((line) => line.decision === decision && decision !== null);
      if (found === undefined) throw new Error(`no audit line of decision ${decision}`);
      return found;
    },
    /** What it wrote to standard error since its last start, line by line. */
    get log(): readonly string[] {
      return program?.stderr ?? [];
    },
    get pid(): number {
      return program?.pid ?? -1;
    },
    /** SIGTERM; the exit code. */
    stop: () => end('SIGTERM'),
    /** SIGKILL: as if the machine had taken it away. */
    kill: () => end('SIGKILL'),
  };
}
