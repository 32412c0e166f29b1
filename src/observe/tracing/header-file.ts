import { Fault } from '../../base/fault.ts';
import { readBounded } from '../../source/bounded.ts';

const MAX_BYTES = 16 * 1024;
const MAX_HEADERS = 16;
const READ_MS = 5000;
/** RFC 9110 sections 5.1 and 5.5; a value is ASCII. */
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const VALUE = /^[\t\x20-\x7e]+$/;
/** What this client writes itself. */
const OWN: ReadonlySet<string> = new Set(['content-type', 'content-length', 'transfer-encoding', 'connection', 'host']);

/** The headers of a file: one on each line, `name: value`; blank lines, and those that begin with `#`, are none. A fault never quotes one. */
export async function readHeaderFile(path: string): Promise<Readonly<Record<string, string>> | Fault> {
  const bytes = await readBounded(path, MAX_BYTES, AbortSignal.timeout(READ_MS));
  if (bytes instanceof Fault) return new Fault(`${path} cannot be read: ${bytes.detail}`);
  const headers: Record<string, string> = {};
  for (const [at, line] of Buffer.from(bytes).toString().split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':');
    const [name, value] = [line.slice(0, Math.max(colon, 0)), line.slice(colon + 1).trim()];
    const key = name.toLowerCase();
    if (!NAME.test(name) || !VALUE.test(value)) return new Fault(`${path}:${at + 1}: is no header; write name: value`);
    if (OWN.has(key)) return new Fault(`${path}:${at + 1}: is a header that is written already; remove it`);
    if (Object.hasOwn(headers, key)) return new Fault(`${path}:${at + 1}: is a header that stands above already`);
    headers[key] = value;
  }
  return Object.keys(headers).length > MAX_HEADERS
    ? new Fault(`${path} holds more than ${MAX_HEADERS} headers`)
    : headers;
}
