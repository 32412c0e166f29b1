import { domainToASCII } from 'node:url';
import { bracketedAddress, isHostName } from '../http/host.ts';

const PARTS = /^(\[[^\]]*\]|[^:[\]]*)(?::([0-9]+))?$/;

/**
 * Why a host is never named so by the requests that arrive (they are brought into one spelling: lower case, ASCII, an IPv6
 * address in its shortest form, no default port), and what to write instead; null when it is. Such an entry would be inert.
 */
export function hostNameFault(text: string): string | null {
  const [, name = '', port] = PARTS.exec(text) ?? [];
  if (port === '80' || port === '443') return "the scheme's default port is dropped from what arrives; remove it";
  if (port !== undefined && (port.startsWith('0') || Number(port) > 65_535)) {
    return `'${text}' never arrives so: a port is 1 to 65535; correct it, or leave it out`;
  }
  const arrives = name.startsWith('[') ? bracketedAddress(name.slice(1, -1)) : registered(name);
  if (arrives === name) return null;
  const instead = arrives === null ? '' : `, such as '${arrives}${port === undefined ? '' : `:${port}`}'`;
  return `'${text}' never arrives so; write the host in lower case${instead}, without scheme, trailing dot or path`;
}

/** The name as it arrives; null where none arrives. */
function registered(name: string): string | null {
  if (isHostName(name)) return name;
  const ascii = domainToASCII(name.endsWith('.') ? name.slice(0, -1) : name);
  return isHostName(ascii) ? ascii : null;
}
