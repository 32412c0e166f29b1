import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { removeFolder, temporaryFolder } from './folder.ts';
import { freePort } from './ports.ts';
import { Program } from './process.ts';
import { run } from './run.ts';
import { until } from './until.ts';

const binary = 'redis-server';

/** Why these tests cannot run here; false where they can. On the machines of CI a missing server is an error. */
export const noRedis: string | false = (() => {
  try {
    execFileSync(binary, ['--version']);
    return false;
  } catch {
    const message = `${binary} is not installed (Debian: apt-get install redis-server redis-sentinel redis-tools)`;
    if (process.env.CI === 'true') throw new Error(message);
    process.stderr.write(`SKIPPED: ${message}\n`);
    return message;
  }
})();

export interface RedisSetup {
  /** More of its configuration, a line each. */
  readonly config?: readonly string[];
  /** Files of its folder, by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** By TLS instead, with `server.pem`, `server.key` and `ca.pem` of its folder; `clients`: whether they need certificates. */
  readonly tls?: { readonly clients: 'no' | 'yes' };
  /** Listens on a Unix socket too. */
  readonly socket?: boolean;
  /** As a Sentinel. */
  readonly sentinel?: boolean;
  readonly env?: NodeJS.ProcessEnv;
}

/** A real Redis in a folder of its own, which can be killed, stopped for a while and started again. */
export class Redis {
  readonly port: number;
  readonly dir: string;
  readonly socket: string;
  readonly #setup: RedisSetup;
  #program: Program | null = null;

  private constructor(setup: RedisSetup, port: number, dir: string) {
    this.#setup = setup;
    this.port = port;
    this.dir = dir;
    this.socket = join(dir, 'redis.sock');
  }

  static async start(setup: RedisSetup = {}): Promise<Redis> {
    const redis = new Redis(setup, await freePort(), temporaryFolder());
    chmodSync(redis.dir, 0o755);
    for (const [name, text] of Object.entries(setup.files ?? {})) writeFileSync(join(redis.dir, name), text);
    await redis.start();
    return redis;
  }

  /** Starts it for one test, and removes it afterwards. */
  static async of(t: TestContext, setup: RedisSetup = {}): Promise<Redis> {
    const redis = await Redis.start(setup);
    t.after(() => redis.remove());
    return redis;
  }

  /** Starts it, again after `kill` too: on the same port, in the same folder. */
  async start(more: readonly string[] = []): Promise<void> {
    const { config = [], tls, socket = false, sentinel = false, env } = this.#setup;
    const file = join(this.dir, 'redis.conf');
    const lines = [
      `dir ${this.dir}`,
      ...(tls === undefined ? [`port ${this.port}`] : this.#tls(tls.clients)),
      'bind 127.0.0.1',
      'protected-mode no',
      ...(sentinel ? [] : ['save ""', 'maxmemory-policy noeviction', 'repl-diskless-sync-delay 0']),
      ...(socket ? [`unixsocket ${this.socket}`] : []),
      ...config,
      ...more,
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    const args = [file, ...(sentinel ? ['--sentinel'] : [])];
    const program = new Program(binary, binary, args, env === undefined ? {} : { env });
    this.#program = program;
    await until('redis listens', () => {
      program.assertRunning();
      return program.stdout.some((line) => /Ready to accept connections|Sentinel ID is/.test(line)) ? true : null;
    });
  }

  #tls(clients: 'no' | 'yes'): readonly string[] {
    const at = (name: string) => join(this.dir, name);
    return [
      'port 0',
      `tls-port ${this.port}`,
      `tls-cert-file ${at('server.pem')}`,
      `tls-key-file ${at('server.key')}`,
      `tls-ca-cert-file ${at('ca.pem')}`,
      `tls-auth-clients ${clients}`,
    ];
  }

  /** What redis-cli prints for one command, given as an administrator. */
  async admin(...args: readonly string[]): Promise<string> {
    return (await run('redis-cli', ['-p', String(this.port), ...args])).trim();
  }

  /** Gives it a history of this namespace that began an hour ago, so that proofs made now count. */
  async age(namespace: string): Promise<void> {
    const info = await this.admin('INFO', 'everything');
    const of = (name: string) => new RegExp(`^${name}:([0-9a-f]+)`, 'm').exec(info)![1]!;
    const value = `${of('master_replid')}-${of('run_id')} ${Date.now() - 3_600_000}`;
    await this.admin('SET', `authz:{${namespace}}:history`, value);
  }

  /** SIGKILL, SIGTERM, SIGSTOP or SIGCONT. */
  signal(name: NodeJS.Signals): void {
    process.kill(this.#program!.pid, name);
  }

  async kill(signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<void> {
    await this.#program?.stop(signal);
    this.#program = null;
  }

  async remove(): Promise<void> {
    await this.kill();
    removeFolder(this.dir);
  }
}
