import { Refusal } from '../base/outcome.ts';
import { credentialHeaders, FORWARDED_HEADER } from './credentials.ts';
import type { Headers } from './input.ts';
import { foldedName, headerOverride } from './override.ts';

/** Headers that say what is asked: like those that say who calls and why, each must have one value and one reading. */
const targetHeaders = [':method', ':path', ':authority', ':scheme', ':protocol', 'host', 'content-type', 'upgrade'];

/** Names that only this sidecar may say to a service. */
const OWN_PREFIX = 'x-authz-';

/**
 * Refuses headers that two readers could read differently; null when there are none. `single` names the headers beside
 * the built-in ones that decide something: task headers and those that policies read. Such a header is refused when it is
 * repeated or not clean text, and so is any name that is none of these and that a server of the CGI family takes for one
 * (`txn_token`, `x-authz_task`), with the real one beside it or without. A comma is one value's own in `header_map`; where
 * `mayBeJoined` (Envoy sent `headers`) it may stand between two, and is refused. In a credential it always is: Envoy joins
 * a repeated `authorization` in both.
 */
export function guardHeaders(headers: Headers, single: readonly string[], mayBeJoined: boolean): Refusal | null {
  const override = headerOverride(headers);
  if (override !== null) return override;
  const respelled = respelledName(headers, decidingNames(single));
  if (respelled !== null) return new Refusal('request_header_underscore', `${respelled} is read as another name`);
  for (const name of targetHeaders) {
    if (headers.all(name).length > 1) return repeated(name);
  }
  for (const name of credentialHeaders) {
    const fault = singleFault(headers, name);
    if (fault !== null) return fault;
    const value = headers.all(name)[0] ?? '';
    if (value.includes(',') && !(name === 'authorization' && isOneCredential(value))) return repeated(name);
  }
  for (const name of single) {
    const fault = singleFault(headers, name);
    if (fault !== null) return fault;
    if (mayBeJoined && headers.all(name)[0]?.includes(',')) return repeated(name);
  }
  return null;
}

function singleFault(headers: Headers, name: string): Refusal | null {
  if (headers.all(name).length > 1) return repeated(name);
  return headers.unclean.has(name) ? new Refusal('request_header_unclean', `${name} is not clean text`) : null;
}

/** A name that is not one of those that decide, and is read as one of them where names are folded; null: none. */
function respelledName(headers: Headers, { exact, folded }: DecidingNames): string | null {
  for (const name of headers.names) {
    if (exact.has(name)) continue;
    const read = foldedName(name);
    if (folded.has(read) || (read !== name && read.startsWith(OWN_PREFIX))) return name;
  }
  return null;
}

/** The names of all headers that decide something: as they are, and as they are read where names are folded. */
interface DecidingNames {
  readonly exact: ReadonlySet<string>;
  readonly folded: ReadonlySet<string>;
}

/** By the list of the configuration. */
const deciding = new WeakMap<readonly string[], DecidingNames>();

function decidingNames(single: readonly string[]): DecidingNames {
  let names = deciding.get(single);
  if (names === undefined) {
    const all = [...credentialHeaders, ...targetHeaders, FORWARDED_HEADER, ...single];
    const folded = all.filter((name) => !name.startsWith(':')).map(foldedName);
    names = { exact: new Set(all), folded: new Set(folded) };
    deciding.set(single, names);
  }
  return names;
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
