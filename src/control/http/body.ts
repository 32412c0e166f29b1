import type { IncomingMessage } from 'node:http';
import { Fault } from '../../base/fault.ts';
import { parseStrictJsonBytes } from '../../base/strict-json.ts';
import { within } from '../../base/within.ts';
import { readForm } from '../../http/form.ts';
import { ApiProblem } from './problem.ts';

/** Of a body, whatever it is for. */
const MAX_BODY_BYTES = 64 * 1024;
/** Within which a body must have come. */
const BODY_MS = 5000;

/** Whether a request brings a body (RFC 9112 section 6.3). */
export const bringsBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/** The media types of bodies: how each is written, and read. */
const KINDS = {
  json: { name: 'application/json', read: parseStrictJsonBytes, fault: 'json_invalid' },
  form: { name: 'application/x-www-form-urlencoded', read: readForm, fault: 'malformed' },
} as const;

/**
 * What a request brings, in UTF-8, at most 64 KiB, within five seconds: JSON by the strict reading
 * (`parseStrictJsonBytes`), in which a repeated member is a fault, or a form (`readForm`), in which a repeated parameter is one.
 */
export async function readBody(request: IncomingMessage, kind: keyof typeof KINDS): Promise<unknown> {
  const { headers } = request;
  const { name, read, fault } = KINDS[kind];
  const [type = '', ...rest] = (headers['content-type'] ?? '').split(';').map((part) => part.trim().toLowerCase());
  if (type !== name || !['', 'charset=utf-8', 'charset="utf-8"'].includes(rest.join(';')))
    return ApiProblem.of('media_type', `send ${name} in UTF-8`);
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
  const body = read(bytes);
  return body instanceof Fault ? ApiProblem.of(fault, body.detail) : body;
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
