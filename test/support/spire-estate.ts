import { appendFileSync, cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { TestCa } from './ca.ts';
import { type Envoy, type EnvoyTree, endpointOf, place, runEnvoy } from './envoy.ts';
import { envoyOf, findEnvoy, type supportedEnvoys } from './envoy-binary.ts';
import { removeFolder, temporaryFolder } from './folder.ts';
import { Sidecar } from './sidecar.ts';
import { programAs, Spire, type SpireOptions } from './spire.ts';
import { documentedYaml, runDocumented } from './spire-docs.ts';
import { SpireWorkload } from './spire-workload.ts';
import { startUpstream, type Upstream } from './upstream.ts';

const example = join(import.meta.dirname, '..', '..', 'cedar', 'example');
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
export class SpireEstate {
  readonly dir: string;
  readonly spire: Spire;
  /** The partner's SPIRE, and the root above it, whose key is the test's. */
  readonly partner: Spire | null;
  readonly partnerRoot: TestCa;
  readonly ledger: SpireWorkload;
  readonly sidecar: Sidecar;
  readonly upstream: Upstream;
  readonly envoy: Envoy;
  readonly #envoyBinary: string;
  readonly #others: Envoy[] = [];

  private constructor(parts: Parts) {
    this.dir = parts.dir;
    this.spire = parts.spire;
    this.partner = parts.partner;
    this.partnerRoot = parts.partnerRoot;
    this.ledger = parts.ledger;
    this.sidecar = parts.sidecar;
    this.upstream = parts.upstream;
    this.envoy = parts.envoy;
    this.#envoyBinary = parts.envoyBinary;
  }

  static async start(options: SpireEstateOptions = {}): Promise<SpireEstate> {
    const dir = temporaryFolder();
    const started: (() => Promise<unknown>)[] = [async () => removeFolder(dir)];
    try {
      const partnerRoot = TestCa.root('partner.example');
      const spire = await Spire.start({ ...options.spire, dir, trustDomain: 'prod.example' });
      started.push(() => spire.stop());
      const partner =
        options.partner === true ? await Spire.start({ dir, trustDomain: 'partner.example', root: partnerRoot }) : null;
      if (partner !== null) started.push(() => partner.stop());
      const ledger = await SpireWorkload.at(spire, '/ns/payments/sa/ledger');
      const envoyBinary = programAs(await envoyBinaryOf(options), join(dir, 'bin', 'envoy'));
      const variables = { ENVOY: envoyBinary, NODE: process.execPath, LEDGER: ledger.binary };
      await runDocumented('register', spire, dir, variables);
      writeExample(dir);
      const sidecar = await Sidecar.start({ dir, ...sidecarSetup(spire, options.maxStale) });
      started.push(() => sidecar.stop());
      const upstream = await startUpstream();
      started.push(() => upstream.close());
      const { edit = () => {} } = options;
      const envoy = await startSpireEnvoy({ dir, spire, sidecar, upstream, envoyBinary, edit });
      return new SpireEstate({ dir, spire, partner, partnerRoot, ledger, sidecar, upstream, envoy, envoyBinary });
    } catch (error) {
      for (const stop of started.reverse()) await stop();
      throw error;
    }
  }

  /** Exchanges the bundles of both trust domains and lets Envoy and the sidecar have the partner's, as docs/spire.md says. */
  async federate(): Promise<void> {
    const partner = this.partner!;
    for (const side of [this.spire, partner]) await runDocumented('export', side, this.dir);
    await runDocumented('import', this.spire, this.dir);
    const variables = { ENVOY: this.#envoyBinary, NODE: process.execPath, LEDGER: this.ledger.binary };
    await runDocumented('federate', this.spire, this.dir, variables);
  }

  /** Another Envoy before the same sidecar, changed by the test. */
  async otherEnvoy(edit: (tree: EnvoyTree) => void): Promise<Envoy> {
    const { dir, spire, sidecar, upstream } = this;
    const envoy = await startSpireEnvoy({ dir, spire, sidecar, upstream, envoyBinary: this.#envoyBinary, edit });
    this.#others.push(envoy);
    return envoy;
  }

  async stop(): Promise<void> {
    for (const envoy of [this.envoy, ...this.#others]) await envoy.stop();
    await this.sidecar.stop();
    await this.upstream.close();
    await this.partner?.stop();
    await this.spire.stop();
    removeFolder(this.dir);
  }
}

const envoyBinaryOf = ({ envoyVersion }: SpireEstateOptions): Promise<string> =>
  envoyVersion === undefined ? findEnvoy() : envoyOf(envoyVersion);

interface Parts {
  readonly dir: string;
  readonly spire: Spire;
  readonly partner: Spire | null;
  readonly partnerRoot: TestCa;
  readonly ledger: SpireWorkload;
  readonly sidecar: Sidecar;
  readonly upstream: Upstream;
  readonly envoy: Envoy;
  readonly envoyBinary: string;
}

/** cedar/example with the partner: a workload below its trust domain, and a permit for the status page. */
function writeExample(dir: string): void {
  cpSync(example, dir, { recursive: true });
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

interface EnvoyParts {
  readonly dir: string;
  readonly spire: Spire;
  readonly sidecar: Sidecar;
  readonly upstream: Upstream;
  readonly envoyBinary: string;
  readonly edit?: (tree: EnvoyTree) => void;
}

async function startSpireEnvoy({ dir, spire, sidecar, upstream, envoyBinary, edit }: EnvoyParts): Promise<Envoy> {
  const tree = place({
    config: 'spire',
    check: sidecar.check,
    upstream: upstream.port,
    edit: (placed) => {
      endpointOf(placed, 'spire-agent').address = { pipe: { path: spire.agentSocket } };
      edit?.(placed);
    },
  });
  const envoy = await runEnvoy(mkdtempSync(join(dir, 'envoy-')), tree, envoyBinary);
  await envoy.clusterHealth('cedar-ext-authz', true);
  return envoy;
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
