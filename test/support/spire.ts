import { chmodSync, copyFileSync, existsSync, linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestCa } from './ca.ts';
import { goTool } from './go-tool.ts';
import { freePort } from './ports.ts';
import { Program } from './process.ts';
import { finish, run } from './run.ts';
import { until } from './until.ts';

const START_LIMIT_MS = 60_000;

export interface SpireOptions {
  readonly trustDomain: string;
  /** A temporary folder; each trust domain gets one of its own in it. */
  readonly dir: string;
  /** How long the CA, X.509-SVIDs and JWT-SVIDs live, as SPIRE writes durations. */
  readonly caTtl?: string;
  readonly svidTtl?: string;
  readonly jwtTtl?: string;
  /** A root of which the server's own CA is an intermediate (an upstream authority). */
  readonly root?: TestCa;
}

/** A spire-server and a spire-agent of one trust domain, on loopback and Unix sockets. */
export class Spire {
  readonly trustDomain: string;
  readonly dir: string;
  /** Where the Workload API and SDS are. */
  readonly agentSocket: string;
  /** Port of the server's own bundle endpoint (https_spiffe). */
  readonly bundlePort: number;
  readonly #options: SpireOptions;
  readonly #port: number;
  #server: Program | null = null;
  #agent: Program | null = null;

  private constructor(options: SpireOptions, port: number, bundlePort: number) {
    this.#options = options;
    this.trustDomain = options.trustDomain;
    this.dir = join(options.dir, options.trustDomain);
    this.agentSocket = join(this.dir, 'agent', 'api.sock');
    this.bundlePort = bundlePort;
    this.#port = port;
  }

  /** Builds both when the cache does not have them, starts them, and waits until the agent has joined. */
  static async start(options: SpireOptions): Promise<Spire> {
    const spire = new Spire(options, await freePort(), await freePort());
    mkdirSync(join(spire.dir, 'agent'), { recursive: true });
    for (const dir of [options.dir, spire.dir, join(spire.dir, 'agent')]) chmodSync(dir, 0o755);
    try {
      await spire.#startServer();
      await spire.startAgent();
      return spire;
    } catch (error) {
      await spire.stop();
      throw error;
    }
  }

