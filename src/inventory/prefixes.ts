import type { SpiffeId } from '../base/spiffe-id.ts';

const SCHEME_LENGTH = 'spiffe://'.length;

/**
 * The prefixes of a SPIFFE ID by whole segments that are in `wanted`, shortest first: without the bare trust domain (an
 * entity of its own), with the id itself. `spiffe://td/ns/a` has `spiffe://td/ns` and `spiffe://td/ns/a`.
 */
export function spiffePrefixes(id: SpiffeId, wanted: ReadonlySet<string>): readonly string[] {
  return id.path === '' ? [] : prefixes(id.text, SCHEME_LENGTH + id.trustDomain.length, wanted);
}

/**
 * The prefixes of host and path by whole segments that are in `wanted`, shortest first: without the bare host (an entity of
 * its own), with the whole path, whose one trailing slash does not count. `h`, `/a/b/` has `h/a` and `h/a/b`.
 */
export function pathPrefixes(host: string, path: string, wanted: ReadonlySet<string>): readonly string[] {
  const trimmed = path.endsWith('/') ? path.slice(0, -1) : path;
  return trimmed === '' ? [] : prefixes(host + trimmed, host.length, wanted);
}

/**
 * Looks up only what is as long as something that is wanted: a caller chooses how many segments there are, and looking up
 * every prefix takes time that is quadratic in the length of the text.
 */
function prefixes(text: string, from: number, wanted: ReadonlySet<string>): string[] {
  const lengths = lengthsOf(wanted);
  const found: string[] = [];
  for (let slash = text.indexOf('/', from + 1); ; slash = text.indexOf('/', slash + 1)) {
    const end = slash === -1 ? text.length : slash;
    if (lengths.has(end)) {
      const prefix = text.slice(0, end);
      if (wanted.has(prefix)) found.push(prefix);
    }
    if (slash === -1) return found;
  }
}

/** Of each set, which belongs to one snapshot and never changes. */
const known = new WeakMap<ReadonlySet<string>, ReadonlySet<number>>();

function lengthsOf(wanted: ReadonlySet<string>): ReadonlySet<number> {
  const lengths = known.get(wanted) ?? new Set([...wanted].map(({ length }) => length));
  known.set(wanted, lengths);
  return lengths;
}
