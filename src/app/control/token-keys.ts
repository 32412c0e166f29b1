import { systemClock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { readBounded } from '../../source/bounded.ts';
import { Refresher } from '../../source/refresher.ts';
import { TokenFault } from '../../token/jws-fault.ts';
import { type KeySet, parseJwks } from '../../token/key-set.ts';
import type { KeySource } from '../../token/key-source.ts';
import { readSigningKeys, type SigningKeys } from '../../token/signing-keys.ts';

const MAX_BYTES = 65_536;
const REFRESH_MS = 10_000;
const LEAST_MS = 200;

/** The keys of the token service, running: the last good ones are used as long as there are no others. */
export interface TokenKeys {
  /** Null while none could be read. */
  current(): SigningKeys | null;
  /** Their public halves, for a reader in this process. */
  readonly source: KeySource;
  missing(): readonly string[];
  status(): Readonly<Record<string, unknown>>;
  stop(): Promise<void>;
}

interface Read {
  readonly text: string;
  readonly signing: SigningKeys;
  readonly set: KeySet;
}

/** Reads the file of `tokenService.keys` once, and goes on reading it. `onRead` gets the names of keys that are new, or what is wrong. */
export async function startTokenKeys(
  file: string,
  onRead: (read: readonly string[] | Fault) => void,
): Promise<TokenKeys> {
  const reading = new Refresher<Read>({
    clock: systemClock,
    files: [file],
    read: async (signal, last) => {
      const bytes = await readBounded(file, MAX_BYTES, signal);
      const text = bytes instanceof Fault ? bytes : Buffer.from(bytes).toString('latin1');
      if (!(text instanceof Fault) && text === last?.text) return last;
      const read = text instanceof Fault ? text : readKeys(text);
      return read instanceof Fault ? new Fault(`${file}: ${read.detail}`) : read;
    },
    onRead: (read, before) => {
      if (read !== before) onRead(read instanceof Fault ? read : namesOf(read));
    },
    refreshMs: () => REFRESH_MS,
    maxStaleMs: Number.MAX_SAFE_INTEGER,
    leastMs: LEAST_MS,
  });
  await reading.refresh();
  return {
    current: () => reading.last?.signing ?? null,
    source: {
      current: () => reading.last?.set ?? new TokenFault('keys_stale', `no keys: ${reading.fault}`),
      refreshSoon: () => reading.refreshSoon(),
    },
    missing: () => (reading.last === null ? [`no keys of the token service: ${reading.fault}`] : []),
    status: () => ({
      tokenService: { keys: reading.last === null ? [] : namesOf(reading.last), fault: reading.fault },
    }),
    stop: () => reading.stop(),
  };
}

function readKeys(text: string): Read | Fault {
  const signing = readSigningKeys(text);
  if (signing instanceof Fault) return signing;
  const set = parseJwks(Buffer.from(JSON.stringify(signing.jwks)));
  return set instanceof Fault ? set : { text, signing, set };
}

/** The names of the keys, the one that signs first. */
const namesOf = ({ set }: Read): readonly string[] => set.keys.map(({ kid }) => kid ?? '');
