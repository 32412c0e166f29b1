import { Fault } from '../base/fault.ts';
import type { SpiffeId } from '../base/spiffe-id.ts';
import { isJsonObject, parseStrictJsonBytes } from '../base/strict-json.ts';
import { readBounded } from '../source/bounded.ts';
import { isFetchable } from './fetch-url.ts';
import { fetchDocument } from './key-fetch.ts';

/** A JWKS of 256 keys is a tenth of this. */
const MAX_BYTES = 1024 * 1024;
const MAX_SHOWN = 200;

/**
 * Where the keys of an issuer are, by the config. `discovery`: the metadata at the issuer's own address says where. `ca` is
 * a PEM file of the authorities that the server is proven by; null: those of the machine.
 */
export type KeyOrigin =
  | { readonly from: 'file'; readonly path: string }
  | {
      readonly from: 'url';
      readonly url: string;
      readonly ca: string | null;
      /** The server proves itself by an X.509-SVID of this id, and by no name. */
      readonly svid?: SpiffeId | null;
    }
  | { readonly from: 'discovery'; readonly ca: string | null };

/** The bytes of a key document, read anew; gives up when the signal is aborted. Never rejects. */
export type ReadDocument = (signal: AbortSignal) => Promise<Uint8Array | Fault>;

/** How to read the JWKS of an issuer. The address comes from the config or from the issuer's metadata, never from a token. */
export function documentReader(issuer: string, origin: KeyOrigin): ReadDocument {
  switch (origin.from) {
    case 'file':
      return (signal) => readBounded(origin.path, MAX_BYTES, signal);
    case 'url':
      return (signal) => fetchDocument(origin.url, origin.ca, signal);
    case 'discovery':
      return (signal) => discover(issuer, origin.ca, signal);
  }
}

/**
 * Asks the metadata of the issuer for `jwks_uri`: OpenID Connect Discovery section 4, else RFC 8414 section 3. The
 * metadata must name exactly this issuer (section 4.3 and 3.3 there), and the keys must be at an address that the
 * config would accept.
 */
async function discover(issuer: string, ca: string | null, signal: AbortSignal): Promise<Uint8Array | Fault> {
  const urls = metadataUrls(issuer);
  if (urls.length === 0) return new Fault(`the issuer ${issuer} is no https URL`);
  const faults: string[] = [];
  for (const url of urls) {
    const jwksUri = await jwksUriAt(url, issuer, ca, signal);
    if (!(jwksUri instanceof Fault)) return fetchDocument(jwksUri, ca, signal);
    faults.push(jwksUri.detail);
  }
  return new Fault(faults.join('; '));
}

async function jwksUriAt(url: string, issuer: string, ca: string | null, signal: AbortSignal): Promise<string | Fault> {
  const bytes = await fetchDocument(url, ca, signal);
  if (bytes instanceof Fault) return bytes;
  const metadata = parseStrictJsonBytes(bytes);
  if (metadata instanceof Fault) return new Fault(`${url} is not strict JSON: ${metadata.detail}`);
  if (!isJsonObject(metadata)) return new Fault(`${url} does not describe the issuer ${issuer}: no JSON object`);
  if (metadata.issuer !== issuer) {
    const other = String(JSON.stringify(metadata.issuer)).slice(0, MAX_SHOWN);
    return new Fault(`${url} does not describe the issuer ${issuer}: it says ${other}, and the two must be equal`);
  }
  const { jwks_uri: jwksUri } = metadata;
  if (typeof jwksUri !== 'string' || !isFetchable(jwksUri)) return new Fault(`the jwks_uri at ${url} is no https URL`);
  return jwksUri;
}

function metadataUrls(issuer: string): readonly string[] {
  const base = issuer.replace(/\/$/, '');
  const url = URL.parse(base);
  if (url === null || !isFetchable(base)) return [];
  const path = url.pathname === '/' ? '' : url.pathname;
  return [`${base}/.well-known/openid-configuration`, `${url.origin}/.well-known/oauth-authorization-server${path}`];
}
