/**
 * The bytes of a base64url text (RFC 4648 section 5) in its one canonical spelling: no padding, no whitespace, no
 * character of another alphabet, no bits left over. Any other spelling is null: two texts of one token would slip past
 * whatever is keyed by the text. Linear in the text.
 */
export function decodeBase64url(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : null;
}
