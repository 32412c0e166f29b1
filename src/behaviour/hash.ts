/**
 * 32 bits of a text, by which the sets of a baseline know it. Not for secrets: `seed` is there so that nobody who can choose a
 * text knows which others it collides with.
 */
export function seededHash(text: string, seed: number): number {
  let hash = (seed ^ 0x811c9dc5) >>> 0;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return mixed(hash ^ Math.imul(seed, 0x9e3779b1));
}

/** The bits of a number stirred, so that each depends on all (the finalizer of MurmurHash3). */
export function mixed(value: number): number {
  let hash = value;
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 16;
  return hash >>> 0;
}
