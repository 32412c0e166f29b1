import * as z from 'zod';
import { Fault } from '../base/fault.ts';
import { SpiffePattern } from '../base/spiffe-pattern.ts';
import { decodeUtf8 } from '../base/strict-json.ts';
import { readBounded } from '../source/bounded.ts';
import { shapeProblems, withPath } from '../source/explain.ts';
import type { Problem } from '../source/problem.ts';
import { readYaml } from '../source/yaml.ts';
import { leaf } from './values/leaf.ts';
import { host, list, optional, section, self, WORKLOAD_ID } from './values/scalars.ts';

const MAX_PEERS = 1024;
const MAX_HOSTS = 1024;
/** Room for a thousand peers. It is parsed between checks: of YAML, so much takes about a tenth of a second. */
const MAX_BYTES = 128 * 1024;

/** Clients of the check port, and the hosts that they may ask about; null: those whose `servedBy` holds the client. */
export interface PeerEntry {
  readonly pattern: SpiffePattern;
  readonly hosts: readonly string[] | null;
}

const pattern = () => leaf('SPIFFE ID', (value) => SpiffePattern.parse(value), WORKLOAD_ID);

const peer = () =>
  z.union([
    pattern().transform((id): PeerEntry => ({ pattern: id, hosts: null })),
    section({
      id: pattern().describe('Its SPIFFE ID; a segment `*` of the path stands for exactly one segment'),
      hosts: optional(
        list(host(), MAX_HOSTS, self).min(1, {
          error: 'is empty, so this peer could ask about nothing; name hosts, or leave the key out',
        }),
      ).describe(
        'The hosts that it may ask about; left out: those of the inventory whose `servedBy` has its SPIFFE ID',
      ),
    }).transform(({ id, hosts }): PeerEntry => ({ pattern: id, hosts })),
  ]);

/** `listen.peers`, and the list in the file that stands for it. */
export const peerList = () => list(peer(), MAX_PEERS, ({ pattern: { text } }) => text);

/** The file that `listen.peersFile` names. */
export const peersFile = section({ peers: peerList().describe('The allowed clients of the check port: your Envoys') });

/** What `loadPeers` gives: told apart from peers without `instanceof`. */
export const isProblems = (loaded: readonly PeerEntry[] | Problem[]): loaded is Problem[] =>
  loaded.some((each) => 'message' in each);

/** Which trust domains peers may be of, and what to say of others. */
export interface PeerDomains {
  readonly names: ReadonlySet<string>;
  readonly message: string;
}

/** The text of the file that stands for `listen.peers`; a Fault says what to correct. Never rejects. */
export async function readPeersFile(file: string, signal: AbortSignal): Promise<string | Fault> {
  const bytes = await readBounded(file, MAX_BYTES, signal);
  const text = bytes instanceof Fault ? bytes : decodeUtf8(bytes);
  return text instanceof Fault ? new Fault(`${file}: ${text.detail}; correct it, or listen.peersFile`) : text;
}

/**
 * The text of the file that stands for `listen.peers`: YAML with the one key `peers`, which may be an empty list. Gives all
 * of it, or every problem with its place. `file` is only shown.
 */
export function loadPeers(text: string, file: string, domains: PeerDomains): readonly PeerEntry[] | Problem[] {
  const yaml = readYaml(text, file, 'write peers: [] to let nobody ask');
  if (Array.isArray(yaml)) return yaml;
  const parsed = peersFile.safeParse(yaml.value, { reportInput: true });
  if (!parsed.success) return shapeProblems(parsed.error, yaml, true);
  const { peers } = parsed.data;
  const stray = strayPeers(peers, domains).map((at) =>
    yaml.problem(['peers', at], withPath(['peers', at], domains.message)),
  );
  return stray.length > 0 ? stray : peers;
}

/** The places of peers that could never prove themselves, for want of authorities for their trust domain. */
export const strayPeers = (peers: readonly PeerEntry[], { names }: PeerDomains): readonly number[] =>
  peers.flatMap(({ pattern }, at) => (names.has(pattern.trustDomain) ? [] : [at]));
