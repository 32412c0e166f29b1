import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { CustomFetch } from 'openid-client';
import { Fault } from '../../base/fault.ts';
import { https } from '../../base/node-http.ts';
import { collectBounded } from '../../source/bounded.ts';
import { meaningOf, readAuthorities } from '../../token/key-fetch.ts';

/** Metadata, keys and tokens are far smaller. */
const MAX_BYTES = 512 * 1024;
const TIMEOUT_MS = 5000;
/** Answers that have no body, and of which `Response` takes none. */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);

/** The provider gave no answer: nothing is known of whoever wants to sign in. */
export class ProviderUnreachable extends Error {}

/**
 * How the provider is asked: over TLS, proven by the authorities in the file `ca` or by the machine's own, once for each
 * call, within 5 s and 512 KiB. Redirects are not followed. Rejects with a ProviderUnreachable where no answer came.
 */
export function providerFetch(ca: string | null): CustomFetch {
  return async (url, { method, headers, body, signal }) => {
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    try {
      const authorities = ca === null ? null : await readAuthorities(ca);
      if (authorities instanceof Fault) throw new Error(authorities.detail);
      const asking = https.request(url, {
        method,
        headers: { ...headers, connection: 'close' },
        signal: AbortSignal.any([timeout, ...(signal === undefined ? [] : [signal])]),
        agent: false,
        minVersion: 'TLSv1.2',
        ...(authorities === null ? {} : { ca: authorities }),
      });
      asking.on('error', () => {});
      asking.end(body == null ? undefined : String(body));
      const [answer] = (await once(asking, 'response')) as [IncomingMessage];
      const bytes = await collectBounded(url, answer, MAX_BYTES);
      if (bytes instanceof Fault) throw new Error(bytes.detail);
      const { statusCode: status = 500 } = answer;
      return new Response(BODILESS.has(status) ? null : Buffer.from(bytes), { status, headers: headersOf(answer) });
    } catch (error) {
      throw new ProviderUnreachable(
        `${url}: ${timeout.aborted ? `no answer within ${TIMEOUT_MS / 1000} s` : meaningOf(error)}`,
      );
    }
  };
}

function headersOf({ rawHeaders }: IncomingMessage): [string, string][] {
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) pairs.push([rawHeaders[at]!, rawHeaders[at + 1]!]);
  return pairs;
}
