import { attempt } from '../base/attempt.ts';
import { Refusal } from '../base/outcome.ts';

/** The request target, taken apart. */
export interface RequestTarget {
  /** Percent-decoded once; begins with `/`; no dot segments, no control characters. */
  readonly path: string;
  /** As received, without the query: what a proof of possession was made over. */
  readonly rawPath: string;
  /** Raw, without the `?`; null when there is no `?`. */
  readonly query: string | null;
}

export interface PathRules {
  /** Read a run of slashes as one, as an Envoy with `merge_slashes` forwards it. Otherwise such a path is refused. */
  readonly mergeSlashes: boolean;
  /** Whether a `!` may be a byte that Envoy replaced, which it does outside of encode_raw_headers. */
  readonly bangIsReplacement: boolean;
}

const SLASH = 0x2f;
const PERCENT = 0x25;
const DELETE = 0x7f;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
/** Text has no such runs (UAX #15 section 13, Stream-Safe Text Format), and normalizing them takes quadratic time. */
const MARKS = /\p{M}{31}/u;
const STRUCTURE = /[/\\%;]/;

/**
 * Reads `:path` (RFC 3986 sections 2.4 and 3.3, RFC 9112 section 3.2) in the only way that every server would. Refused is
 * a `;`, since servlets cut a segment there, and what decodes to `%`, a slash, a backslash, a dot segment or a control
 * character, and what only folds to these (NFKC). An encoded `;` is data (RFC 3986 section 2.2), unless it hides an empty
 * segment or a dot segment; a `%2e` inside a longer segment is a dot like any other. Time is linear.
 */
export function readTarget(target: string, options: PathRules): RequestTarget | Refusal {
  if (target === '*') return new Refusal('request_path_asterisk', 'the target is *');
  if (!target.startsWith('/')) return new Refusal('request_path_not_absolute', 'the target does not begin with /');
  if (target.includes('#')) return ambiguous('the target holds a fragment');
  const mark = target.indexOf('?');
  const rawPath = mark === -1 ? target : target.slice(0, mark);
  const query = mark === -1 ? null : target.slice(mark + 1);
  if (query !== null && CONTROL.test(query)) return ambiguous('the query holds a control character');
  if (rawPath.includes(';')) return ambiguous('the path holds a semicolon');
  if (options.bangIsReplacement && rawPath.includes('!'))
    return ambiguous('a ! may stand for a byte that Envoy replaced');
  const decoded = decodeOnce(rawPath);
  if (decoded instanceof Refusal) return decoded;
  const path = options.mergeSlashes ? decoded.replace(/\/{2,}/g, '/') : decoded;
  const fault = pathFault(path);
  return fault === null ? { path, rawPath, query } : ambiguous(fault);
}

/** Undoes percent-encoding once, or refuses what is no URI path, or what would hide the structure of the path. */
function decodeOnce(rawPath: string): string | Refusal {
  if (!/[%\u0000-\u0020\u007f-\uffff]/.test(rawPath)) return rawPath;
  const bytes = new Uint8Array(rawPath.length);
  let length = 0;
  for (let at = 0; at < rawPath.length; at++) {
    const code = rawPath.charCodeAt(at);
    if (code <= 0x20 || code >= DELETE) return unreadable('a character of the path is not allowed in a URI');
    let byte = code;
    if (code === PERCENT) {
      byte = hexPair(rawPath, at + 1);
      if (byte === -1) return unreadable('a percent sign is not followed by two hexadecimal digits');
      if (byte === SLASH || byte === PERCENT)
        return ambiguous(`the path holds an encoded ${String.fromCharCode(byte)}`);
      at += 2;
    }
    bytes[length++] = byte;
  }
  return attempt(() => utf8.decode(bytes.subarray(0, length))) ?? unreadable('the decoded path is not UTF-8');
}

/** What of a decoded path two servers could read differently, or null. */
function pathFault(path: string): string | null {
  if (CONTROL.test(path)) return 'the path holds a control character';
  if (path.includes('\\')) return 'the path holds a backslash';
  if (path.includes('//')) return 'a segment of the path is empty';
  if (MARKS.test(path)) return 'the path holds more than 30 combining marks in a row';
  for (const segment of path.slice(1).split('/')) {
    if (isDots(segment)) return 'a segment of the path is a dot segment';
    if (segment.includes(';') && /^\.{0,2};/.test(segment)) return 'a segment of the path is nothing but a parameter';
    if (!/[\u0080-\uffff]/.test(segment)) continue;
    const folded = segment.normalize('NFKC');
    if (isDots(folded) || STRUCTURE.test(folded)) return 'a segment of the path folds to a dot segment or a separator';
  }
  return null;
}

function isDots(segment: string): boolean {
  return segment === '.' || segment === '..';
}

/** The byte that the two hexadecimal digits at `at` stand for, or -1. */
function hexPair(text: string, at: number): number {
  const pair = text.slice(at, at + 2);
  return /^[0-9A-Fa-f]{2}$/.test(pair) ? Number.parseInt(pair, 16) : -1;
}

function ambiguous(detail: string): Refusal {
  return new Refusal('request_path_ambiguous', detail);
}

function unreadable(detail: string): Refusal {
  return new Refusal('request_path_malformed', detail);
}
