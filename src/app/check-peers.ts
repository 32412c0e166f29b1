import { createHash } from 'node:crypto';
import { systemClock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { peersAgainstInventory } from '../config/against-inventory.ts';
import { peerDomains } from '../config/between-sections.ts';
import { isProblems, loadPeers, type PeerDomains, type PeerEntry, readPeersFile } from '../config/peers.ts';
import type { Config } from '../config/schema.ts';
import { Peers } from '../envoy/peers.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { SnapshotHolder } from '../policy/load/holder.ts';
import { formatProblem } from '../source/problem.ts';
import { Refresher } from '../source/refresher.ts';
import type { CheckPortEvent, Reporters } from './changes.ts';
import { type Part, timeText } from './part.ts';

/** How often the file is read whatever the watcher reports. */
const REFRESH_MS = 30_000;
const LEAST_MS = 200;
/** Enough to correct a file by. */
const MAX_SHOWN = 16;

/** The clients of the check port, from the configuration or from a file that is read again. */
export interface CheckPeers extends Part {
  /** Who may ask now: nobody, while the file was never good. */
  current(): Peers;
  /** What was wrong with the last read of the file; null when it was good, or there is none. */
  fault(): string | null;
  /** What they can never ask about by this inventory, one line each, cut to a few. */
  findings(inventory: Inventory): readonly string[];
  /** Tells of each change. */
  onChange(listener: () => void): void;
}

interface Read {
  readonly entries: readonly PeerEntry[];
  readonly revision: string;
}

/** Reads the peers once, and goes on reading their file. */
export async function startPeers(config: Config, onEvent: (event: CheckPortEvent) => void): Promise<CheckPeers> {
  const { peers: listed, peersFile: file } = config.listen;
  const listeners: (() => void)[] = [];
  let current: Read = { entries: listed, revision: '' };
  let peers = new Peers(listed);
  const refresher =
    file === null
      ? null
      : new Refresher<Read>({
          clock: systemClock,
          files: [file],
          maxStaleMs: Number.POSITIVE_INFINITY,
          leastMs: LEAST_MS,
          refreshMs: () => REFRESH_MS,
          read: reader(file, config),
          onRead: (read, before) => {
            if (read instanceof Fault) {
              onEvent({ file: 'peers', result: 'rejected', revision: before?.revision ?? null, detail: read.detail });
            } else if (read.revision !== before?.revision) {
              [current, peers] = [read, new Peers(read.entries)];
              onEvent({ file: 'peers', result: 'updated', revision: read.revision, detail: countOf(read) });
              for (const listener of listeners) listener();
            }
          },
        });
  await refresher?.refresh();
  const fault = () => refresher?.fault ?? null;
  return {
    current: () => peers,
    fault,
    findings: (inventory) => {
      const key = file === null ? 'listen.peers' : `${file}: peers`;
      const found = peersAgainstInventory(current.entries, key, inventory);
      const more = found.length - MAX_SHOWN;
      return more <= 0 ? found : [...found.slice(0, MAX_SHOWN), `${key}: ${more} more such problems`];
    },
    onChange: (listener) => void listeners.push(listener),
    missing: () =>
      refresher === null || refresher.freshAt !== null
        ? []
        : (fault() ?? '').split('\n').map((line) => `there are no peers: ${line}`),
    status: () =>
      refresher === null
        ? {}
        : {
            peers: {
              file,
              entries: current.entries.length,
              revision: current.revision === '' ? null : current.revision,
              freshAt: timeText(refresher.freshAt),
              fault: fault(),
            },
          },
    stop: () => refresher?.stop(),
  };
}

/** Reads the file, and parses it only where its text is another one than before. */
function reader(file: string, config: Config): (signal: AbortSignal) => Promise<Read | Fault> {
  const domains = peerDomains(config);
  let last: { readonly text: string; readonly read: Read | Fault } | null = null;
  return async (signal) => {
    const text = await readPeersFile(file, signal);
    if (text instanceof Fault) return text;
    if (last?.text !== text) last = { text, read: parsePeers(text, file, domains) };
    return last.read;
  };
}

function parsePeers(text: string, file: string, domains: PeerDomains): Read | Fault {
  const loaded = loadPeers(text, file, domains);
  if (!isProblems(loaded)) return { entries: loaded, revision: revisionOf(loaded) };
  const shown = loaded.slice(0, MAX_SHOWN).map(formatProblem);
  return new Fault([...shown, ...(loaded.length > MAX_SHOWN ? [`${loaded.length - MAX_SHOWN} more`] : [])].join('\n'));
}

const countOf = ({ entries }: Read): string => (entries.length === 0 ? 'nobody may ask' : `${entries.length} peers`);

/** SHA-256 (hex) of what the peers are and may ask about. */
function revisionOf(entries: readonly PeerEntry[]): string {
  const content = entries.map(({ pattern, hosts }) => [pattern.text, hosts?.toSorted() ?? null]);
  return createHash('sha256').update(JSON.stringify(content)).digest('hex');
}

/** Reports what peers can never ask about: now, and when they or the inventory change. */
export function watchPeers(peers: CheckPeers, policy: SnapshotHolder, log: Reporters['log']): void {
  let said = '';
  const look = () => {
    const inventory = policy.current()?.inventory;
    if (inventory === undefined) return;
    const found = peers.findings(inventory);
    if (found.join('\n') === said) return;
    said = found.join('\n');
    for (const problem of found) log.warn('configuration problem', { problem });
  };
  peers.onChange(look);
  policy.events.on('loaded', look);
  look();
}
