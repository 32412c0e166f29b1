import { createReadStream } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { Fault, messageOf } from '../base/fault.ts';

/** The bytes of a file, at most `maxBytes`; of a longer one no more than one byte beyond is read. Never rejects. */
export async function readBounded(path: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array | Fault> {
  try {
    const bytes = await buffer(createReadStream(path, { end: maxBytes, signal }));
    return bytes.length > maxBytes ? new Fault(`longer than ${maxBytes} bytes`) : bytes;
  } catch (error) {
    return new Fault(messageOf(error));
  }
}

/** The body of what `url` answered, at most `maxBytes`. Rejects where the body does. */
export async function collectBounded(
  url: string,
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array | Fault> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > maxBytes) return new Fault(`${url} answered more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
