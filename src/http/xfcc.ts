import { Refusal } from '../base/outcome.ts';
import type { Forwarded, XfccElement } from './input.ts';

/** `forward_client_cert_details` of this Envoy. The other modes let a client's own header through: the config refuses them. */
export type ForwardMode = 'sanitize' | 'sanitize-set' | 'append-forward';

export interface HopOptions {
  readonly mode: ForwardMode;
  /** How many elements stand right of the caller's. */
  readonly hop: number;
}

const MAX_BYTES = 32 * 1024;
const MAX_ELEMENTS = 16;
const MAX_PAIRS = 64;
const NOT_TEXT = /[\u0000-\u001f\u007f-\u009f\ufffd]/;
const KEY = /[A-Za-z0-9-]+=/y;
/** A bare value ends at the next separator; a quote or an equals sign in it would let a SAN write pairs of its own. */
const BARE = /[^,;="]*/y;

/**
 * Scans x-forwarded-client-cert (Envoy's text format; standards digest xfcc B1): elements by comma, pairs by semicolon,
 * a value bare or wrapped in quotes as a whole, where `\"` is a quote. Keys are case-insensitive.
 *
 * Refused with `request_xfcc_malformed`: anything else (a quote inside a bare value, a pair without key or `=`, an empty
 * element), more than one Hash, Cert, Chain, Subject or URI in an element (two URI SANs make no SVID), control characters,
 * more than 16 elements, 64 pairs in one, or `maxBytes` in all. Envoy writes By, URI and DNS bare whatever they hold, so a
 * SAN with separators is refused here or yields a pair with an unknown key; such a pair is skipped, since newer Envoys
 * write more keys. Envoy's JSON format is refused with `request_xfcc_json`. Each value of the header is scanned by itself.
 * Time is linear.
 */
export function parseXfcc(values: readonly string[], maxBytes = MAX_BYTES): readonly XfccElement[] | Refusal {
  const size = values.reduce((sum, value) => sum + value.length, 0);
  if (size > maxBytes) return malformed(`longer than ${maxBytes} bytes`);
  const elements: XfccElement[] = [];
  for (const value of values) {
    if (NOT_TEXT.test(value)) return malformed('a character is no text');
    let at = 0;
    do {
      if (elements.length === MAX_ELEMENTS) return malformed(`more than ${MAX_ELEMENTS} elements`);
      const scanned = scanElement(value, at);
      if (scanned instanceof Refusal) return scanned;
      elements.push(scanned.element);
      at = scanned.end + 1;
    } while (at <= value.length);
  }
  return elements;
}

/**
 * The element at the configured hop, counted from the right, with the elements right of it; without it when there are
 * fewer. An element more than the mode allows means that the header did not come from this Envoy: `request_xfcc_mode`.
 */
export function selectHop(elements: readonly XfccElement[], { mode, hop }: HopOptions): Forwarded | Refusal {
  const most = mode === 'sanitize' ? 0 : mode === 'sanitize-set' ? 1 : MAX_ELEMENTS;
  if (elements.length > most) {
    return new Refusal('request_xfcc_mode', `${elements.length} elements, but ${mode} leaves at most ${most}`);
  }
  const index = elements.length - 1 - hop;
  return { element: elements[index] ?? null, nearer: elements.slice(Math.max(index + 1, 0)) };
}

/** The element that begins at `start`; `end` is where its comma stands, or the end of the text. */
function scanElement(text: string, start: number): { element: XfccElement; end: number } | Refusal {
  if (/^[\t ]*[[{]/.test(text.slice(start, start + 8))) return new Refusal('request_xfcc_json', 'an element is JSON');
  const pairs = new Map<string, string[]>();
  let at = start;
  for (let count = 1; ; count++) {
    if (count > MAX_PAIRS) return malformed(`more than ${MAX_PAIRS} pairs in an element`);
    const key = match(KEY, text, at);
    if (key === null) return malformed(`no key at ${at}`);
    at += key.length;
    const written = text[at] === '"' ? quoted(text, at) : (match(BARE, text, at) ?? '');
    if (written === null) return malformed(`a quote at ${at} is not closed, or may be`);
    at += written.length;
    const name = key.slice(0, -1).toLowerCase();
    const values = pairs.get(name) ?? [];
    values.push(written.startsWith('"') ? written.slice(1, -1).replaceAll('\\"', '"') : written);
    pairs.set(name, values);
    if (at === text.length || text[at] === ',') break;
    if (text[at] !== ';') return malformed(`no separator at ${at}`);
    at++;
  }
  const repeated = ['hash', 'cert', 'chain', 'subject', 'uri'].find((name) => (pairs.get(name)?.length ?? 0) > 1);
  if (repeated !== undefined) return malformed(`an element has more than one ${repeated}`);
  return { element: toElement(pairs), end: at };
}

function toElement(pairs: ReadonlyMap<string, readonly string[]>): XfccElement {
  const only = (name: string): string | null => pairs.get(name)?.[0] || null;
  return {
    by: pairs.get('by') ?? [],
    hash: only('hash'),
    cert: only('cert'),
    chain: only('chain'),
    subject: pairs.get('subject')?.[0] ?? null,
    uri: only('uri'),
    dns: pairs.get('dns') ?? [],
  };
}

/**
 * The quoted value that begins at `at`, with its quotes. Null when it has no end, or when a quote stands behind two
 * backslashes: no document says whether the first escapes the second.
 */
function quoted(text: string, at: number): string | null {
  let end = text.indexOf('"', at + 1);
  while (end !== -1 && text[end - 1] === '\\') {
    if (text[end - 2] === '\\') return null;
    end = text.indexOf('"', end + 1);
  }
  return end === -1 ? null : text.slice(at, end + 1);
}

function match(pattern: RegExp, text: string, at: number): string | null {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? null;
}

function malformed(detail: string): Refusal {
  return new Refusal('request_xfcc_malformed', detail);
}
