import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleDocument, type CertificateParts, type Issued, pemBundle, TestCa } from './ca.ts';
import { type Envoy, type EnvoyConfig, type EnvoyTree, startEnvoy } from './envoy.ts';
import { removeFolder, temporaryFolder } from './folder.ts';
import { type Command, Sidecar } from './sidecar.ts';
import { ending } from './started.ts';
import { startUpstream, type Upstream } from './upstream.ts';

const example = join(import.meta.dirname, '..', '..', 'cedar', 'example');

export const TRUST_DOMAIN = 'prod.example';
export const PAYMENTS = 'payments.internal';

/** The SPIFFE ID of a workload of the example. */
export const workload = (path: string): string => `spiffe://${TRUST_DOMAIN}${path}`;

/** Over what the harness writes into the sidecar's configuration; one level deep. */
export type ConfigOverrides = Readonly<Record<string, unknown>>;

/** Changes the files beside the configuration, before the sidecar reads them; what it returns overrides as `config` does. */
export type Prepare = (dir: string, ca: TestCa) => ConfigOverrides;

export interface SidecarOptions {
  readonly tcp?: boolean;
  readonly unready?: boolean;
  readonly config?: ConfigOverrides;
  /** More of the section `listen`. */
  readonly listen?: ConfigOverrides;
  readonly prepare?: Prepare;
  readonly command?: Command;
}

export interface EstateOptions extends SidecarOptions {
  readonly envoy: EnvoyConfig;
  /** A change to Envoy's configuration. */
  readonly edit?: (tree: EnvoyTree) => void;
}

/** The sidecar with a copy of cedar/example in a temporary folder, and a CA for its trust domain. */
export const SidecarEstate = { start: startSidecar };
export type SidecarEstate = Awaited<ReturnType<typeof startSidecar>>;

/** A sidecar estate with a service and a real Envoy in front of it. */
export const Estate = { start: startWithEnvoy };
export type Estate = Awaited<ReturnType<typeof startWithEnvoy>>;

/** Copies cedar/example into a folder. */
export const copyExample = (dir: string): void => cpSync(example, dir, { recursive: true });

async function startSidecar(options: SidecarOptions = {}) {
  const { tcp = false, unready = false, listen = {}, prepare, command, config: over } = options;
  await using started = new AsyncDisposableStack();
  const dir = started.adopt(temporaryFolder(), removeFolder);
  copyExample(dir);
  const ca = TestCa.root(TRUST_DOMAIN);
  writeFileSync(join(dir, 'bundle.json'), JSON.stringify(bundleDocument([ca])));
  const config: ConfigOverrides = { ...exampleConfig, ...prepare?.(dir, ca), ...over };
  const sidecar = ending(
    started,
    await Sidecar.start({ dir, config, listen, tcp, unready, ...(command && { command }) }),
  );
  const running = started.move();

  /** An SVID of a workload of the trust domain, by the path of its id. */
  const svid = (path: string, parts: CertificateParts = {}): Issued => ca.svid(workload(path), parts);
  return {
    dir,
    ca,
    sidecar,
    /** What the sidecar was configured with, for another one beside it. */
    config,
    /** The folder of policies that the sidecar watches: a copy, free to be edited. */
    policies: join(dir, 'policies'),
    svid,
    /** An Envoy in front of a service, asking this sidecar. `binary` is another copy of the program. */
    envoy: (
      shipped: EnvoyConfig,
      upstream: Upstream,
      edit?: (tree: EnvoyTree) => void,
      binary?: string,
    ): Promise<Envoy> =>
      startEnvoy({
        config: shipped,
        dir,
        svid: svid('/ns/payments/sa/envoy', { dns: [PAYMENTS] }),
        bundlePem: pemBundle(ca),
        check: sidecar.check,
        upstream: upstream.port,
        ...(edit === undefined ? {} : { edit }),
        ...(binary === undefined ? {} : { binary }),
      }),
    stop: () => running.disposeAsync(),
  };
}

async function startWithEnvoy({ envoy: shipped, edit, ...rest }: EstateOptions) {
  await using started = new AsyncDisposableStack();
  const base = ending(started, await startSidecar({ tcp: shipped === 'tcp', ...rest }));
  const upstream = ending(started, await startUpstream());
  const envoy = ending(started, await base.envoy(shipped, upstream, edit));
  const running = started.move();
  const { sidecar, ca, svid } = base;
  return { base, sidecar, ca, svid, upstream, envoy, stop: () => running.disposeAsync() };
}

/** The `identity` section of the example, with how x-forwarded-client-cert comes about. */
export function exampleIdentity(forwarded: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { trustDomains: { [TRUST_DOMAIN]: { local: true, bundle: { file: './bundle.json' } } }, forwarded };
}

const exampleConfig = {
  hosts: [PAYMENTS],
  identity: exampleIdentity({ mode: 'sanitize-set' }),
  policy: { folder: './policies', inventory: './inventory.yaml' },
  // A machine that runs every test at once may be slow, and none of the tests is about that.
  limits: { deadline: '30s' },
};
