import type { IncomingMessage } from 'node:http';
import { Fault } from '../../base/fault.ts';
import { type JsonValue, parseStrictJsonBytes } from '../../base/strict-json.ts';
import { within } from '../../base/within.ts';
import { ApiProblem } from './problem.ts';

/** Of a body, whatever it is for. */
const MAX_BODY_BYTES = 64 * 1024;
/** Within which a body must have come. */
const BODY_MS = 5000;

/** Whether a request brings a body (RFC 9112 section 6.3). */
export const bringsBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/**
 * The JSON of a request: `application/json` in UTF-8, at most 64 KiB, within five seconds, by the strict reading
 * (`parseStrictJsonBytes`), in which a repeated member is a fault.
 */
export async function readBody(request: IncomingMessage): Promise<JsonValue | ApiProblem> {
  const { headers } = request;
  const type = headers['content-type'] ?? '';
  if (!/^application\/json *(?:; *charset="?utf-8"?)?$/i.test(type))
    return ApiProblem.of('media_type', 'send application/json in UTF-8');
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity')
    return ApiProblem.of('media_type', 'send the body without a content-encoding');
  const length = headers['content-length'];
  if (length === undefined && headers['transfer-encoding'] === undefined) return ApiProblem.of('length_required');
  if (Number(length ?? 0) > MAX_BODY_BYTES) return tooLarge();
  const bytes = await within(bytesOf(request), BODY_MS, () =>
    ApiProblem.of('timeout', `the body took longer than ${BODY_MS / 1000} s`),
  );
  if (bytes instanceof ApiProblem) return bytes;
  const json = parseStrictJsonBytes(bytes);
  return json instanceof Fault ? ApiProblem.of('json_invalid', json.detail) : json;
}

const tooLarge = (): ApiProblem => ApiProblem.of('too_large', `at most ${MAX_BODY_BYTES} bytes`);

function bytesOf(request: IncomingMessage): Promise<Uint8Array | ApiProblem> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    request.on('data', (chunk: Uint8Array) => {
      size += chunk.length;
      if (size <= MAX_BODY_BYTES) chunks.push(chunk);
      else {
        request.pause();
        resolve(tooLarge());
      }
    });
    request.once('end', () => resolve(Buffer.concat(chunks)));
    request.once('close', () => resolve(ApiProblem.of('malformed', 'the body ended early')));
    request.once('error', () => resolve(ApiProblem.of('malformed', 'the body ended early')));
  });
}