  get #serverSocket(): string {
    return join(this.dir, 'server.sock');
  }

  /** Runs a command of spire-server against this server; what it prints. */
  async server(...args: readonly string[]): Promise<string> {
    return await run(await goTool('spire-server'), [...args, '-socketPath', this.#serverSocket]);
  }

  /** A registration entry below this agent. Selectors as SPIRE writes them. */
  async entry(path: string, selectors: readonly string[], more: readonly string[] = []): Promise<void> {
    const id = `spiffe://${this.trustDomain}${path}`;
    const chosen = selectors.flatMap((selector) => ['-selector', selector]);
    await this.server('entry', 'create', '-parentID', this.#nodeId, '-spiffeID', id, ...chosen, ...more);
  }

  get #nodeId(): string {
    return `spiffe://${this.trustDomain}/node`;
  }

  /** The trust bundle as a SPIFFE bundle document. */
  bundle(): Promise<string> {
    return this.server('bundle', 'show', '-format', 'spiffe');
  }

  /** Lets `server` and `agent` be called in a shell without saying which: for the commands of docs/spire.md. */
  async shellFunctions(): Promise<string> {
    const [server, agent] = [await goTool('spire-server'), await goTool('spire-agent')];
    return `spire-server() { ${server} "$@" -socketPath ${this.#serverSocket}; }
spire-agent() { ${agent} "$@" -socketPath ${this.agentSocket}; }
`;
  }

  /** Starts the agent; one that has joined before knows who it is, as a restarted agent does. */
  async startAgent(): Promise<void> {
    const config = join(this.dir, 'agent.conf');
    const args = ['run', '-config', config];
    if (!existsSync(config)) {
      const bundle = join(this.dir, 'bootstrap.pem');
      writeFileSync(bundle, await this.server('bundle', 'show'));
      writeFileSync(config, this.#agentConfig(bundle));
      const token = /Token: (\S+)/.exec(await this.server('token', 'generate', '-spiffeID', this.#nodeId))?.[1] ?? '';
      args.push('-joinToken', token);
    }
    const binary = await goTool('spire-agent');
    this.#agent = new Program('spire-agent', binary, args);
    await healthy(this.#agent, binary, this.agentSocket);
  }

  /** SIGKILL: as if its machine had crashed; the socket file stays. */
  async killAgent(): Promise<void> {
    await this.#agent?.stop('SIGKILL');
    this.#agent = null;
  }

  async stopAgent(): Promise<void> {
    await this.#agent?.stop();
    this.#agent = null;
  }

  async stop(): Promise<void> {
    await this.stopAgent();
    await this.#server?.stop();
    this.#server = null;
  }

  async #startServer(): Promise<void> {
    const config = join(this.dir, 'server.conf');
    writeFileSync(config, this.#serverConfig());
    const binary = await goTool('spire-server');
    this.#server = new Program('spire-server', binary, ['run', '-config', config]);
    await healthy(this.#server, binary, this.#serverSocket);
  }

  #serverConfig(): string {
    const { trustDomain, caTtl = '24h', svidTtl = '1h', jwtTtl = '5m', root } = this.#options;
    return `server {
  bind_address = "127.0.0.1"
  bind_port = "${this.#port}"
  socket_path = "${this.#serverSocket}"
  trust_domain = "${trustDomain}"
  data_dir = "${join(this.dir, 'server-data')}"
  log_level = "WARN"
  ca_ttl = "${caTtl}"
  default_x509_svid_ttl = "${svidTtl}"
  default_jwt_svid_ttl = "${jwtTtl}"
  agent_ttl = "1h"
  federation {
    bundle_endpoint {
      address = "127.0.0.1"
      port = ${this.bundlePort}
      profile "https_spiffe" {}
    }
  }
}
plugins {
  DataStore "sql" {
    plugin_data { database_type = "sqlite3", connection_string = "${join(this.dir, 'datastore.sqlite3')}" }
  }
  NodeAttestor "join_token" { plugin_data {} }
  KeyManager "memory" { plugin_data {} }
${root === undefined ? '' : this.#upstreamAuthority(root)}}
`;
  }

  #upstreamAuthority({ certificate }: TestCa): string {
    const [cert, key] = [join(this.dir, 'root.pem'), join(this.dir, 'root.key')];
    writeFileSync(cert, certificate.pem);
    writeFileSync(key, certificate.pkcs8Pem, { mode: 0o600 });
    return `  UpstreamAuthority "disk" {
    plugin_data { cert_file_path = "${cert}", key_file_path = "${key}", bundle_file_path = "${cert}" }
  }
`;
  }

  #agentConfig(bundle: string): string {
    return `agent {
  data_dir = "${join(this.dir, 'agent-data')}"
  log_level = "WARN"
  server_address = "127.0.0.1"
  server_port = "${this.#port}"
  socket_path = "${this.agentSocket}"
  trust_bundle_path = "${bundle}"
  trust_domain = "${this.trustDomain}"
}
plugins {
  NodeAttestor "join_token" { plugin_data {} }
  KeyManager "disk" { plugin_data { directory = "${join(this.dir, 'agent-data')}" } }
  WorkloadAttestor "unix" { plugin_data { discover_workload_path = true } }
}
`;
  }
}

async function healthy(program: Program, binary: string, socket: string): Promise<void> {
  const healthcheck = ['healthcheck', '-socketPath', socket];
  const answered = async () => {
    program.assertRunning();
    return (await finish(binary, healthcheck)).code === 0 ? true : null;
  };
  await until(program.name, answered, START_LIMIT_MS);
}

/** The same program under another path, so that it is another workload to an agent that looks at paths. */
export function programAs(binary: string, path: string): string {
  mkdirSync(dirname(path), { recursive: true });
  try {
    linkSync(binary, path);
  } catch {
    // Another file system.
    copyFileSync(binary, path);
    chmodSync(path, 0o755);
  }
  return path;
}
