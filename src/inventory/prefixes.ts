import type { SpiffeId } from '../spiffe-id.ts';

const SCHEME_LENGTH = 'spiffe://'.length;

/**
 * Every prefix of a SPIFFE ID by whole segments, shortest first: without the bare trust domain (an entity of its own),
 * with the id itself. `spiffe://td/ns/a` gives `spiffe://td/ns` and `spiffe://td/ns/a`.
 */
export function spiffePrefixes(id: SpiffeId): readonly string[] {
  if (id.path === '') return [];
  return prefixes(id.text, SCHEME_LENGTH + id.trustDomain.length);
}

/**
 * Every prefix of host and path by whole segments, shortest first: without the bare host (an entity of its own), with the
 * whole path, whose one trailing slash does not count. `h`, `/a/b/` gives `h/a` and `h/a/b`.
 */
export function pathPrefixes(host: string, path: string): readonly string[] {
  const trimmed = path.endsWith('/') ? path.slice(0, -1) : path;
  return trimmed === '' ? [] : prefixes(host + trimmed, host.length);
}

function prefixes(text: string, from: number): string[] {
  const found: string[] = [];
  for (let slash = text.indexOf('/', from + 1); slash !== -1; slash = text.indexOf('/', slash + 1)) {
    found.push(text.slice(0, slash));
  }
  found.push(text);
  return found;
}
