/** What a CheckResponse decides; `none`: there was no message, or one that neither allows nor denies. */
export type Verdict = 'allow' | 'deny' | 'none';

/**
 * The decision of an envoy.service.auth.v3.CheckResponse: its status (field 1) and which of `denied_response` (2) and
 * `ok_response` (3) it has. An allow needs status 0 and the latter, a denial another status and the former.
 */
export function verdictOf(message: Buffer): Verdict {
  let [code, denied, ok] = [0, false, false];
  let at = 0;
  while (at < message.length) {
    const tag = message[at]!;
    // Every field that matters here, and every other of the message, is a submessage with a number below 16.
    if ((tag & 7) !== 2 || tag > 127) return 'none';
    const [length, start] = varint(message, at + 1);
    if (start + length > message.length) return 'none';
    if (tag >> 3 === 1 && length > 0 && message[start] === 8) code = varint(message, start + 1)[0];
    if (tag >> 3 === 2) denied = true;
    if (tag >> 3 === 3) ok = true;
    at = start + length;
  }
  if (code === 0 && ok && !denied) return 'allow';
  return code !== 0 && denied && !ok ? 'deny' : 'none';
}

function varint(bytes: Buffer, at: number): readonly [value: number, next: number] {
  let [value, shift, next] = [0, 1, at];
  for (;;) {
    const byte = bytes[next++];
    if (byte === undefined) return [Number.POSITIVE_INFINITY, next];
    value += (byte & 127) * shift;
    if (byte < 128) return [value, next];
    shift *= 128;
  }
}
