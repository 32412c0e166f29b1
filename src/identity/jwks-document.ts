import { readFile } from 'node:fs/promises';
import { isJsonObject, JsonFault, parseStrictJsonBytes } from '../strict-json.ts';

/** A JWKS of 256 keys is a tenth of this. */
const MAX_BYTES = 1024 * 1024;
const TIMEOUT_MS = 10_000;

/** Where the keys of an issuer are, by the config. `discovery`: the metadata at the issuer's own address says where. */
export type KeyOrigin =
  | { readonly from: 'file'; readonly path: string }
  | { readonly from: 'url'; readonly url: string }
  | { readonly from: 'discovery' };

/** Why a document could not be read. An expected event: the last good keys stay. */
export class ReadFault {
  readonly detail: string;

  constructor(detail: string) {
    this.detail = detail;
    Object.freeze(this);
  }
}

/** The bytes of a key document, read anew; gives up when the signal is aborted. Never rejects. */
export type ReadDocument = (signal: AbortSignal) => Promise<Uint8Array | ReadFault>;

/** How to read the JWKS of an issuer. The address comes from the config or from the issuer's metadata, never from a token. */
export function documentReader(issuer: string, origin: KeyOrigin): ReadDocument {
  switch (origin.from) {
    case 'file':
      return (signal) => readBounded(origin.path, signal);
    case 'url':
      return (signal) => get(origin.url, signal);
    case 'discovery':
      return (signal) => discover(issuer, signal);
  }
}

async function readBounded(path: string, signal: AbortSignal): Promise<Uint8Array | ReadFault> {
  try {
    const bytes = await readFile(path, { signal });
    return bytes.length > MAX_BYTES ? new ReadFault(`longer than ${MAX_BYTES} bytes`) : bytes;
  } catch (error) {
    return new ReadFault(describe(error));
  }
}

/**
 * One GET. Only 200 counts, a redirect is not followed (it would lead away from what the config names), and time and
 * size are bounded.
 */
async function get(url: string, signal: AbortSignal): Promise<Uint8Array | ReadFault> {
  try {
    const response = await fetch(url, {
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      headers: { accept: 'application/jwk-set+json, application/json' },
    });
    if (response.status !== 200 || response.body === null) {
      await response.body?.cancel();
      return new ReadFault(`${url} answered ${response.status}`);
    }
    return await collect(url, response.body);
  } catch (error) {
    return new ReadFault(`${url}: ${describe(error)}`);
  }
}

async function collect(url: string, body: ReadableStream<Uint8Array>): Promise<Uint8Array | ReadFault> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop early cancels the body.
  for await (const chunk of body) {
    length += chunk.length;
    if (length > MAX_BYTES) return new ReadFault(`${url} answered more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * Asks the metadata of the issuer for `jwks_uri`: OpenID Connect Discovery section 4, else RFC 8414 section 3. The
 * metadata must name exactly this issuer (section 4.3 and 3.3 there), and the keys must be at an address that the
 * config would accept.
 */
async function discover(issuer: string, signal: AbortSignal): Promise<Uint8Array | ReadFault> {
  const urls = metadataUrls(issuer);
  if (urls.length === 0) return new ReadFault(`the issuer ${issuer} is no https URL`);
  const faults: string[] = [];
  for (const url of urls) {
    const jwksUri = await jwksUriAt(url, issuer, signal);
    if (!(jwksUri instanceof ReadFault)) return get(jwksUri, signal);
    faults.push(jwksUri.detail);
  }
  return new ReadFault(faults.join('; '));
}

async function jwksUriAt(url: string, issuer: string, signal: AbortSignal): Promise<string | ReadFault> {
  const bytes = await get(url, signal);
  if (bytes instanceof ReadFault) return bytes;
  const metadata = parseStrictJsonBytes(bytes);
  if (metadata instanceof JsonFault) return new ReadFault(`${url} is not strict JSON: ${metadata.detail}`);
  if (!isJsonObject(metadata) || metadata.issuer !== issuer)
    return new ReadFault(`${url} does not describe the issuer ${issuer}`);
  const { jwks_uri: jwksUri } = metadata;
  if (typeof jwksUri !== 'string' || !isFetchable(jwksUri))
    return new ReadFault(`the jwks_uri at ${url} is no https URL`);
  return jwksUri;
}

function metadataUrls(issuer: string): readonly string[] {
  const base = issuer.replace(/\/$/, '');
  const url = URL.parse(base);
  if (url === null || !isFetchable(base)) return [];
  const path = url.pathname === '/' ? '' : url.pathname;
  return [`${base}/.well-known/openid-configuration`, `${url.origin}/.well-known/oauth-authorization-server${path}`];
}

/** https, or http on the machine itself; no user in the URL. */
function isFetchable(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '') return false;
  const loopback = url.hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(url.hostname);
  return url.protocol === 'https:' || (url.protocol === 'http:' && loopback);
}

/** fetch hides what went wrong in `cause`. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
