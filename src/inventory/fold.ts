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
 * What a careless server may take a segment for: case and compatibility forms folded, matrix parameters (`;x=1`) cut off.
 * Used only to raise sensitivity, so it may fold too much.
 */
export function carelessly(segment: string): string {
  const semicolon = segment.indexOf(';');
  const bare = semicolon === -1 ? segment : segment.slice(0, semicolon);
  return bare.normalize('NFKC').toUpperCase().toLowerCase();
}
