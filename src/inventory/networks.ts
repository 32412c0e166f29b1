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

/** Whether every address of the network `inner` (CIDR) lies in one of `outer`. */
export function lies(inner: string, outer: readonly string[]): boolean {
  const { address, bits, family } = parse(inner);
  return outer.some((text) => {
    const network = parse(text);
    return network.family === family && network.bits <= bits && blockList([text]).check(address, family);
  });
}

function blockList(networks: readonly string[]): BlockList {
  const known = compiled.get(networks);
  if (known !== undefined) return known;
  const list = new BlockList();
  for (const text of networks) {
    const { address, bits, family } = parse(text);
    list.addSubnet(address, bits, family);
  }
  compiled.set(networks, list);
  return list;
}

/** Of text that the schema found to be a CIDR block. */
function parse(text: string): Network {
  const [address = '', bits = ''] = text.split('/');
  return { address, bits: Number(bits), family: isIP(address) === 4 ? 'ipv4' : 'ipv6' };
}
