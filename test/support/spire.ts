import { chmodSync, copyFileSync, existsSync, linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestCa } from './ca.ts';
import { goTool } from './go-tool.ts';
import { freePort } from './ports.ts';
import { Program } from './process.ts';
import { finish, run } from './run.ts';
import { block } from './spire-docs.ts';
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
export const Spire = { start };
export type Spire = Awaited<ReturnType<typeof start>>;

/** Builds both when the cache does not have them, starts them, and waits until the agent has joined. */
async function start(options: SpireOptions) {
  const { trustDomain, caTtl = '24h', svidTtl = '1h', jwtTtl = '5m', root } = options;
  const [port, bundlePort] = [await freePort(), await freePort()];
  const [serverBinary, agentBinary] = [await goTool('spire-server'), await goTool('spire-agent')];
  const dir = join(options.dir, trustDomain);
  const serverSocket = join(dir, 'server.sock');
  /** Where the Workload API and SDS are. */
  const agentSocket = join(dir, 'agent', 'api.sock');
  const nodeId = `spiffe://${trustDomain}/node`;
  mkdirSync(join(dir, 'agent'), { recursive: true });
  for (const folder of [options.dir, dir, join(dir, 'agent')]) chmodSync(folder, 0o755);
  const serverConfig = `server {
  bind_address = "127.0.0.1"
  bind_port = "${port}"
  socket_path = "${serverSocket}"
  trust_domain = "${trustDomain}"
  data_dir = "${join(dir, 'server-data')}"
  log_level = "WARN"
  ca_ttl = "${caTtl}"
  default_x509_svid_ttl = "${svidTtl}"
  default_jwt_svid_ttl = "${jwtTtl}"
  agent_ttl = "1h"
  federation {
    bundle_endpoint {
      address = "127.0.0.1"
      port = ${bundlePort}
      profile "https_spiffe" {}
    }
  }
}
plugins {
  DataStore "sql" {
    plugin_data { database_type = "sqlite3", connection_string = "${join(dir, 'datastore.sqlite3')}" }
  }
  NodeAttestor "join_token" { plugin_data {} }
  KeyManager "memory" { plugin_data {} }
${root === undefined ? '' : upstreamAuthority(dir, root)}}
`;
  const agentConfig = (bundle: string): string => `agent {
  data_dir = "${join(dir, 'agent-data')}"
  log_level = "WARN"
  server_address = "127.0.0.1"
  server_port = "${port}"
  socket_path = "${agentSocket}"
  trust_bundle_path = "${bundle}"
  trust_domain = "${trustDomain}"
}
plugins {
  NodeAttestor "join_token" { plugin_data {} }
  KeyManager "disk" { plugin_data { directory = "${join(dir, 'agent-data')}" } }
  WorkloadAttestor "unix" { plugin_data { discover_workload_path = true } }
}
`;

  /** Runs a command of spire-server against this server; what it prints. */
  const server = (...args: readonly string[]): Promise<string> =>
    run(serverBinary, [...args, '-socketPath', serverSocket]);
  let [serving, agent]: (Program | null)[] = [null, null];
  const endAgent = async (signal?: 'SIGKILL'): Promise<void> => {
    await agent?.stop(signal);
    agent = null;
  };
  const spire = {
    trustDomain,
    dir,
    agentSocket,
    /** Port of the server's own bundle endpoint (https_spiffe). */
    bundlePort,
    server,
    /** A registration entry below this agent. Selectors as SPIRE writes them. */
    entry: async (path: string, selectors: readonly string[], more: readonly string[] = []): Promise<void> => {
      const chosen = selectors.flatMap((selector) => ['-selector', selector]);
      const id = `spiffe://${trustDomain}${path}`;
      await server('entry', 'create', '-parentID', nodeId, '-spiffeID', id, ...chosen, ...more);
    },
    /** The trust bundle as a SPIFFE bundle document. */
    bundle: () => server('bundle', 'show', '-format', 'spiffe'),
    /** Lets `server` and `agent` be called in a shell without saying which: for the commands of docs/spire.md. */
    shellFunctions: `spire-server() { ${serverBinary} "$@" -socketPath ${serverSocket}; }
spire-agent() { ${agentBinary} "$@" -socketPath ${agentSocket}; }
`,
    /** Starts the agent; one that has joined before knows who it is, as a restarted agent does. */
    startAgent: async (): Promise<void> => {
      const config = join(dir, 'agent.conf');
      const args = ['run', '-config', config];
      if (!existsSync(config)) {
        const bundle = join(dir, 'bootstrap.pem');
        writeFileSync(bundle, await server('bundle', 'show'));
        writeFileSync(config, agentConfig(bundle));
        const [, token = ''] = /Token: (\S+)/.exec(await server('token', 'generate', '-spiffeID', nodeId)) ?? [];
        args.push('-joinToken', token);
      }
      agent = new Program('spire-agent', agentBinary, args);
      await healthy(agent, agentBinary, agentSocket);
    },
    /** SIGKILL: as if its machine had crashed; the socket file stays. */
    killAgent: () => endAgent('SIGKILL'),
    stopAgent: () => endAgent(),
    stop: async (): Promise<void> => {
      await endAgent();
      await serving?.stop();
      serving = null;
    },
  };
  try {
    const config = join(dir, 'server.conf');
    writeFileSync(config, serverConfig);
    serving = new Program('spire-server', serverBinary, ['run', '-config', config]);
    await healthy(serving, serverBinary, serverSocket);
    await spire.startAgent();
    return spire;
  } catch (error) {
    await spire.stop();
    throw error;
  }
}

function upstreamAuthority(dir: string, { certificate }: TestCa): string {
  const [cert, key] = [join(dir, 'root.pem'), join(dir, 'root.key')];
  writeFileSync(cert, certificate.pem);
  writeFileSync(key, certificate.pkcs8Pem, { mode: 0o600 });
  return block('hcl', 'upstream').replaceAll('/etc/spire/root.pem', cert).replaceAll('/etc/spire/root.key', key);
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
