import type { ProductView } from './against-product.ts';
import type { EnvoyFindings } from './findings.ts';
import type { EnvoyResources } from './resources.ts';

/** What checks share while they look at one Envoy. */
export interface Examination {
  readonly resources: EnvoyResources;
  /** The configuration of the sidecar, where it was given. */
  readonly product: ProductView | null;
  readonly findings: EnvoyFindings;
  /** Whether the listener at hand takes what this Envoy itself sends, such as that of a waypoint behind its tunnel. */
  readonly isInternal: boolean;
  /** How much was looked at. */
  readonly seen: { listeners: number; chains: number; routes: number };
}
