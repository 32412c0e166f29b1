import { BlockList, isIP } from 'node:net';
import type { Workload } from './model.ts';

interface Network {
  readonly address: string;
  readonly bits: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** Networks by the list that states them: a snapshot states few, and asks about them at every request. */
const compiled = new WeakMap<readonly string[], BlockList>();

/**
 * Whether the client's address lies in the networks that the inventory states for the workload; null where it states
 * none, or the address is not known. `client` is unmapped from `::ffff:`.
 */
export function inNetworks(workload: Workload, client: string | null): boolean | null {
  if (workload.networks === null || client === null) return null;
  const family = isIP(client);
  if (family === 0) return null;
  return blockList(workload.networks).check(client, family === 4 ? 'ipv4' : 'ipv6');
}

/** Whether every address of each network of `inner` (CIDR) is in a network of `outer`. */
export function covers(outer: readonly string[], inner: readonly string[]): boolean {
  // A network lies in another that holds its first address and is no narrower.
  const byWidth = Map.groupBy(outer.map(parse), ({ bits, family }) => `${family}/${bits}`);
  const wider = [...byWidth.values()].map((networks) => ({ width: networks[0], list: listOf(networks) }));
  return inner
    .map(parse)
    .every(({ address, bits, family }) =>
      wider.some(({ width, list }) => width?.family === family && width.bits <= bits && list.check(address, family)),
    );
}

function blockList(networks: readonly string[]): BlockList {
  const known = compiled.get(networks);
  if (known !== undefined) return known;
  const list = listOf(networks.map(parse));
  compiled.set(networks, list);
  return list;
}

function listOf(networks: readonly Network[]): BlockList {
  const list = new BlockList();
  for (const { address, bits, family } of networks) list.addSubnet(address, bits, family);
  return list;
}

/** Of text that the schema found to be a CIDR block. */
function parse(text: string): Network {
  const [address = '', bits = ''] = text.split('/');
  return { address, bits: Number(bits), family: isIP(address) === 4 ? 'ipv4' : 'ipv6' };
}
