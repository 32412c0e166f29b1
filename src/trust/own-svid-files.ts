import type { Clock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { decodeUtf8 } from '../base/strict-json.ts';
import { readBounded } from '../source/bounded.ts';
import { Refresher } from '../source/refresher.ts';
import { type OwnSvid, readOwnFiles } from './own-svid.ts';
import type { OwnSvidSink, OwnSvidSource } from './own-svid-source.ts';

const MAX_BYTES = 256 * 1024;
/** How often the files are read whatever the watcher reports. */
const REFRESH_MS = 30_000;
const LEAST_MS = 200;

export interface OwnSvidFiles {
  /** PEM of the certificate, the leaf first. */
  readonly certificate: string;
  /** PEM of its key. */
  readonly key: string;
  readonly clock: Clock;
}

/**
 * The certificate and the key in two files: read at the start, whenever one of them may have changed, and from time to
 * time. They are taken together or not at all: while they do not belong together, the last good pair stays.
 */
export function svidFiles({ certificate, key, clock }: OwnSvidFiles): OwnSvidSource {
  let to: OwnSvidSink | null = null;
  const readPair = async (signal: AbortSignal): Promise<OwnSvid | Fault> => {
    const [pem, keyPem] = [await readText(certificate, signal), await readText(key, signal)];
    if (pem instanceof Fault) return pem;
    if (keyPem instanceof Fault) return keyPem;
    const svid = readOwnFiles(pem, keyPem, clock.now());
    return svid instanceof Fault ? new Fault(`${certificate} with ${key}: ${svid.detail}`) : svid;
  };
  const refresher = new Refresher<OwnSvid>({
    clock,
    files: [certificate, key],
    maxStaleMs: Number.POSITIVE_INFINITY,
    leastMs: LEAST_MS,
    refreshMs: () => REFRESH_MS,
    read: readPair,
    onRead: (read) => {
      if (read instanceof Fault) to?.reject(read.detail);
      else to?.take(read);
    },
  });
  return {
    start: async (sink) => {
      to = sink;
      await refresher.refresh();
    },
    stop: () => refresher.stop(),
  };
}

async function readText(file: string, signal: AbortSignal): Promise<string | Fault> {
  const bytes = await readBounded(file, MAX_BYTES, signal);
  const text = bytes instanceof Fault ? bytes : decodeUtf8(bytes);
  return text instanceof Fault ? new Fault(`${file}: ${text.detail}`) : text;
}
