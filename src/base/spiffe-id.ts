import { Refusal } from './outcome.ts';

/** The longest SPIFFE ID that is read: SPIFFE-ID section 2.3 asks for support up to 2048 bytes. */
const MAX_ID_BYTES = 2048;
const MAX_TRUST_DOMAIN_BYTES = 255;
const SCHEME = 'spiffe://';

/**
 * A SPIFFE ID that parsed: holding one is the proof that it is well formed, and equality of ids is equality of `text`.
 * Nothing but `SpiffeId.parse` can make one. Strict as go-spiffe is: lower-case scheme and trust domain, no
 * percent-encoding, no empty or dot segment, no trailing slash (SPIFFE-ID sections 2.1 to 2.4).
 */
export class SpiffeId {
  readonly text: string;
  readonly trustDomain: string;
  /** Empty for the id of a trust domain, else begins with `/`. */
  readonly path: string;
  #proof = true;

  private constructor(text: string, trustDomain: string, path: string) {
    this.text = text;
    this.trustDomain = trustDomain;
    this.path = path;
    void this.#proof;
    Object.freeze(this);
  }

  /** The id, or a refusal with the reason `identity_spiffe_id_malformed` whose detail names the first fault. */
  static parse(text: string): SpiffeId | Refusal {
    if (text.length > MAX_ID_BYTES) return malformed(`longer than ${MAX_ID_BYTES} bytes`);
    if (!text.startsWith(SCHEME)) return malformed('does not begin with spiffe://');
    const slash = text.indexOf('/', SCHEME.length);
    const end = slash === -1 ? text.length : slash;
    const trustDomain = text.slice(SCHEME.length, end);
    const wrongDomain = trustDomainFault(trustDomain);
    if (wrongDomain !== null) return malformed(wrongDomain);
    const path = text.slice(end);
    const wrongPath = pathFault(path);
    if (wrongPath !== null) return malformed(wrongPath);
    return new SpiffeId(text, trustDomain, path);
  }

  toString(): string {
    return this.text;
  }
}

/** What is wrong with a trust domain name (SPIFFE-ID section 2.1), or null. */
export function trustDomainFault(name: string): string | null {
  if (name.length === 0) return 'the trust domain is empty';
  if (name.length > MAX_TRUST_DOMAIN_BYTES) return `the trust domain is longer than ${MAX_TRUST_DOMAIN_BYTES} bytes`;
  const wrong = name.search(/[^a-z0-9._-]/);
  return wrong === -1 ? null : `a character at ${wrong} does not belong in a trust domain`;
}

/** What is wrong with the path of a SPIFFE ID (SPIFFE-ID section 2.2), or null. */
function pathFault(path: string): string | null {
  if (path === '') return null;
  for (const segment of path.slice(1).split('/')) {
    if (segment === '') return 'a path segment is empty';
    if (segment === '.' || segment === '..') return 'a path segment is a dot segment';
    if (/[^A-Za-z0-9._-]/.test(segment)) return 'a character does not belong in a path segment';
  }
  return null;
}

function malformed(detail: string): Refusal {
  return new Refusal('identity_spiffe_id_malformed', detail);
}
