import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from './cache.ts';
import { removeFolder, temporaryFolder } from './folder.ts';
import { goModule, goTool } from './go-tool.ts';
import { freePort } from './ports.ts';
import { Program } from './process.ts';
import { type Finished, finish, run } from './run.ts';
import { until } from './until.ts';

const START_LIMIT_MS = 120_000;
const ETCD = 'etcd-server';
const OPERATOR = 'github.com/prometheus-operator/prometheus-operator';
const ADMIN = 'devtoken';

/**
 * A Kubernetes without nodes: etcd and a real kube-apiserver on loopback. Objects are admitted, defaulted and stored as in any
 * cluster; no controller acts on them and no Pod runs. The service-account plugin is off, since no controller makes accounts.
 */
export class KubeApi {
  readonly kubeconfig: string;
  readonly #dir: string;
  readonly #kubectl: string;
  readonly #programs: readonly Program[];

  private constructor(dir: string, kubectl: string, programs: readonly Program[]) {
    this.#dir = dir;
    this.kubeconfig = join(dir, 'kubeconfig');
    this.#kubectl = kubectl;
    this.#programs = programs;
  }

  static async start(): Promise<KubeApi> {
    const [etcd, apiServer, kubectl] = [await findEtcd(), await goTool('kube-apiserver'), await goTool('kubectl')];
    const dir = temporaryFolder();
    const programs: Program[] = [];
    const api = new KubeApi(dir, kubectl, programs);
    try {
      const [client, peer, port] = [await freePort(), await freePort(), await freePort()];
      programs.push(new Program('etcd', etcd, etcdFlags(dir, client, peer)));
      programs.unshift(new Program('kube-apiserver', apiServer, await apiServerFlags(dir, client, port)));
      writeFileSync(api.kubeconfig, JSON.stringify(kubeconfig(dir, port)));
      await until('the API server', () => api.#isReady(), START_LIMIT_MS);
      return api;
    } catch (error) {
      await api.stop();
      throw error;
    }
  }

  async #isReady(): Promise<true | null> {
    for (const program of this.#programs) program.assertRunning();
    return (await this.kubectl(['get', '--raw', '/readyz'])).stdout.trim() === 'ok' ? true : null;
  }

  /** kubectl as the cluster's administrator, whatever its exit code. */
  kubectl(args: readonly string[], input?: string): Promise<Finished> {
    const env = { ...process.env, KUBECONFIG: this.kubeconfig };
    return finish(this.#kubectl, args, { env, ...(input === undefined ? {} : { input }) });
  }

  /** kubectl that has to succeed; its standard output. */
  async done(args: readonly string[], input?: string): Promise<string> {
    const { code, stdout, stderr } = await this.kubectl(args, input);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  /** The environment of a shell in which `kubectl` and `helm` act on this API server. */
  async environment(): Promise<NodeJS.ProcessEnv> {
    const bins = [this.#kubectl, await goTool('helm')].map((file) => join(file, '..'));
    return { ...process.env, KUBECONFIG: this.kubeconfig, PATH: [...bins, process.env.PATH].join(':') };
  }

  /** Installs the definitions of PodMonitor and ServiceMonitor. */
  async addMonitors(): Promise<void> {
    const folder = join(await goModule('prometheus-operator', OPERATOR), 'example', 'prometheus-operator-crd');
    const files = ['podmonitors', 'servicemonitors'].map((name) => join(folder, `monitoring.coreos.com_${name}.yaml`));
    await this.done(['apply', '--server-side', ...files.flatMap((file) => ['-f', file])]);
    await this.done(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s']);
  }

  /** The API server first: without etcd it would wait for it. */
  async stop(): Promise<void> {
    for (const program of this.#programs) await program.stop('SIGKILL');
    removeFolder(this.#dir);
  }
}

function etcdFlags(dir: string, client: number, peer: number): string[] {
  const [clientUrl, peerUrl] = [client, peer].map((port) => `http://127.0.0.1:${port}`);
  return [
    `--data-dir=${join(dir, 'etcd')}`,
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=default=${peerUrl}`,
    '--unsafe-no-fsync',
    '--log-level=warn',
  ];
}

async function apiServerFlags(dir: string, etcd: number, port: number): Promise<string[]> {
  const [key, publicKey, tokens] = ['accounts.key', 'accounts.pub', 'tokens.csv'].map((name) => join(dir, name));
  await run('openssl', ['genrsa', '-out', key!, '2048']);
  await run('openssl', ['rsa', '-in', key!, '-pubout', '-out', publicKey!]);
  writeFileSync(tokens!, `${ADMIN},admin,1,"system:masters"\n`);
  return [
    `--etcd-servers=http://127.0.0.1:${etcd}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--cert-dir=${join(dir, 'pki')}`,
    `--token-auth-file=${tokens}`,
    '--authorization-mode=RBAC',
    '--service-cluster-ip-range=10.0.0.0/24,fd00:10::/112',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${publicKey}`,
    `--service-account-signing-key-file=${key}`,
    '--disable-admission-plugins=ServiceAccount',
    '--endpoint-reconciler-type=none',
  ];
}

function kubeconfig(dir: string, port: number): object {
  const cluster = {
    server: `https://127.0.0.1:${port}`,
    'certificate-authority': join(dir, 'pki', 'apiserver.crt'),
  };
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'local', cluster }],
    users: [{ name: 'admin', user: { token: ADMIN } }],
    contexts: [{ name: 'local', context: { cluster: 'local', user: 'admin' } }],
    'current-context': 'local',
  };
}

/** etcd of the machine, else that of Debian's package, unpacked into the cache: installing it would start it. */
async function findEtcd(): Promise<string> {
  const found = await finish('sh', ['-c', 'command -v etcd']);
  if (found.code === 0) return found.stdout.trim();
  const dir = await cached(ETCD, 'debian', async (into) => {
    if ((await finish('apt-get', ['download', '-q', ETCD], { cwd: into })).code !== 0) {
      await run('apt-get', ['update', '-q']);
      await run('apt-get', ['download', '-q', ETCD], { cwd: into });
    }
    await run('sh', ['-c', `dpkg-deb -x ${ETCD}_*.deb . && rm ${ETCD}_*.deb`], { cwd: into });
  });
  return join(dir, 'usr', 'bin', 'etcd');
}
