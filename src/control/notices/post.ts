import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { https } from '../../base/node-http.ts';
import { answeredText, isBusy } from '../../source/http-answer.ts';
import { meaningOf, readAuthorities } from '../../token/key-fetch.ts';

const TIMEOUT_MS = 15_000;
const GONE = 410;

/** What became of one attempt. `gone`: it wants no more of them. `busy`: it wants fewer; `afterMs`, where it says so. */
export type PostResult =
  | { readonly result: 'delivered' }
  | { readonly result: 'gone' | 'failed'; readonly detail: string }
  | { readonly result: 'busy'; readonly detail: string; readonly afterMs: number | null };

/** A body for one receiver. */
export interface Posting {
  readonly url: URL;
  /** PEM file of the authorities that prove the receiver; null: those of the machine. */
  readonly ca: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Posts over TLS, once, within 15 s. Only a 2xx is a success; a redirect is not followed, since it would lead away from what the
 * configuration names; nothing of an answer's body is read. No detail holds the URL, which may be a secret. Never rejects.
 */
export async function post(
  { url, ca, headers, body }: Posting,
  clock: Clock,
  signal: AbortSignal,
): Promise<PostResult> {
  const authorities = ca === null ? null : await readAuthorities(ca);
  if (authorities instanceof Fault) return { result: 'failed', detail: authorities.detail };
  const late = new AbortController();
  const cancel = clock.after(TIMEOUT_MS, () => late.abort());
  try {
    const asking = https.request(url, {
      method: 'POST',
      headers: { ...headers, 'content-length': Buffer.byteLength(body), connection: 'close' },
      signal: AbortSignal.any([late.signal, signal]),
      agent: false,
      minVersion: 'TLSv1.2',
      ...(authorities === null ? {} : { ca: authorities }),
    });
    // It may fail after its answer came.
    asking.on('error', () => {});
    asking.end(body);
    const [answer] = (await once(asking, 'response')) as [IncomingMessage];
    answer.destroy();
    return resultOf(answer, clock.now());
  } catch (error) {
    const detail = late.signal.aborted ? `no answer within ${TIMEOUT_MS / 1000} s` : meaningOf(error);
    return { result: 'failed', detail };
  } finally {
    cancel();
  }
}

function resultOf({ statusCode: status = 0, headers }: IncomingMessage, nowMs: number): PostResult {
  if (status >= 200 && status < 300) return { result: 'delivered' };
  const detail = answeredText(status);
  if (status === GONE) return { result: 'gone', detail };
  if (!isBusy(status)) return { result: 'failed', detail };
  return { result: 'busy', detail, afterMs: retryAfter(headers['retry-after'], nowMs) };
}

/** Seconds or a date (RFC 9110 section 10.2.3), in milliseconds from now. */
function retryAfter(text = '', nowMs: number): number | null {
  const afterMs = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return afterMs >= 0 ? afterMs : null;
}
