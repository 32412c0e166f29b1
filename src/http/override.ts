import { Refusal } from '../base/outcome.ts';
import type { Headers } from './input.ts';

/** Names, folded, by which some servers take another method or path than the request line's. Envoy's x-envoy-original-* are not. */
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

/** `_method`, folded: Rails, Laravel, Symfony, Spring and Express read it from the query as well as from a form. */
const METHOD_FIELD = '-method';

/**
 * A header name as servers of the CGI family may read it: they turn `-`, and some of them every other mark, into `_`. Two
 * names that fold alike are one variable there.
 */
export function foldedName(name: string): string {
  let folded = known.get(name);
  if (folded === undefined) {
    folded = name.replace(/[^a-z0-9]/g, '-');
    if (known.size >= KNOWN_NAMES) known.clear();
    if (name.length <= KNOWN_LENGTH) known.set(name, folded);
  }
  return folded;
}

/** Requests have mostly the same few names. */
const [KNOWN_NAMES, KNOWN_LENGTH] = [1000, 64];
const known = new Map<string, string>();

/** `request_header_override` where a header, however spelled, asks for another method or path; null where none does. */
export function headerOverride(headers: Headers): Refusal | null {
  const name = headers.names.find((candidate) => overrides.has(foldedName(candidate)));
  return name === undefined ? null : new Refusal('request_header_override', `${name} asks for another request`);
}

/**
 * `request_query_override` where a parameter of the query asks for another method; null where none does. A name is read as
 * the most lenient server reads it: percent-encoded, in any case, after blanks, cut at a NUL. Linear in the query.
 */
export function queryOverride(query: string | null): Refusal | null {
  if (query === null) return null;
  for (const field of query.split(/[&;]/)) {
    const [written = ''] = field.split('=', 1);
    const [name = ''] = lenientlyDecoded(written).trimStart().toLowerCase().split('\0', 1);
    const folded = foldedName(name);
    if (folded === METHOD_FIELD || overrides.has(folded)) {
      return new Refusal('request_query_override', 'a parameter of the query asks for another method');
    }
  }
  return null;
}

function lenientlyDecoded(text: string): string {
  return text
    .replaceAll('+', ' ')
    .replace(/%([0-9A-Fa-f]{2})/g, (_, pair: string) => String.fromCharCode(Number.parseInt(pair, 16)));
}
