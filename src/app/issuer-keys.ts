import { systemClock } from '../base/clock.ts';
import type { KeyOrigin, ReadDocument } from '../token/jwks-document.ts';
import { JwksSource, type KeyEvent, type KeySourceStatus, whyNoKeys } from '../token/jwks-source.ts';
import { fetchProven } from '../trust/federation-fetch.ts';
import { type Part, timeText } from './part.ts';
import type { Trust } from './trust.ts';

/** How the configuration says where the keys of an issuer are. */
interface IssuerKeysConfig {
  readonly issuer: string;
  readonly keys: KeyOrigin;
  readonly maxStaleMs: number;
  /** Whether the sidecar is not ready without them. */
  readonly required: boolean;
}

/** The keys of one issuer, read in the background. */
export interface IssuerKeys {
  readonly source: JwksSource;
  readonly required: boolean;
}

/** Reads the keys of one issuer once, and goes on reading them. */
export async function readIssuerKeys(
  { issuer, keys: origin, maxStaleMs, required }: IssuerKeysConfig,
  onEvent: (event: KeyEvent) => void,
  readDocument?: ReadDocument,
): Promise<IssuerKeys> {
  const own = readDocument === undefined ? {} : { readDocument };
  const source = await JwksSource.open({ issuer, origin, maxStaleMs, clock: systemClock, onEvent, ...own });
  return { source, required };
}

/** Reads the keys at `/keys` of the token service, which proves itself by its X.509-SVID; undefined: they are elsewhere. */
export function fromTokenService(origin: KeyOrigin, { bundles }: Trust, maxLifetimeSeconds: number) {
  if (origin.from !== 'url' || origin.svid == null) return undefined;
  const { url, svid: endpoint } = origin;
  const proof = { kind: 'https_spiffe' as const, endpoint, bundles: () => bundles.snapshot(), maxLifetimeSeconds };
  return (signal: AbortSignal) => fetchProven(url, proof, systemClock.now(), signal);
}

/** The part that the keys of several issuers are. */
export interface KeysPart extends Part {
  keySources(): readonly KeySourceStatus[];
}

export function keysPart(keys: readonly IssuerKeys[]): KeysPart {
  const keySources = () => keys.map(({ source }) => source.status());
  return {
    keySources,
    missing: () =>
      keys
        .filter(({ required, source }) => required && source.status().state !== 'fresh')
        .map(({ source }) => whyNoKeys(source.status())),
    status: () => ({ issuers: keySources().map((each) => ({ ...each, freshAt: timeText(each.freshAt) })) }),
    stop: () => {
      for (const { source } of keys) source.close();
    },
  };
}
