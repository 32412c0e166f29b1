import { hash } from 'node:crypto';
import { Refusal } from '../base/outcome.ts';
import type { CheckInput } from './input.ts';

/** The body of a request, of which every byte was seen. */
export interface SeenBody {
  readonly bytes: Uint8Array;
  /** base64url SHA-256. */
  readonly sha256: string;
}

/** What Envoy writes beside a body that it sends, and never passes on from a client. */
const PARTIAL = 'x-envoy-auth-partial-body';
/** The key of `context_extensions` in which a route states its `max_request_bytes`. */
const LIMIT = 'body';
const COUNT = /^(?:0|[1-9]\d{0,9})$/;

/**
 * The body if it was seen whole; null if there is none. It was, only where the route states up to which size Envoy sends bodies
 * as bytes, this one is shorter (Envoy stops as soon as it has so many, and then says that nothing is missing), Envoy says that it
 * is whole, and `content-length`, where there is one, says the same (RFC 9110 section 8.6). Where Envoy says nothing on such a
 * route there is none: also in an upgrade, whose bytes come after the answer. Refusals: `approval_body_unseen`.
 */
export function seenBody({ body, headers, connection }: CheckInput): SeenBody | null | Refusal {
  const limit = connection.extensions.get(LIMIT);
  if (limit === undefined || !COUNT.test(limit))
    return unseen('the route does not state max_request_bytes in context_extensions.body');
  if (body === null) return unseen('Envoy sends the body as text: set pack_as_bytes');
  const lengths = headers.all('content-length');
  const length = lengths[0] ?? null;
  if (lengths.length > 1 || (length !== null && !COUNT.test(length))) return unseen('content-length is no length');
  const flags = headers.all(PARTIAL);
  if (flags.length === 0) return unsent(length, headers.all('transfer-encoding').length > 0, body);
  if (flags.length > 1 || flags[0] !== 'false') return unseen(`it is longer than the ${limit} bytes that Envoy sends`);
  if (body.length >= Number(limit)) return unseen(`it holds ${limit} bytes or more, the most that the route states`);
  if (length !== null && Number(length) !== body.length)
    return unseen(`content-length is ${length}, and Envoy sent ${body.length} bytes`);
  return body.length === 0 ? null : { bytes: body, sha256: hash('sha256', body, 'base64url') };
}

/** There is no body, or Envoy keeps it to itself. */
function unsent(length: string | null, encoded: boolean, body: Uint8Array): null | Refusal {
  const isThere = encoded || body.length > 0 || (length !== null && length !== '0');
  return isThere ? unseen('Envoy did not send it: set with_request_body on the route') : null;
}

const unseen = (detail: string): Refusal =>
  new Refusal('approval_body_unseen', `the body was not seen whole: ${detail}`);
