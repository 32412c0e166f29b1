import { systemClock } from '../base/clock.ts';
import type { KeyOrigin } from '../token/jwks-document.ts';
import { JwksSource, type KeyEvent, type KeySourceStatus, whyNoKeys } from '../token/jwks-source.ts';
import { type Part, timeText } from './part.ts';

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
): Promise<IssuerKeys> {
  return { source: await JwksSource.open({ issuer, origin, maxStaleMs, clock: systemClock, onEvent }), required };
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
