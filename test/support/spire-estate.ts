import { appendFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { TestCa } from './ca.ts';
import { type Envoy, type EnvoyTree, endpointOf, place, runEnvoy } from './envoy.ts';
import { envoyOf, findEnvoy, type supportedEnvoys } from './envoy-binary.ts';
import { copyExample } from './estate.ts';
import { removeFolder, temporaryFolder } from './folder.ts';
import { Sidecar } from './sidecar.ts';
import { programAs, Spire, type SpireOptions } from './spire.ts';
import { documentedYaml, runDocumented } from './spire-docs.ts';
import { SpireWorkload } from './spire-workload.ts';
import { ending } from './started.ts';
import { startUpstream } from './upstream.ts';

export const PARTNER = '/ns/billing/sa/reader';

export interface SpireEstateOptions {
  /** Lifetimes of our own SPIRE. */
  readonly spire?: Omit<SpireOptions, 'trustDomain' | 'dir'>;
  /** `maxStale` of our own trust domain; that of docs/spire.md where it is left out. */
  readonly maxStale?: string;
  /** The Envoy of this version. */
  readonly envoyVersion?: (typeof supportedEnvoys)[number];
  /** A change to Envoy's configuration. */
  readonly edit?: (tree: EnvoyTree) => void;
  /** With a second trust domain, whose server has an upstream authority. */
  readonly partner?: boolean;
}

/**
 * The example behind SPIRE: Envoy with envoy/spire.yaml, the sidecar with the configuration of docs/spire.md on all
 * addresses over mutual TLS, registered by the commands of that page.
 */
export const SpireEstate = { start };
export type SpireEstate = Awaited<ReturnType<typeof start>>;

async function start(options: SpireEstateOptions = {}) {
  await using started = new AsyncDisposableStack();
  const dir = started.adopt(temporaryFolder(), removeFolder);
  const spire = ending(started, await Spire.start({ ...options.spire, dir, trustDomain: 'prod.example' }));
  /** The root above the partner's SPIRE, whose key is the test's. */
  const partnerRoot = TestCa.root('partner.example');
  const partner =
    options.partner === true
      ? ending(started, await Spire.start({ dir, trustDomain: 'partner.example', root: partnerRoot }))
      : null;
  const ledger = await SpireWorkload.at(spire, '/ns/payments/sa/ledger');
  const found = options.envoyVersion === undefined ? findEnvoy() : envoyOf(options.envoyVersion);
  const envoyBinary = programAs(await found, join(dir, 'bin', 'envoy'));
  const variables = { ENVOY: envoyBinary, NODE: process.execPath, LEDGER: ledger.binary };
  await runDocumented('register', spire, dir, variables);
  writeExample(dir);
  const sidecar = ending(started, await Sidecar.start({ dir, ...sidecarSetup(spire, options.maxStale) }));
  const upstream = ending(started, await startUpstream());

  let all: AsyncDisposableStack = started;
  /** Another Envoy before the same sidecar, changed by the test. */
  const otherEnvoy = async (edit: (tree: EnvoyTree) => void): Promise<Envoy> => {
    const placed = (tree: EnvoyTree): void => {
      endpointOf(tree, 'spire-agent').address = { pipe: { path: spire.agentSocket } };
      edit(tree);
    };
    const tree = place({ config: 'spire', check: sidecar.check, upstream: upstream.port, edit: placed });
    const envoy = ending(all, await runEnvoy(mkdtempSync(join(dir, 'envoy-')), tree, envoyBinary));
    await envoy.clusterHealth('cedar-ext-authz', true);
    return envoy;
  };
  const envoy = await otherEnvoy(options.edit ?? (() => {}));
  all = started.move();

  return {
    dir,
    spire,
    partner,
    partnerRoot,
    ledger,
    sidecar,
    upstream,
    envoy,
    otherEnvoy,
    /** Exchanges the bundles of both trust domains and lets Envoy and the sidecar have the partner's, as docs/spire.md says. */
    federate: async (): Promise<void> => {
      for (const side of [spire, partner!]) await runDocumented('export', side, dir);
      await runDocumented('import', spire, dir);
      await runDocumented('federate', spire, dir, variables);
    },
    stop: (): Promise<void> => all.disposeAsync(),
  };
}

/** cedar/example with the partner: a workload below its trust domain, and a permit for the status page. */
function writeExample(dir: string): void {
  copyExample(dir);
  const inventory = parseDocument(readFileSync(join(dir, 'inventory.yaml'), 'utf8'));
  const entry = { under: 'spiffe://partner.example/ns/billing', owner: 'payments', kind: 'service', relay: false };
  inventory.addIn(['workloads'], inventory.createNode(entry));
  writeFileSync(join(dir, 'inventory.yaml'), String(inventory));
  appendFileSync(
    join(dir, 'policies', 'everyone.cedar'),
    `
@id("partner-reads-status")
permit (
  principal in Mesh::TrustDomain::"partner.example",
  action in Mesh::Action::"read",
  resource in Mesh::Api::"payments.internal/status"
);
`,
  );
}

/** The configuration of docs/spire.md with the addresses of this test. */
function sidecarSetup(spire: Spire, maxStale?: string) {
  const { listen, ...config } = documentedYaml('sidecar') as {
    listen: { check: string; tls: object; peers: string[] };
    identity: { workloadApi: object; trustDomains: Record<string, object> };
  };
  const trustDomains = { ...config.identity.trustDomains };
  if (maxStale !== undefined) trustDomains['prod.example'] = { ...trustDomains['prod.example'], maxStale };
  const identity = { ...config.identity, workloadApi: { socket: `unix://${spire.agentSocket}` }, trustDomains };
  const { tls, peers } = listen;
  const request = { mergeSlashes: true };
  return {
    tcp: true,
    host: listen.check.split(':')[0]!,
    listen: { tls, peers },
    config: { ...config, request, identity },
  };
}

/** Envoy hands every certificate on, and asks for none: what is refused then, the sidecar refuses. */
export function acceptAnyCertificate(tree: EnvoyTree): void {
  const socket = tree.static_resources.listeners[0]!.filter_chains[0]!.transport_socket as {
    typed_config: { require_client_certificate: boolean; common_tls_context: Record<string, unknown> };
  };
  socket.typed_config.require_client_certificate = false;
  const context = socket.typed_config.common_tls_context;
  delete context.validation_context_sds_secret_config;
  context.validation_context = { trust_chain_verification: 'ACCEPT_UNTRUSTED' };
}
