import { fail } from '../base/fault.ts';

/** Tags of DER that certificates use (X.690 section 8.1.2): universal ones, and context-specific ones by their number. */
export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

const CONSTRUCTED = 0x20;

/**
 * Reads one run of DER elements (X.690 section 10) and nothing that is merely BER: definite and minimal lengths,
 * single-octet tags, primitive strings. Every fault ends the reading (`fail`). It never recurses by itself, so nesting
 * costs what the caller's grammar costs.
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** The elements inside the one element that these bytes are, which must have this tag. */
  static inside(bytes: Uint8Array, tag: number, what: string): DerReader {
    const outer = new DerReader(bytes);
    const inner = outer.enter(tag, what);
    outer.end(what);
    return inner;
  }

  /** The tag of the next element, or null at the end. */
  get next(): number | null {
    return this.#at === this.#end ? null : this.#bytes[this.#at]!;
  }

  /** Nothing may follow what was read. */
  end(where: string): void {
    if (this.#at !== this.#end) fail(`something follows ${where}`);
  }

  /** The elements inside the next element, which must have this tag. */
  enter(tag: number, what: string): DerReader {
    const { start, end } = this.#element(tag, what);
    return new DerReader(this.#bytes, start, end);
  }

  /** As `enter`, or null when the next element is of another tag: an optional element. */
  enterIf(tag: number, what: string): DerReader | null {
    return this.next === tag ? this.enter(tag, what) : null;
  }

  /** The content of the next element, which must have this tag. */
  content(tag: number, what: string): Uint8Array {
    const { start, end } = this.#element(tag, what);
    return this.#bytes.subarray(start, end);
  }

  /** The next element whole, tag and length with it, whatever its tag. */
  any(what: string): Uint8Array {
    const from = this.#at;
    const { end } = this.#element(this.next, what);
    return this.#bytes.subarray(from, end);
  }

  /** The next element whole, which must have this tag. */
  whole(tag: number, what: string): Uint8Array {
    if (this.next !== tag) fail(`${what} is missing`);
    return this.any(what);
  }

  /** BOOLEAN: 00 or FF, nothing else (X.690 section 11.1). */
  boolean(what: string): boolean {
    const content = this.content(tags.boolean, what);
    if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) fail(`${what} is not a DER boolean`);
    return content[0] === 0xff;
  }

  /** A BOOLEAN DEFAULT FALSE: DER leaves the default out, so that a stated FALSE is a fault (X.690 section 11.5). */
  flag(what: string): boolean {
    if (this.next !== tags.boolean) return false;
    if (!this.boolean(what)) fail(`${what} states its default`);
    return true;
  }

  /** The octets of an INTEGER, minimal and two's complement (X.690 section 8.3.2). */
  integer(what: string): Uint8Array {
    const content = this.content(tags.integer, what);
    const [first, second = 0] = content;
    if (first === undefined) fail(`${what} is an empty integer`);
    const padded = content.length > 1 && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80));
    if (padded) fail(`${what} is not a minimal integer`);
    return content;
  }

  /** An INTEGER between 0 and 127. */
  smallInteger(what: string): number {
    const [first = 0, ...more] = this.integer(what);
    if (more.length > 0 || first > 0x7f) fail(`${what} is out of range`);
    return first;
  }

  /** OBJECT IDENTIFIER as the hex text of its content: one identifier has one DER encoding, so texts compare. */
  oid(what: string): string {
    return identifier(this.content(tags.oid, what), what);
  }

  /** BIT STRING: the count of unused bits, which are all zero (X.690 section 11.2.1), and the octets. */
  bitString(what: string): { readonly unused: number; readonly octets: Uint8Array } {
    const content = this.content(tags.bitString, what);
    const unused = content[0];
    const octets = content.subarray(1);
    if (unused === undefined || unused > (octets.length === 0 ? 0 : 7)) fail(`${what} is a broken bit string`);
    if (((octets.at(-1) ?? 0) & ((1 << unused) - 1)) !== 0) fail(`${what} has unused bits set`);
    return { unused, octets };
  }

  #element(tag: number | null, what: string): { readonly start: number; readonly end: number } {
    const bytes = this.#bytes;
    let at = this.#at;
    if (at === this.#end || bytes[at] !== tag) fail(`${what} is missing`);
    if ((tag & 0x1f) === 0x1f) fail(`${what} has a tag of several octets`);
    at++;
    if (at === this.#end) fail(`${what} ends early`);
    let length = bytes[at++]!;
    if (length >= 0x80) {
      const octets = length & 0x7f;
      if (at + octets > this.#end) fail(`${what} ends early`);
      length = 0;
      for (let i = 0; i < octets; i++) length = length * 256 + bytes[at++]!;
      // An indefinite length has no octets and reads as 0 here.
      if (length < 0x80 || length < 256 ** (octets - 1)) fail(`${what} has a length that is not minimal`);
    }
    const end = at + length;
    if (end > this.#end) fail(`${what} ends early`);
    this.#at = end;
    return { start: at, end };
  }
}

export const isConstructed = (tag: number): boolean => (tag & CONSTRUCTED) !== 0;

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** The content of an OBJECT IDENTIFIER (X.690 section 8.19) as hex text. */
export function identifier(content: Uint8Array, what: string): string {
  if (content.length === 0 || content.at(-1)! >= 0x80) fail(`${what} is a broken identifier`);
  const padded = content.some((byte, i) => byte === 0x80 && (content[i - 1] ?? 0) < 0x80);
  if (padded) fail(`${what} is not a minimal identifier`);
  return hex(content);
}

/** Text of bytes between space and tilde: IA5String without control characters. */
export function printable(bytes: Uint8Array, what: string): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  if (!/^[\x20-\x7e]*$/.test(text)) fail(`${what} holds a character that is not printable ASCII`);
  return text;
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
