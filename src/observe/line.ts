import { hash } from 'node:crypto';

/** Where a line stands in its chain. */
export interface Place {
  /** The start of the sidecar that wrote it. */
  readonly boot: string;
  /** 1 for the first line of a boot, then without a gap. */
  readonly seq: number;
  /** `sha256:` and the hex digest of the line before it, without its line feed; null at the beginning of a file. */
  readonly prev: string | null;
}

/** Bytes behind the last whole line that a start found: a write that was cut off. */
export interface Torn {
  readonly bytes: number;
  readonly sha256: string;
}

/** The line without its line feed: time, place, then the members of `json`, which is a JSON object that has some. */
export function placed(time: number, place: Place, json: string): string {
  const { boot, seq, prev } = place;
  // Nothing in here has to be escaped: an instant, digits of a hexadecimal number and of a decimal one, a digest.
  const head = `{"time":"${new Date(time).toISOString()}","boot":"${boot}","seq":${seq},"prev":${prev && `"${prev}"`}`;
  return `${head},${json.slice(1)}`;
}

/** The digest that the next line names as `prev`. */
export function digest(line: string | Uint8Array): string {
  return `sha256:${hash('sha256', line, 'hex')}`;
}

/** A line of the audit as it was read back. */
export interface ReadLine extends Place {
  readonly event: string | null;
  readonly torn: Torn | null;
  /** Records that a line with the event `lost` counts, and calls that one with `control-dropped` does; else 0. */
  readonly records: number;
  /** The line that a start found before it, as it says; null: none. */
  readonly last: { readonly boot: string; readonly seq: number } | null;
}

const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The members of a JSON object in one line of UTF-8, or null when these bytes are none. */
export function auditMembers(bytes: Uint8Array): Readonly<Record<string, unknown>> | null {
  // A file that is no audit would otherwise cost an exception for each line.
  if (bytes[0] !== OPENING_BRACE || bytes.at(-1) !== CLOSING_BRACE) return null;
  try {
    return JSON.parse(utf8.decode(bytes)) as Record<string, unknown>;
  } catch {
    return null;
  }
}

/** The place of a line, or null when these bytes are no line of an audit. */
export function readLine(bytes: Uint8Array): ReadLine | null {
  const members = auditMembers(bytes);
  return members === null ? null : placeOf(members);
}

/** The place that the members of a line give it, or null when they are no line of an audit. */
export function placeOf(members: Readonly<Record<string, unknown>>): ReadLine | null {
  const { boot, seq, prev, event = null, torn = null, records = 0, last = null } = members;
  if (typeof boot !== 'string' || !Number.isSafeInteger(seq) || (seq as number) < 1) return null;
  if (prev !== null && typeof prev !== 'string') return null;
  if (event !== null && typeof event !== 'string') return null;
  return {
    boot,
    seq: seq as number,
    prev,
    event,
    torn: readTorn(torn),
    records: Number.isSafeInteger(records) ? (records as number) : 0,
    last: readLast(last),
  };
}

/** Lines of an audit are far shorter. */
const MAX_LINE = 1024 * 1024;

/** What `eachLine` gives: whole lines without their line feed, and pieces of lines longer than any of an audit. */
export interface LineReader {
  readonly line: (bytes: Uint8Array) => void;
  readonly overlong: (bytes: Uint8Array) => void;
}

/** Gives the lines of a stream to `reader`, and returns the bytes behind the last line feed. Bounded in memory. */
export async function eachLine(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  reader: LineReader,
): Promise<Uint8Array> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let feed = rest.indexOf(0x0a); feed !== -1; feed = rest.indexOf(0x0a, start)) {
      reader.line(rest.subarray(start, feed));
      start = feed + 1;
    }
    rest = rest.subarray(start);
    if (rest.length > MAX_LINE) {
      reader.overlong(rest);
      rest = Buffer.alloc(0);
    }
  }
  return rest;
}

function readLast(value: unknown): ReadLine['last'] {
  if (typeof value !== 'object' || value === null) return null;
  const { boot, seq } = value as Record<string, unknown>;
  return typeof boot === 'string' && typeof seq === 'number' ? { boot, seq } : null;
}

function readTorn(value: unknown): Torn | null {
  if (typeof value !== 'object' || value === null) return null;
  const { bytes, sha256 } = value as Record<string, unknown>;
  return typeof bytes === 'number' && typeof sha256 === 'string' ? { bytes, sha256 } : null;
}
