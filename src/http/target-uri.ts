import { defaultPorts } from './host.ts';

const HTTP_URI = /^(https?):\/\/([^/?#]*)((?:\/[^?#]*)?)(?:\?[^#]*)?(?:#.*)?$/i;
/** A host and a port; user information, which no target URI has (RFC 9110 section 4.2.4), does not match. */
const AUTHORITY = /^([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{0,5}))?$/i;
/** RFC 3986 section 3.3: nothing but pchar and slashes. */
const PATH = /^(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*$/;
const UNRESERVED = /^[A-Za-z0-9._~-]$/;
const DOT_SEGMENT = /(?:^|\/)\.{1,2}(?:\/|$)/;

/**
 * A target URI without query and fragment in its one normal form, for comparison with another one; null when it is no
 * http or https URI, or can be read in two ways. Syntax-based and scheme-based normalisation of RFC 3986 sections 6.2.2
 * and 6.2.3, as RFC 9449 section 4.3 asks: case of scheme, host and percent-encoding; unreserved characters decoded;
 * default port dropped; an empty path is `/`. A trailing slash stays. Dot segments are not removed: they are null.
 */
export function normalTargetUri(uri: string): string | null {
  const [, scheme = '', authority = '', path = ''] = HTTP_URI.exec(uri) ?? [];
  const [, host, port = ''] = AUTHORITY.exec(authority) ?? [];
  if (host === undefined || !PATH.test(path)) return null;
  const lowerScheme = scheme.toLowerCase();
  const number = port === '' ? '' : String(Number(port));
  const suffix = number === '' || number === defaultPorts.get(lowerScheme) ? '' : `:${number}`;
  const decoded = path.replace(/%[0-9A-Fa-f]{2}/g, (octet) => {
    const character = String.fromCharCode(Number.parseInt(octet.slice(1), 16));
    return UNRESERVED.test(character) ? character : octet.toUpperCase();
  });
  if (DOT_SEGMENT.test(decoded)) return null;
  return `${lowerScheme}://${host.toLowerCase()}${suffix}${decoded === '' ? '/' : decoded}`;
}

/**
 * The target URI that a proof must name: the configured external origin and the path as Envoy sent it. Never from the
 * request's own host, which the caller wrote. null when no origin is configured, or when the path cannot be normalised.
 */
export function expectedTargetUri(origin: string | null, rawPath: string): string | null {
  return origin === null ? null : normalTargetUri(origin + rawPath);
}
