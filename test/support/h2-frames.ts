/** HTTP/2 by the byte (RFC 9113 sections 3.4, 4.1 and 6), for what no client library would send. */
const TYPE = { headers: 1, reset: 3, settings: 4, continuation: 9 } as const;
const END_HEADERS = 4;
const CANCEL = 8;

function frame(type: keyof typeof TYPE, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = TYPE[type];
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A field that is not indexed (RFC 7541 section 6.2.2); name and value are shorter than 127 bytes. */
const field = (name: string, value: string): Buffer =>
  Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)]);

/** The header block of a Check. */
const block = Buffer.concat([
  field(':method', 'POST'),
  field(':scheme', 'http'),
  field(':path', '/envoy.service.auth.v3.Authorization/Check'),
  field(':authority', 'localhost'),
  field('content-type', 'application/grpc'),
  field('te', 'trailers'),
]);

/** What opens a connection. */
export const preface = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame('settings', 0, 0, Buffer.alloc(0)),
]);

/** So many Checks that are begun and cancelled at once, from the first stream of a connection on. */
export function begunAndCancelled(count: number): Buffer {
  const reason = Buffer.from([0, 0, 0, CANCEL]);
  const ids = Array.from({ length: count }, (_, n) => 2 * n + 1);
  return Buffer.concat(ids.flatMap((id) => [frame('headers', END_HEADERS, id, block), frame('reset', 0, id, reason)]));
}

/** Headers that go on in a CONTINUATION, of which `bytes` bytes are there. */
export function cutContinuation(stream: number, bytes: number): Buffer {
  const half = block.length >> 1;
  const rest = frame('continuation', END_HEADERS, stream, block.subarray(half));
  return Buffer.concat([frame('headers', 0, stream, block.subarray(0, half)), rest.subarray(0, bytes)]);
}
