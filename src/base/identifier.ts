/** How the id or the purpose of a task is written. */
export const IDENTIFIER = /^[A-Za-z0-9][A-Za-z0-9._:/@+=~-]{0,255}$/;

/**
 * Whether a text can be the id or the purpose of a task: 1 to 256 letters, digits and `._:/@+=~-`, beginning with a letter
 * or digit. UUIDs, URNs and https URIs without a query fit; it is safe in a header and in a log line as it is.
 */
export function isIdentifier(text: string): boolean {
  return IDENTIFIER.test(text);
}
