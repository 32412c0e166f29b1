import type { RawText } from './api.ts';

/** Thrown where a message holds what is not read here; it goes to the library. */
export const ODD = new Error('not read here');
/** A varint of more bits stands for what a message of Envoy has no use for. */
const MAX_SHIFT = 28;
/** Bytes of the longest varint of a number with so many bits. */
export const [BYTES_OF_32, BYTES_OF_64] = [5, 10];

/** Reads the parts of a protobuf message one after the other. `end` is where the message ends that a part belongs to. */
export class WireReader {
  protected readonly bytes: Buffer;
  /** Where the next part begins. */
  protected at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** A text in the place of `before`, which must be the default: one that is there twice is odd. Bytes that are no UTF-8 become U+FFFD. */
  protected text(end: number, before: string): string {
    const last = this.length(end);
    if (before !== '') throw ODD;
    const text = this.bytes.toString('utf8', this.at, last);
    this.at = last;
    return text;
  }

  /** The bytes up to `last`, as a part of the message. */
  protected rest(last: number): Buffer {
    const bytes = this.bytes.subarray(this.at, last);
    this.at = last;
    return bytes;
  }

  /** A length; gives the place where what is so long ends, which is not behind `end`. */
  protected length(end: number): number {
    // The place is that behind the length.
    const length = this.varint(end);
    const last = this.at + length;
    if (last > end) throw ODD;
    return last;
  }

  /** A number of at most 28 bits; the number and the wire type of a field are one. */
  protected varint(end: number): number {
    let value = 0;
    for (let shift = 0; shift < MAX_SHIFT && this.at < end; shift += 7) {
      const byte = this.bytes[this.at++] as number;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw ODD;
  }

  protected skipVarint(end: number, most: number): void {
    for (let read = 0; read < most && this.at < end; read++) {
      if ((this.bytes[this.at++] as number) < 0x80) return;
    }
    throw ODD;
  }
}

/** A part of a message that is there once. */
export function once<T>(before: T | null, now: T): T {
  if (before !== null) throw ODD;
  return now;
}

/** Bytes of a message that become a text when it is asked for. */
export class RawBytes implements RawText {
  readonly length: number;
  readonly #bytes: Buffer;
  readonly #start: number;

  constructor(bytes: Buffer, start: number, end: number) {
    this.length = end - start;
    this.#bytes = bytes;
    this.#start = start;
  }

  toString(): string {
    return this.#bytes.toString('utf8', this.#start, this.#start + this.length);
  }
}
