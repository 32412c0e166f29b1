import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from '../support/cache.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { goModule, goTool } from '../support/go-tool.ts';
import { freePort } from '../support/ports.ts';
import { Program } from '../support/process.ts';
import { type Finished, finish, run } from '../support/run.ts';
import { until } from '../support/until.ts';

const START_LIMIT_MS = 120_000;
const ETCD = 'etcd-server';
const OPERATOR = 'github.com/prometheus-operator/prometheus-operator';
const ADMIN = 'devtoken';

/**
 * A Kubernetes without nodes: etcd and a real kube-apiserver on loopback. Objects are admitted, defaulted and stored as in any
 * cluster; no controller acts on them and no Pod runs. The service-account plugin is off, since no controller makes accounts.
 */
export const KubeApi = { start };
export type KubeApi = Awaited<ReturnType<typeof start>>;

async function start() {
  const [etcd, apiServer, binary] = [await findEtcd(), await goTool('kube-apiserver'), await goTool('kubectl')];
  await using started = new AsyncDisposableStack();
  const dir = started.adopt(temporaryFolder(), removeFolder);
  const programs: Program[] = [];
  const begin = (name: string, file: string, args: readonly string[]): void => {
    programs.push(
      started.adopt(new Program(name, file, args), async (program) => void (await program.stop('SIGKILL'))),
    );
  };
  const configFile = join(dir, 'kubeconfig');
  /** kubectl as the cluster's administrator, whatever its exit code. */
  const kubectl = (args: readonly string[], input?: string): Promise<Finished> => {
    const env = { ...process.env, KUBECONFIG: configFile };
    return finish(binary, args, { env, ...(input === undefined ? {} : { input }) });
  };
  /** kubectl that has to succeed; its standard output. */
  const done = async (args: readonly string[], input?: string): Promise<string> => {
    const { code, stdout, stderr } = await kubectl(args, input);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${code}\n${stdout}${stderr}`);
    return stdout;
  };
  const isReady = async (): Promise<true | null> => {
    for (const program of programs) program.assertRunning();
    return (await kubectl(['get', '--raw', '/readyz'])).stdout.trim() === 'ok' ? true : null;
  };
  const [client, peer, port] = [await freePort(), await freePort(), await freePort()];
  begin('etcd', etcd, etcdFlags(dir, client, peer));
  begin('kube-apiserver', apiServer, await apiServerFlags(dir, client, port));
  writeFileSync(configFile, JSON.stringify(kubeconfig(dir, port)));
  await until('the API server', isReady, START_LIMIT_MS);
  // The API server ends first: without etcd it would wait for it.
  const running = started.move();
  return {
    kubectl,
    done,
    /** The file by which programs act on it as its administrator. */
    kubeconfig: configFile,
    /** The environment of a shell in which `kubectl` and `helm` act on this API server. */
    environment: async (): Promise<NodeJS.ProcessEnv> => {
      const bins = [binary, await goTool('helm')].map((file) => join(file, '..'));
      return { ...process.env, KUBECONFIG: configFile, PATH: [...bins, process.env.PATH].join(':') };
    },
    /** Installs the definitions of PodMonitor and ServiceMonitor. */
    addMonitors: async (): Promise<void> => {
      const folder = join(await goModule('prometheus-operator', OPERATOR), 'example', 'prometheus-operator-crd');
      const files = ['podmonitors', 'servicemonitors', 'prometheusrules'].map((name) =>
        join(folder, `monitoring.coreos.com_${name}.yaml`),
      );
      await done(['apply', '--server-side', ...files.flatMap((file) => ['-f', file])]);
      await done(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s']);
    },
    stop: () => running.disposeAsync(),
  };
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
