import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleDocument, type CertificateParts, type Issued, pemBundle, TestCa } from './ca.ts';
import { type Envoy, type EnvoyConfig, type EnvoyTree, startEnvoy } from './envoy.ts';
import { removeFolder, temporaryFolder } from './folder.ts';
import { type Command, Sidecar } from './sidecar.ts';
import { startUpstream, type Upstream } from './upstream.ts';

const example = join(import.meta.dirname, '..', '..', 'cedar', 'example');

export const TRUST_DOMAIN = 'prod.example';
export const PAYMENTS = 'payments.internal';

/** The SPIFFE ID of a workload of the example. */
export const workload = (path: string): string => `spiffe://${TRUST_DOMAIN}${path}`;

/** Over what the harness writes into the sidecar's configuration; one level deep. */
export type ConfigOverrides = Readonly<Record<string, unknown>>;

export interface EstateOptions {
  readonly envoy: EnvoyConfig;
  readonly config?: ConfigOverrides;
  /** A change to Envoy's configuration. */
  readonly edit?: (tree: EnvoyTree) => void;
  readonly prepare?: Prepare;
  readonly command?: Command;
}

/** Changes the files beside the configuration, before the sidecar reads them; what it returns overrides as `config` does. */
export type Prepare = (dir: string, ca: TestCa) => ConfigOverrides;

/** The sidecar with a copy of cedar/example in a temporary folder, and a CA for its trust domain. */
export class SidecarEstate {
  readonly dir: string;
  readonly ca: TestCa;
  readonly sidecar: Sidecar;
  /** The folder of policies that the sidecar watches: a copy, free to be edited. */
  readonly policies: string;
  /** What the sidecar was configured with, for another one beside it. */
  readonly config: ConfigOverrides;

  private constructor(dir: string, ca: TestCa, sidecar: Sidecar, config: ConfigOverrides) {
    this.config = config;
    this.dir = dir;
    this.ca = ca;
    this.sidecar = sidecar;
    this.policies = join(dir, 'policies');
  }

  static async start(
    options: Partial<Omit<EstateOptions, 'envoy' | 'edit'>> & { tcp?: boolean; unready?: boolean } = {},
  ): Promise<SidecarEstate> {
    const dir = temporaryFolder();
    try {
      cpSync(example, dir, { recursive: true });
      const ca = TestCa.root(TRUST_DOMAIN);
      writeFileSync(join(dir, 'bundle.json'), JSON.stringify(bundleDocument([ca])));
      const config = { ...exampleConfig, ...options.prepare?.(dir, ca), ...options.config };
      const { tcp = false, unready = false, command } = options;
      const sidecar = await Sidecar.start({ dir, config, tcp, unready, ...(command === undefined ? {} : { command }) });
      return new SidecarEstate(dir, ca, sidecar, config);
    } catch (error) {
      removeFolder(dir);
      throw error;
    }
  }

  /** An SVID of a workload of the trust domain, by the path of its id. */
  svid(path: string, parts: CertificateParts = {}): Issued {
    return this.ca.svid(workload(path), parts);
  }

  /** An Envoy in front of a service, asking this sidecar. `binary` is another copy of the program. */
  async envoy(
    config: EnvoyConfig,
    upstream: Upstream,
    edit?: (tree: EnvoyTree) => void,
    binary?: string,
  ): Promise<Envoy> {
    return await startEnvoy({
      config,
      dir: this.dir,
      svid: this.svid('/ns/payments/sa/envoy', { dns: [PAYMENTS] }),
      bundlePem: pemBundle(this.ca),
      check: this.sidecar.check,
      upstream: upstream.port,
      ...(edit === undefined ? {} : { edit }),
      ...(binary === undefined ? {} : { binary }),
    });
  }

  async stop(): Promise<void> {
    await this.sidecar.stop();
    removeFolder(this.dir);
  }
}

/** A sidecar estate with a service and a real Envoy in front of it. */
export class Estate {
  readonly base: SidecarEstate;
  readonly upstream: Upstream;
  readonly envoy: Envoy;

  private constructor(base: SidecarEstate, upstream: Upstream, envoy: Envoy) {
    this.base = base;
    this.upstream = upstream;
    this.envoy = envoy;
  }

  static async start(options: EstateOptions): Promise<Estate> {
    const { envoy, edit, ...rest } = options;
    const base = await SidecarEstate.start({ tcp: envoy === 'tcp', ...rest });
    const upstream = await startUpstream();
    try {
      return new Estate(base, upstream, await base.envoy(envoy, upstream, edit));
    } catch (error) {
      await upstream.close();
      await base.stop();
      throw error;
    }
  }

  get sidecar(): Sidecar {
    return this.base.sidecar;
  }

  get ca(): TestCa {
    return this.base.ca;
  }

  svid(path: string, parts: CertificateParts = {}): Issued {
    return this.base.svid(path, parts);
  }

  /** Stops everything and removes the folder. */
  async stop(): Promise<void> {
    await this.envoy.stop();
    await this.base.stop();
    await this.upstream.close();
  }
}

/** The `identity` section of the example, with how x-forwarded-client-cert comes about. */
export function exampleIdentity(forwarded: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { trustDomains: { [TRUST_DOMAIN]: { ours: true, bundle: { file: './bundle.json' } } }, forwarded };
}

const exampleConfig = {
  serves: [PAYMENTS],
  identity: exampleIdentity({ mode: 'sanitize-set' }),
  policy: { folder: './policies', inventory: './inventory.yaml' },
  // A machine that runs every test at once may be slow, and none of the tests is about that.
  limits: { deadline: '30s' },
};
