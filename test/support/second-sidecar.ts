import { cpSync } from 'node:fs';
import { pemBundle } from './ca.ts';
import { type EnvoyConfig, type EnvoyTree, startEnvoy } from './envoy.ts';
import { type ConfigOverrides, PAYMENTS, type SidecarEstate } from './estate.ts';
import { removeFolder, temporaryFolder } from './folder.ts';
import { Sidecar } from './sidecar.ts';
import { ending } from './started.ts';
import type { Upstream } from './upstream.ts';

/** What a process leaves in its folder, and another one makes for itself. */
const OWN = /\.(sock|jsonl|log)$|\/envoy/;

/**
 * A second sidecar with a copy of all that the first one is configured with, `listen` too, and an Envoy of its own before it. Both
 * end with `started`.
 */
export async function secondSidecar(
  started: AsyncDisposableStack,
  { dir: first, ca, config, svid }: SidecarEstate,
  upstream: Upstream,
  shipped: EnvoyConfig,
  { listen = {}, edit }: { readonly listen?: ConfigOverrides; readonly edit?: (tree: EnvoyTree) => void } = {},
) {
  const dir = started.adopt(temporaryFolder(), removeFolder);
  cpSync(first, dir, { recursive: true, filter: (path) => !OWN.test(path.slice(first.length)) });
  const sidecar = ending(started, await Sidecar.start({ dir, config, listen }));
  const envoy = ending(
    started,
    await startEnvoy({
      config: shipped,
      dir,
      svid: svid('/ns/payments/sa/envoy', { dns: [PAYMENTS] }),
      bundlePem: pemBundle(ca),
      check: sidecar.check,
      upstream: upstream.port,
      ...(edit && { edit }),
    }),
  );
  return { dir, sidecar, envoy };
}
