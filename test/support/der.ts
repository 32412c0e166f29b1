/** Writes DER for the test CA, and on purpose whatever is not DER: nothing here checks what it is given. */

type Bytes = Uint8Array;

export function tlv(tag: number, ...content: readonly Bytes[]): Bytes {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.from([tag]), length(body.length), body]);
}

function length(n: number): Bytes {
  if (n < 0x80) return Buffer.from([n]);
  const hex = n.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  return Buffer.concat([Buffer.from([0x80 | bytes.length]), bytes]);
}

export const sequence = (...content: readonly Bytes[]): Bytes => tlv(0x30, ...content);
export const setOf = (...content: readonly Bytes[]): Bytes => tlv(0x31, ...content);
export const octets = (...content: readonly Bytes[]): Bytes => tlv(0x04, ...content);
export const bits = (unused: number, content: Bytes): Bytes => tlv(0x03, Buffer.from([unused]), content);
export const boolean = (value: boolean): Bytes => tlv(0x01, Buffer.from([value ? 0xff : 0]));
export const nothing: Bytes = Buffer.from([0x05, 0x00]);
/** Context-specific and constructed, `[n] EXPLICIT`. */
export const explicit = (n: number, ...content: readonly Bytes[]): Bytes => tlv(0xa0 | n, ...content);
/** Context-specific and primitive, `[n] IMPLICIT`. */
export const implicit = (n: number, content: Bytes | string): Bytes => tlv(0x80 | n, Buffer.from(content));
export const utf8 = (text: string): Bytes => tlv(0x0c, Buffer.from(text, 'utf8'));

/** A positive INTEGER of these big-endian bytes. */
export function integer(bytes: Bytes): Bytes {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const body = bytes.subarray(start);
  return tlv(0x02, (body[0] ?? 0) >= 0x80 ? Buffer.from([0]) : Buffer.alloc(0), body);
}

export function oid(dotted: string): Bytes {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const body: number[] = [];
  for (const arc of [first * 40 + second, ...rest]) {
    const groups = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      groups.unshift((left & 0x7f) | 0x80);
    body.push(...groups);
  }
  return tlv(0x06, Buffer.from(body));
}

/** UTCTime through 2049, GeneralizedTime after (RFC 5280 section 4.1.2.5). `at` in milliseconds. */
export function time(at: number): Bytes {
  const digits = new Date(at).toISOString().replace(/[-:T]|\.\d+Z$/g, '');
  const year = Number(digits.slice(0, 4));
  return year < 2050 ? tlv(0x17, Buffer.from(`${digits.slice(2)}Z`)) : tlv(0x18, Buffer.from(`${digits}Z`));
}
