import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleDocument, type CertificateParts, type Issued, pemBundle, TestCa } from './ca.ts';
import { type ConnectionManager, connectionManager, type Envoy, type EnvoyConfig, startEnvoy } from './envoy.ts';
import { removeFolder, temporaryFolder } from './folder.ts';
import { Sidecar } from './sidecar.ts';
import { startUpstream, type Upstream } from './upstream.ts';

const example = join(import.meta.dirname, '..', '..', 'cedar', 'example');

export const TRUST_DOMAIN = 'prod.example';
export const PAYMENTS = 'payments.internal';

/** The SPIFFE ID of a workload of the example. */
export const workload = (path: string): string => `spiffe://${TRUST_DOMAIN}${path}`;

export interface EstateOptions {
  readonly envoy: EnvoyConfig;
  /** Over what the harness writes; one level deep. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly editEnvoy?: (manager: ConnectionManager) => void;
}

/**
 * The whole picture, from real parts: the estate of cedar/example copied into a temporary folder, a CA for its trust
 * domain, a service, the sidecar, and Envoy in front.
 */
export class Estate {
  readonly dir: string;
  readonly ca: TestCa;
  readonly upstream: Upstream;
  readonly sidecar: Sidecar;
  readonly envoy: Envoy;
  /** The folder of policies that the sidecar watches: a copy, free to be edited. */
  readonly policies: string;

  private constructor(dir: string, ca: TestCa, upstream: Upstream, sidecar: Sidecar, envoy: Envoy) {
    this.dir = dir;
    this.ca = ca;
    this.upstream = upstream;
    this.sidecar = sidecar;
    this.envoy = envoy;
    this.policies = join(dir, 'policies');
  }

  static async start(options: EstateOptions): Promise<Estate> {
    const dir = temporaryFolder();
    const undo: (() => unknown)[] = [() => removeFolder(dir)];
    try {
      cpSync(example, dir, { recursive: true });
      const ca = TestCa.root(TRUST_DOMAIN);
      writeFileSync(join(dir, 'bundle.json'), JSON.stringify(bundleDocument([ca])));
      const upstream = await startUpstream();
      undo.unshift(() => upstream.close());
      const sidecar = await Sidecar.start({ dir, tcp: options.envoy !== 'uds', config: sidecarConfig(options) });
      undo.unshift(() => sidecar.kill());
      const envoy = await startEnvoy({
        config: options.envoy,
        dir,
        svid: ca.svid(workload('/ns/payments/sa/envoy')),
        bundlePem: pemBundle(ca),
        check: sidecar.check,
        upstream: upstream.port,
        ...(options.editEnvoy === undefined ? {} : { edit: (tree) => options.editEnvoy?.(connectionManager(tree)) }),
      });
      return new Estate(dir, ca, upstream, sidecar, envoy);
    } catch (error) {
      for (const step of undo) await step();
      throw error;
    }
  }

  /** An SVID of a workload of the trust domain, by the path of its id. */
  svid(path: string, parts: CertificateParts = {}): Issued {
    return this.ca.svid(workload(path), parts);
  }

  /** Stops everything and removes the folder. */
  async stop(): Promise<void> {
    await this.envoy.stop();
    await this.sidecar.stop();
    await this.upstream.close();
    removeFolder(this.dir);
  }
}

function sidecarConfig(options: EstateOptions): Record<string, unknown> {
  return {
    serves: [PAYMENTS],
    request: { mergeSlashes: true },
    identity: { trustDomains: { [TRUST_DOMAIN]: { ours: true, bundle: { file: './bundle.json' } } } },
    policy: { folder: './policies', inventory: './inventory.yaml' },
    ...options.config,
  };
}
