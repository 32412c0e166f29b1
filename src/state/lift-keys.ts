import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { attempt } from '../base/attempt.ts';
import type { Clock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { readBounded } from '../source/bounded.ts';
import { Refresher } from '../source/refresher.ts';

const MAX_BYTES = 16_384;
const REFRESH_MS = 10_000;
const LEAST_MS = 200;

/** The key that signs lifts here, if there is one, and those by which lifts are believed: its own among them. */
export interface LiftKeys {
  readonly signing: KeyObject | null;
  readonly trusted: readonly KeyObject[];
}

/** The keys of `control`, as they are now; `onChange` is told of others. */
export interface OrderKeys {
  readonly current: () => LiftKeys;
  onChange(listener: () => void): void;
}

const NONE: LiftKeys = { signing: null, trusted: [] };

/** The files of a configuration that hold the keys. */
export interface LiftKeyFiles {
  readonly key: string | null;
  readonly trustedKeys: readonly string[];
}

/** The keys of lifts, whose files are read again when they change: the last good ones are used as long as there are no others. */
export class LiftKeySource {
  readonly #refresher: Refresher<LiftKeys> | null;

  private constructor(refresher: Refresher<LiftKeys> | null) {
    this.#refresher = refresher;
  }

  /** Reads the files once, and goes on reading them. `onRead` gets what each read gave, and what was used before. */
  static async start(
    files: LiftKeyFiles,
    clock: Clock,
    onRead: (read: LiftKeys | Fault, before: LiftKeys | null) => void,
  ): Promise<LiftKeySource> {
    const all = [...(files.key === null ? [] : [files.key]), ...files.trustedKeys];
    if (all.length === 0) return new LiftKeySource(null);
    const refresher = new Refresher<LiftKeys>({
      clock,
      files: all,
      read: (signal, last) => readKeys(files, signal, last),
      onRead: (read, before) => {
        if (read !== before) onRead(read, before);
      },
      refreshMs: () => REFRESH_MS,
      maxStaleMs: Number.MAX_SAFE_INTEGER,
      leastMs: LEAST_MS,
    });
    await refresher.refresh();
    return new LiftKeySource(refresher);
  }

  get keys(): LiftKeys {
    return this.#refresher?.last ?? NONE;
  }

  /** What is wrong with the files as they are now; null: nothing. */
  get fault(): string | null {
    return this.#refresher?.fault ?? null;
  }

  /** Whether there are files, and none of what they hold could be used yet. */
  get missing(): boolean {
    return this.#refresher !== null && this.#refresher.last === null;
  }

  async stop(): Promise<void> {
    await this.#refresher?.stop();
  }
}

/** The keys in the files, `last` itself where they are the same. */
async function readKeys(
  { key, trustedKeys }: LiftKeyFiles,
  signal: AbortSignal,
  last: LiftKeys | null,
): Promise<LiftKeys | Fault> {
  const signing = key === null ? null : await readKey(key, 'PRIVATE KEY', signal);
  if (signing instanceof Fault) return signing;
  const trusted: KeyObject[] = signing === null ? [] : [createPublicKey(signing)];
  for (const file of trustedKeys) {
    const read = await readKey(file, 'PUBLIC KEY', signal);
    if (read instanceof Fault) return read;
    trusted.push(read);
  }
  const same =
    last !== null &&
    (signing === null ? last.signing === null : last.signing?.equals(signing) === true) &&
    trusted.length === last.trusted.length &&
    trusted.every((one, at) => one.equals(last.trusted[at]!));
  return same ? last : { signing, trusted };
}

async function readKey(
  file: string,
  label: 'PRIVATE KEY' | 'PUBLIC KEY',
  signal: AbortSignal,
): Promise<KeyObject | Fault> {
  const bytes = await readBounded(file, MAX_BYTES, signal);
  if (bytes instanceof Fault) return new Fault(`${file}: ${bytes.detail}`);
  const pem = Buffer.from(bytes).toString('latin1').trim();
  const [, begun, ended] = /^-----BEGIN ([A-Z ]+)-----[A-Za-z0-9+/=\s]+-----END ([A-Z ]+)-----$/.exec(pem) ?? [];
  const one = begun === label && ended === label;
  const key = one ? attempt(() => (label === 'PRIVATE KEY' ? createPrivateKey(pem) : createPublicKey(pem))) : null;
  if (key instanceof Object && key.asymmetricKeyType === 'ed25519') return key;
  const make = label === 'PRIVATE KEY' ? 'openssl genpkey -algorithm ed25519' : 'openssl pkey -in KEY -pubout';
  return new Fault(`${file}: is not one Ed25519 key in PEM (${label}); make it with: ${make}`);
}
