import type { Clock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { decodeUtf8 } from '../base/strict-json.ts';
import { readBounded } from '../source/bounded.ts';
import { TrustBundle } from './bundle.ts';
import { parseBundleFile } from './bundle-document.ts';
import { RefreshedBundle } from './refreshed-bundle.ts';

const MAX_BYTES = 4 * 1024 * 1024;
/** How often the file is read whatever the watcher reports, until a document states a refresh hint. */
const REFRESH_SECONDS = 60;
const LEAST_MS = 200;

export interface BundleFileOptions {
  readonly trustDomain: string;
  readonly file: string;
  /** Milliseconds: the file is read again at least three times within this, so that it does not grow stale untouched. */
  readonly maxStaleMs: number;
  readonly clock: Clock;
}

/** The bundle in a file: read at the start, whenever it may have changed, and from time to time. */
export function bundleFile({ trustDomain, file, maxStaleMs, clock }: BundleFileOptions): RefreshedBundle {
  return new RefreshedBundle(trustDomain, {
    clock,
    files: [file],
    maxStaleMs,
    leastMs: LEAST_MS,
    refreshMs: (last) => (last?.refreshSeconds ?? REFRESH_SECONDS) * 1000,
    read: async (signal) => {
      const read = await readBundle(trustDomain, file, signal);
      return read instanceof Fault ? new Fault(`${file}: ${read.detail}`) : read;
    },
  });
}

async function readBundle(trustDomain: string, file: string, signal: AbortSignal): Promise<TrustBundle | null | Fault> {
  const bytes = await readBounded(file, MAX_BYTES, signal);
  if (bytes instanceof Fault) return bytes;
  const text = decodeUtf8(bytes);
  if (text instanceof Fault) return text;
  const content = parseBundleFile(trustDomain, text);
  return content === null || content instanceof Fault ? content : new TrustBundle(trustDomain, content);
}
