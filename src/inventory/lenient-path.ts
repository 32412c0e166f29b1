/**
 * The path in lower case, for a host that takes `/API` for `/api`; null where servers disagree about it: a letter outside
 * ASCII that has two cases.
 */
export function lowerPath(path: string): string | null {
  for (const char of path) {
    if (char > '\u007f' && (char.toLowerCase() !== char || char.toUpperCase() !== char)) return null;
  }
  return path.toLowerCase();
}

/**
 * What a lenient server may take a segment for: case and compatibility forms folded, matrix parameters (`;x=1`) cut off.
 * Used only to refuse, so it may fold too much.
 */
export function leniently(segment: string): string {
  return lenientlyCased(segment).toUpperCase().toLowerCase();
}

/** The same for a server that tells cases apart. */
export function lenientlyCased(segment: string): string {
  const semicolon = segment.indexOf(';');
  return (semicolon === -1 ? segment : segment.slice(0, semicolon)).normalize('NFKC');
}
