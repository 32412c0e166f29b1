import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import { Refusal } from '../base/outcome.ts';

const MAX_NAME = 253;
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
const PORT = /^[1-9][0-9]{0,4}$/;
const MAPPED = '::ffff:';
/** By scheme. */
export const defaultPorts: ReadonlyMap<string, string> = new Map([
  ['http', '80'],
  ['https', '443'],
]);

/**
 * `:authority` in the one spelling that names are compared in (RFC 3986 sections 3.2.2 and 6.2.3): lower case, no trailing
 * dot, an IPv6 address in its shortest form, the scheme's default port dropped and any other kept. Userinfo, escapes,
 * empty labels and everything outside ASCII are refused with `request_host_malformed`.
 */
export function canonicalHost(authority: string, scheme: string): string | Refusal {
  const colon = authority.startsWith('[') ? authority.indexOf(':', authority.indexOf(']')) : authority.indexOf(':');
  const written = colon === -1 ? authority : authority.slice(0, colon);
  const name = written.startsWith('[') ? bracketed(written) : registered(written);
  if (name === null) return malformed('the authority holds no host name or IP address');
  if (colon === -1) return name;
  const port = authority.slice(colon + 1);
  if (!PORT.test(port) || Number(port) > 65_535) return malformed('the port of the authority is not 1 to 65535');
  return defaultPorts.get(scheme) === port ? name : `${name}:${port}`;
}

/**
 * An IP address in its canonical text, an IPv4 address unmapped from `::ffff:` (RFC 4291 section 2.5.5.2, RFC 5952); null
 * for anything else, an address with a zone too.
 */
export function canonicalAddress(text: string): string | null {
  if (isIPv4(text)) return text;
  if (!isIPv6(text) || text.includes('%')) return null;
  const address = shortestAddress(text);
  const unmapped = address.startsWith(MAPPED) ? address.slice(MAPPED.length) : address;
  return isIPv4(unmapped) ? unmapped : address;
}

function bracketed(written: string): string | null {
  return written.endsWith(']') ? bracketedAddress(written.slice(1, -1)) : null;
}

/** An IPv6 address in its shortest form, in brackets; null for anything else, an address with a zone too. */
export function bracketedAddress(inner: string): string | null {
  if (!isIPv6(inner) || inner.includes('%')) return null;
  return `[${shortestAddress(inner)}]`;
}

/** An IPv6 address in its shortest form (RFC 5952). */
export function shortestAddress(ipv6: string): string {
  return new SocketAddress({ address: ipv6, family: 'ipv6' }).address;
}

/** Whether a text is a host name in its canonical spelling (RFC 1035 section 2.3.4, and the underscore of service names). */
export function isHostName(text: string): boolean {
  return text.length <= MAX_NAME && text.split('.').every((label) => LABEL.test(label));
}

function registered(written: string): string | null {
  const name = (written.endsWith('.') ? written.slice(0, -1) : written).replace(/[A-Z]+/g, (upper) =>
    upper.toLowerCase(),
  );
  return isHostName(name) ? name : null;
}

function malformed(detail: string): Refusal {
  return new Refusal('request_host_malformed', detail);
}
