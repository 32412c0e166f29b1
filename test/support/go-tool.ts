import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from './cache.ts';
import { run } from './run.ts';
import { words } from './words.ts';

const toolsDir = join(import.meta.dirname, '..', 'tools');

interface GoTool {
  /** The folder of its Go module below test/tools. */
  readonly module: string;
  readonly package: string;
  /** More flags of the linker. */
  readonly ldflags?: string;
}

/** Kubernetes reads its own version from variables that its release build sets. */
const KUBERNETES_VERSION = '1.36.3';
const ofKubernetes = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((where) => [
  `-X ${where}.gitVersion=v${KUBERNETES_VERSION}`,
  `-X ${where}.gitMajor=1 -X ${where}.gitMinor=36 -X ${where}.gitTreeState=clean`,
]);
const kubernetes = { module: 'kubernetes', ldflags: ofKubernetes.join(' ') };

/** The tools that are built from Go modules. Each family has a module of its own, so that one does not pin the other. */
const tools = {
  egctl: { module: 'envoy-gateway', package: 'github.com/envoyproxy/gateway/cmd/egctl' },
  'grafana-schema': { module: 'grafana', package: '.' },
  heimdall: { module: 'heimdall', package: 'github.com/dadrus/heimdall' },
  // Its main program is of ours: the receivers and exporters that the tests need.
  'otel-collector': { module: 'collector', package: '.' },
  helm: { module: 'helm', package: 'helm.sh/helm/v4/cmd/helm' },
  'pilot-discovery': { module: 'istio', package: 'istio.io/istio/pilot/cmd/pilot-discovery' },
  'spire-server': { module: 'spire', package: 'github.com/spiffe/spire/cmd/spire-server' },
  'spire-agent': { module: 'spire', package: 'github.com/spiffe/spire/cmd/spire-agent' },
  'kube-apiserver': { ...kubernetes, package: 'k8s.io/kubernetes/cmd/kube-apiserver' },
  kubectl: { ...kubernetes, package: 'k8s.io/kubernetes/cmd/kubectl' },
} satisfies Record<string, GoTool>;

/** The folder of a Go module that is pinned under test/tools and holds files that tests read. */
export async function goModule(module: string, path: string): Promise<string> {
  const cwd = join(toolsDir, module);
  await run('go', ['mod', 'download', path], { cwd });
  return (await run('go', ['list', '-m', '-f', '{{.Dir}}', path], { cwd })).trim();
}

/**
 * The path of a Go tool's binary, built into the cache when it is not there. The key is the digest of go.mod, go.sum and our
 * own sources, so that a change is built anew. When nothing is built yet, SPIRE takes about ten CPU minutes and 4 GB, kube-apiserver
 * five, Heimdall and the collector three.
 */
export async function goTool(name: keyof typeof tools): Promise<string> {
  const tool: GoTool = tools[name];
  const module = join(toolsDir, tool.module);
  const pins = ['go.mod', 'go.sum', ...globSync('*.go', { cwd: module })].map((file) =>
    readFileSync(join(module, file)),
  );
  const key = createHash('sha256').update(Buffer.concat(pins)).digest('hex').slice(0, 12);
  const dir = await cached(name, key, async (into) => {
    process.stderr.write(`building ${name} (once; later runs take it from the cache)\n`);
    const args = [...words('build -p 2 -trimpath -mod=readonly'), `-ldflags=-s -w ${tool.ldflags ?? ''}`.trim()];
    await run('go', [...args, '-o', join(into, name), tool.package], { cwd: module });
  });
  return join(dir, name);
}
