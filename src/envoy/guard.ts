import type { Headers } from '../input.ts';
import { Refusal } from '../outcome.ts';

/** Headers that say who calls and why, and those that say what is asked: each must have one value and one reading. */
const credentialHeaders = ['authorization', 'dpop', 'txn-token', 'workload-identity-token', 'workload-proof-token'];
const targetHeaders = [':method', ':path', ':authority', ':scheme', ':protocol', 'host', 'content-type', 'upgrade'];
const FORWARDED = 'x-forwarded-client-cert';

/** Headers by which some servers take another method or path than the request line's. Envoy's own x-envoy-original-* are not. */
const overrides: ReadonlySet<string> = new Set([
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-method',
  'x-original-uri',
  'x-original-url',
  'x-rewrite-uri',
  'x-rewrite-url',
  'x-forwarded-method',
  'x-forwarded-path',
  'x-forwarded-uri',
]);

/**
 * Refuses headers that two readers could read differently; null when there are none. `single` names the headers beside
 * the built-in ones that decide something: task headers and those that policies read. Such a header is refused when it is
 * repeated, joined by commas (Envoy joins a repeated `authorization` even under encode_raw_headers), not clean text, or
 * doubled by a twin with underscores, which servers of the CGI family take for the same.
 */
export function guardHeaders(headers: Headers, single: readonly string[]): Refusal | null {
  for (const name of headers.names) {
    const twin = name.includes('_') ? name.replaceAll('_', '-') : null;
    if (overrides.has(twin ?? name)) return new Refusal('request_header_override', `${name} asks for another request`);
    if (twin === null || headers.all(twin).length === 0) continue;
    if (twin === FORWARDED || credentialHeaders.includes(twin) || single.includes(twin)) {
      return new Refusal('request_header_underscore', `${twin} has a twin with underscores`);
    }
  }
  for (const name of targetHeaders) {
    if (headers.all(name).length > 1) return repeated(name);
  }
  for (const name of [...credentialHeaders, ...single]) {
    const [value, ...more] = headers.all(name);
    if (value === undefined) continue;
    if (more.length > 0) return repeated(name);
    if (headers.unclean.has(name)) return new Refusal('request_header_unclean', `${name} is not clean text`);
    if (value.includes(',') && !(name === 'authorization' && isOneCredential(value))) return repeated(name);
  }
  return null;
}

const AUTH_PARAM = /[\t ]*[!#$%&'*+.^_`|~0-9A-Za-z-]+[\t ]*=[\t ]*(?:"(?:[^"\\]|\\.)*"|[^\t ",]+)[\t ]*(?:,|$)/y;
const SCHEME = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) /;

/**
 * Whether an Authorization value with commas is still one set of credentials: a scheme that is not ours and nothing but
 * parameters (RFC 9110 section 11.4), as Digest and AWS4-HMAC-SHA256 write them. Two joined values are not.
 */
function isOneCredential(value: string): boolean {
  const scheme = SCHEME.exec(value)?.[1];
  if (scheme === undefined || /^(?:bearer|dpop)$/i.test(scheme)) return false;
  AUTH_PARAM.lastIndex = scheme.length + 1;
  while (AUTH_PARAM.lastIndex < value.length) {
    if (!AUTH_PARAM.test(value)) return false;
  }
  return !value.endsWith(',');
}

function repeated(name: string): Refusal {
  return new Refusal('request_header_repeated', `${name} has more than one value`);
}
