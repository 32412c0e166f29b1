import { mkdtempSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { Fault } from '../../../src/base/fault.ts';
import { isConfig, loadConfig } from '../../../src/config/load.ts';
import { ProductView, type ServedHosts } from '../../../src/doctor/against-product.ts';
import { examineEnvoy } from '../../../src/doctor/diagnose.ts';
import type { Finding } from '../../../src/doctor/findings.ts';
import { xdsResources } from '../../../src/doctor/resources.ts';
import { EnvoySources } from '../../../src/doctor/sources.ts';
import { formatProblem } from '../../../src/source/problem.ts';
import { blocks, page } from '../../docs/markdown.ts';
import { type EnvoyConfig, place, readEnvoyConfig } from '../envoy.ts';

/** A tree of JSON, whatever is in it. */
export type Json = Record<string, unknown>;

/** A configuration of Envoy that is good, and that of the sidecar beside it. */
export interface Good {
  readonly envoy: Json;
  readonly product: Json;
}

const identity = {
  workloadApi: { socket: 'unix:///run/spire/agent/public/api.sock' },
  trustDomains: { 'prod.example': { local: true, bundle: { file: './bundle.json' } } },
  forwarded: { mode: 'sanitize-set' },
};
const product = (more: Json = {}): Json => structuredClone({ hosts: ['payments.internal'], identity, ...more });
const central = {
  check: '127.0.0.1:9191',
  tls: { svid: 'spiffe://prod.example/ns/platform/sa/authz' },
  peers: [{ id: 'spiffe://prod.example/ns/payments/sa/envoy', hosts: ['payments.internal'] }],
};
const shipped = (config: EnvoyConfig): Json => readEnvoyConfig(config) as unknown as Json;

/** The good ones: what is shipped, the demo's, and the one that docs/kubernetes.md tells for the chart's central mode. */
export const goods = {
  uds: (): Good => ({ envoy: shipped('uds'), product: product() }),
  tcp: (): Good => ({ envoy: shipped('tcp'), product: product({ listen: { check: '127.0.0.1:9191' } }) }),
  files: (): Good => ({ envoy: shipped('files'), product: product() }),
  spire: (): Good => ({ envoy: shipped('spire'), product: product({ listen: central }) }),
  demo: (): Good => ({
    envoy: place({ config: 'uds', check: { socket: '/tmp/demo/check.sock' }, upstream: 8080 }) as unknown as Json,
    product: product({ listen: { check: 'unix:///tmp/demo/check.sock' }, limits: { deadline: '30s' } }),
  }),
  chart: (): Good => {
    const envoy = shipped('files');
    const documented = (info: string) =>
      parse(blocks(page('docs/kubernetes.md').text).find((block) => block.info === info)?.text ?? '') as Json;
    const cluster = at(envoy, 'static_resources.clusters.1') as Json;
    Object.assign(cluster, documented('yaml tls'), documented('yaml cluster'));
    set(envoy, 'static_resources.clusters.1.load_assignment.endpoints.0.lb_endpoints.0.endpoint.address', {
      socket_address: { address: 'authz.platform.svc', port_value: 9191 },
    });
    return { envoy, product: product({ listen: { ...central, check: '0.0.0.0:9191' } }) };
  },
} as const;

export type GoodName = keyof typeof goods;

/** The value that a path of names and numbers leads to. */
export const at = (tree: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((inner, step) => (inner as Json | undefined)?.[step], tree);

/** Puts a value where a path leads; undefined takes away what is there. What the path lacks is made. */
export function set(tree: unknown, path: string, value: unknown): void {
  const steps = path.split('.');
  const last = steps.pop()!;
  let inner = tree as Json;
  for (const step of steps) {
    inner[step] ??= {};
    inner = inner[step] as Json;
  }
  if (value !== undefined) inner[last] = value;
  else if (Array.isArray(inner)) inner.splice(Number(last), 1);
  else delete inner[last];
}

/** What the doctor finds in a tree, with the configuration of a sidecar or without; `dir` is a folder to write to. */
export async function findingsIn(
  dir: string,
  envoy: Json,
  sidecar: Json | null,
  served?: ServedHosts,
  skipped: readonly string[] = [],
): Promise<readonly Finding[]> {
  const file = join(mkdtempSync(join(dir, 'doctor-')), 'envoy.json');
  writeFileSync(file, JSON.stringify(envoy));
  return findingsOf(file, sidecar, served, skipped);
}

/** What it finds in a file, or by the URL of an admin port. */
export async function findingsOf(
  target: string,
  sidecar: Json | null,
  served?: ServedHosts,
  skipped: readonly string[] = [],
): Promise<readonly Finding[]> {
  const resources = await xdsResources(target, dirname(target), new EnvoySources());
  if (resources instanceof Fault) throw new Error(resources.detail);
  return examineEnvoy(resources, sidecar === null ? null : viewOf(sidecar, served), new Set(skipped)).findings;
}

function viewOf(sidecar: Json, served: ServedHosts | null = null): ProductView {
  const config = loadConfig(JSON.stringify(sidecar), 'config.yaml', {});
  if (!isConfig(config)) throw new Error(config.map(formatProblem).join('\n'));
  return new ProductView(config, config.listen.peers, served);
}
