import { isIPv4 } from 'node:net';

/**
 * The network of an address: 24 bits of an IPv4 one, 48 bits of an IPv6 one. One text for all addresses in it; null for what is
 * no address, or holds a zone.
 */
export function networkOf(address: string): string | null {
  const dot = address.lastIndexOf('.');
  if (dot !== -1 && isIPv4(address)) return address.slice(0, dot);
  if (dot !== -1 || !/^[0-9a-f:]{2,39}$/i.test(address) || !address.includes(':')) return null;
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = 8 - groups.length - last.length;
  if (tail !== undefined) groups.push(...Array.from({ length: Math.max(0, missing) }, () => '0'), ...last);
  return groups
    .slice(0, 3)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
