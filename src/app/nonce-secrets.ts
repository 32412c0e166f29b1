import { randomBytes } from 'node:crypto';
import { systemClock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { readBounded } from '../source/bounded.ts';
import { Refresher } from '../source/refresher.ts';
import { readNonceSecrets } from '../task/dpop-nonce.ts';
import type { Part } from './part.ts';

const SECRET_BYTES = 32;
const MAX_BYTES = 16_384;
const HOUR_MS = 3_600_000;
const LEAST_MS = 200;

/** The secrets of the nonces, running. */
export interface NonceSecrets extends Pick<Part, 'missing' | 'stop'> {
  readonly secrets: () => readonly Uint8Array[];
}

/** Random ones of this process, or those of a file, which is read again when it changes. */
export async function startNonceSecrets(
  file: string | null,
  onRead: (read: readonly Uint8Array[] | Fault, kept: boolean) => void,
): Promise<NonceSecrets> {
  const own = [randomBytes(SECRET_BYTES)];
  if (file === null) return { secrets: () => own, missing: () => [], stop: () => {} };
  const reading = new Refresher<readonly Uint8Array[]>({
    clock: systemClock,
    files: [file],
    read: async (signal) => {
      const bytes = await readBounded(file, MAX_BYTES, signal);
      const read = bytes instanceof Fault ? bytes : readNonceSecrets(Buffer.from(bytes).toString());
      return read instanceof Fault ? new Fault(`${file}: ${read.detail}`) : read;
    },
    onRead: (read, before) => onRead(read, before !== null),
    refreshMs: () => HOUR_MS,
    // Secrets do not age: the last good ones are used as long as there are no others.
    maxStaleMs: Number.MAX_SAFE_INTEGER,
    leastMs: LEAST_MS,
  });
  await reading.refresh();
  return {
    secrets: () => reading.last ?? own,
    missing: () => (reading.last === null ? [`no secrets of nonces: ${reading.fault}`] : []),
    stop: () => reading.stop(),
  };
}
