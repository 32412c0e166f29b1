import { Refusal } from '../base/outcome.ts';
import type { Headers } from '../http/input.ts';
import type { HttpRequestMessage } from './api.ts';

const NAME = /^:?[0-9a-z!#$%&'*+.^_`|~-]+$/;
/** Bytes that are no UTF-8 arrive as U+FFFD, in a string field as in a raw value. */
const UNCLEAN = /[\u0000-\u001f\u007f-\u009f\ufffd]/;
const NONE: readonly string[] = Object.freeze([]);
/** More than any server takes. Each costs more than its bytes. */
const MAX_HEADERS = 1024;
/** Without these in the map, Envoy's `allowed_headers` is at work, and may hide a credential or a header that denies. */
const witnesses = [':method', ':path', ':authority'];

/**
 * The headers of the request, from `headers` or from `header_map` (encode_raw_headers), never from both. Refused: header
 * names that are not lower case, which Envoy never sends; more than `limit` bytes of names and values together, or more
 * than 1024 of them; a header map without pseudo-headers.
 */
export function readHeaders(http: HttpRequestMessage, limit: number): Headers | Refusal {
  const raw = http.header_map?.headers ?? [];
  const joined = Object.entries(http.headers);
  if (raw.length > 0 && joined.length > 0) return malformed('both headers and header_map are set');
  if (raw.length + joined.length > MAX_HEADERS)
    return new Refusal('request_headers_too_large', `there are more than ${MAX_HEADERS} headers`);
  const found = new HeaderTable();
  let bytes = 0;
  for (const [name, value] of joined) {
    bytes += name.length + value.length;
    if (bytes > limit) break;
    found.add(name, value, value.includes('!'));
  }
  for (const { key, value, raw_value } of raw) {
    bytes += key.length + Math.max(value.length, raw_value.length);
    if (bytes > limit) break;
    if (value !== '' && raw_value.length > 0) return malformed('an entry of header_map has two values');
    found.add(key, value === '' ? raw_value.toString('utf8') : value, false);
  }
  if (bytes > limit) return new Refusal('request_headers_too_large', `the headers hold more than ${limit} bytes`);
  const misnamed = found.names.find((name) => !NAME.test(name));
  if (misnamed !== undefined) return malformed('a header name is not a lower-case token');
  const missing = witnesses.filter((name) => found.all(name).length === 0);
  if (missing.length > 0) return new Refusal('request_headers_filtered', `Envoy did not send ${missing.join(', ')}`);
  return found;
}

class HeaderTable implements Headers {
  readonly unclean = new Set<string>();
  readonly names: string[] = [];
  readonly #values = new Map<string, string[]>();

  all(name: string): readonly string[] {
    return this.#values.get(name) ?? NONE;
  }

  add(name: string, value: string, suspect: boolean): void {
    if (suspect || UNCLEAN.test(value)) this.unclean.add(name);
    const values = this.#values.get(name);
    if (values !== undefined) {
      values.push(value);
      return;
    }
    this.names.push(name);
    this.#values.set(name, [value]);
  }
}

function malformed(detail: string): Refusal {
  return new Refusal('request_headers_malformed', detail);
}
