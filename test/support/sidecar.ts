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
export class Sidecar {
  readonly check: { readonly port: number } | { readonly socket: string };
  readonly configFile: string;
  readonly auditFile: string;
  /** What it writes to standard error, over all its starts. */
  readonly logFile: string;
  readonly statusPort: number;
  readonly #up: '/healthz' | '/readyz';
  readonly #command: Command;
  readonly #dir: string;
  #program: Program | null = null;

  private constructor(setup: SidecarSetup, checkPort: number, statusPort: number) {
    this.check = setup.tcp === true ? { port: checkPort } : { socket: join(setup.dir, 'check.sock') };
    this.configFile = join(setup.dir, 'config.yaml');
    this.auditFile = join(setup.dir, 'audit.jsonl');
    this.logFile = join(setup.dir, 'sidecar.log');
    this.statusPort = statusPort;
    this.#command = setup.command ?? byNode(setup.main ?? sources);
    this.#dir = setup.dir;
    this.#up = setup.unready === true ? '/healthz' : '/readyz';
    const check = 'port' in this.check ? `${setup.host ?? '127.0.0.1'}:${checkPort}` : `unix://${this.check.socket}`;
    const config = {
      ...setup.config,
      // No Envoy has to notice the end of most sidecars.
      // Another program may be of a version that does not know the key.
      limits: { ...(setup.main === undefined && { drainDelay: '0s' }), ...(setup.config.limits as object | undefined) },
      listen: { ...setup.listen, check, status: `127.0.0.1:${statusPort}` },
      audit: { ...(setup.config.audit as object | undefined), sinks: [{ file: { path: this.auditFile } }] },
    };
    // JSON is YAML.
    writeFileSync(this.configFile, JSON.stringify(config, null, 2));
  }

  /** Starts it and waits until it is ready, or until it serves. */
  static async start(setup: SidecarSetup): Promise<Sidecar> {
    const sidecar = new Sidecar(setup, setup.tcp === true ? await freePort() : 0, await freePort());
    await sidecar.start();
    return sidecar;
  }

  /** Starts it again after `stop` or `kill`, on the same addresses and the same audit file. */
  async start(): Promise<void> {
    const { file, args } = this.#command(['serve', '--config', this.configFile], this.#dir);
    const program = new Program('the sidecar', file, args, { logFile: this.logFile });
    this.#program = program;
    try {
      await until(
        'readiness of the sidecar',
        async () => {
          if (program.exitCode !== null) return 'ended';
          return (await this.status(this.#up)).status === 200 ? 'ready' : null;
        },
        START_LIMIT_MS,
      );
      program.assertRunning();
    } catch (error) {
      await program.stop('SIGKILL');
      throw new Error(`the sidecar did not start:\n${program.tail()}`, { cause: error });
    }
  }

  /** A request to the status port. */
  status(path: '/healthz' | '/readyz' | '/status' | '/metrics'): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.statusPort}${path}`);
  }

  /** The value of one series of /metrics, written as it stands there (`name{label="x"}`); 0 when it is not there yet. */
  async metric(series: string): Promise<number> {
    const line = (await (await this.status('/metrics')).text())
      .split('\n')
      .find((text) => text.startsWith(`${series} `));
    return line === undefined ? 0 : Number(line.slice(series.length + 1));
  }

  /** The audit file so far, boot lines included. */
  audit(): readonly AuditLine[] {
    return linesOf(this.auditFile).map((line) => JSON.parse(line) as AuditLine);
  }

  /** The audit line of a decision, which is there before its answer leaves. */
  auditOf(decision: string | null): AuditLine {
    const found = this.audit().find((line) => line.decision === decision && decision !== null);
    if (found === undefined) throw new Error(`no audit line of decision ${decision}`);
    return found;
  }

  /** What it wrote to standard error since its last start, line by line. */
  get log(): readonly string[] {
    return this.#program?.stderr ?? [];
  }

  get pid(): number {
    return this.#program?.pid ?? -1;
  }

  /** SIGTERM; the exit code. */
  stop(): Promise<number> {
    return this.#end('SIGTERM');
  }

  /** SIGKILL: as if the machine had taken it away. */
  kill(): Promise<number> {
    return this.#end('SIGKILL');
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number> {
    const program = this.#program;
    this.#program = null;
    return program === null ? 0 : await program.stop(signal);
  }
}
