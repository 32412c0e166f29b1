import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Fault } from '../base/fault.ts';
import { http, https } from '../base/node-http.ts';
import { collectBounded } from '../source/bounded.ts';

/** A JWKS of 256 keys is a tenth of this. */
const MAX_BYTES = 1024 * 1024;
const TIMEOUT_MS = 10_000;
const MAX_LOCATION = 200;

const UNKNOWN_AUTHORITY = 'its certificate leads to no authority that is trusted here; name its CA with the key ca';
/** What a fault of the connection means, by its code in Node, OpenSSL or the operating system. */
const MEANINGS: ReadonlyMap<string, string> = new Map([
  ['SELF_SIGNED_CERT_IN_CHAIN', UNKNOWN_AUTHORITY],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', UNKNOWN_AUTHORITY],
  ['UNABLE_TO_GET_ISSUER_CERT', UNKNOWN_AUTHORITY],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', UNKNOWN_AUTHORITY],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', UNKNOWN_AUTHORITY],
  ['CERT_HAS_EXPIRED', 'its certificate has expired'],
  ['CERT_NOT_YET_VALID', 'its certificate is not valid yet'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'its certificate is for another host'],
  ['EPROTO', 'it does not speak TLS there'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'it does not speak TLS there'],
  ['ECONNREFUSED', 'the connection was refused: nothing listens there'],
  ['ECONNRESET', 'the connection was closed before an answer'],
  ['ENOTFOUND', 'the host name has no address'],
  ['EAI_AGAIN', 'the host name could not be resolved'],
  ['EHOSTUNREACH', 'the host cannot be reached'],
  ['ENETUNREACH', 'the network cannot be reached'],
  ['ETIMEDOUT', 'the connection timed out'],
]);

/**
 * One GET of a key document or issuer metadata. Only status 200 counts; a redirect is not followed (it would lead away
 * from what the configuration names), and time and size are bounded. `ca` is a PEM file of the authorities that the server
 * is proven by, in place of the machine's own; it is read at each fetch, so that it can be replaced. Never rejects.
 */
export async function fetchDocument(url: string, ca: string | null, signal: AbortSignal): Promise<Uint8Array | Fault> {
  const authorities = ca === null ? null : await readAuthorities(ca);
  if (authorities instanceof Fault) return authorities;
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  try {
    return await get(url, authorities, AbortSignal.any([signal, timeout]));
  } catch (error) {
    return new Fault(`${url}: ${timeout.aborted ? `no answer within ${TIMEOUT_MS / 1000} s` : meaningOf(error)}`);
  }
}

/** The PEM text of authorities that a server is proven by. Never rejects. */
export async function readAuthorities(file: string): Promise<string | Fault> {
  try {
    const pem = await readFile(file, 'utf8');
    return pem.includes('-----BEGIN ') ? pem : new Fault(`${file} holds no PEM certificate`);
  } catch (error) {
    return new Fault(`${file} cannot be read: ${meaningOf(error)}`);
  }
}

async function get(url: string, ca: string | null, signal: AbortSignal): Promise<Uint8Array | Fault> {
  const options = {
    signal,
    agent: false,
    headers: { accept: 'application/jwk-set+json, application/json', connection: 'close' },
  };
  const asking = url.startsWith('http:')
    ? http.request(url, options)
    : https.request(url, { ...options, minVersion: 'TLSv1.2', ...(ca === null ? {} : { ca }) });
  // A connection may fail after the answer was taken or given up: then nobody waits for it.
  asking.on('error', () => {});
  asking.end();
  const [response] = (await once(asking, 'response', { signal })) as [IncomingMessage];
  try {
    if (response.statusCode !== 200) return new Fault(`${url} answered ${describeStatus(url, response)}`);
    return await collectBounded(url, response, MAX_BYTES);
  } finally {
    response.destroy();
  }
}

function describeStatus(url: string, { statusCode = 0, headers }: IncomingMessage): string {
  const target = headers.location === undefined ? null : URL.parse(headers.location, url);
  if (statusCode < 300 || statusCode >= 400 || target === null) return String(statusCode);
  const location = `${target.origin}${target.pathname}`.slice(0, MAX_LOCATION);
  return `${statusCode}, a redirect to ${location}; redirects are not followed, so name the address of the keys itself`;
}

/** The words for an error of a connection or a file, with its code. */
export function meaningOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Several addresses were tried, and each failed in its own way.
  if (error instanceof AggregateError && error.errors.length > 0) return meaningOf(error.errors[0]);
  const { code } = error as NodeJS.ErrnoException;
  const meaning = code === undefined ? undefined : MEANINGS.get(code);
  return meaning === undefined ? error.message : `${meaning} (${code})`;
}
