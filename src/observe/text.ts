/**
 * What a terminal, a log viewer or a person could take for something else: DEL and the C1 controls, line and paragraph
 * separators, zero-width and bidirectional characters, tags. JSON.stringify itself escapes C0 controls, quotes and lone
 * surrogates.
 */
const UNSEEN =
  /(?:[\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\udb40[\udc00-\udfff])+/g;

/** A whole run at once: whoever writes them chooses how many there are. */
function escaped(run: string): string {
  let text = '';
  for (let at = 0; at < run.length; at++) text += `\\u${run.charCodeAt(at).toString(16).padStart(4, '0')}`;
  return text;
}

/** JSON, in one line unless `indent` asks for more, without control or invisible characters; it parses to what `JSON.stringify` gives, and throws where that does. */
export function plainJson(
  value: unknown,
  replacer?: (key: string, value: unknown) => unknown,
  indent?: number,
): string {
  return plainJsonText(JSON.stringify(value, replacer, indent));
}

/** The same, or null where the JSON is longer than `limit` characters; then it costs little. */
export function plainJsonWithin(limit: number, value: unknown): string | null {
  const json = JSON.stringify(value);
  if (json.length > limit) return null;
  const text = plainJsonText(json);
  return text.length > limit ? null : text;
}

/** The same JSON text with every control and invisible character escaped; what this program wrote stays as it is. */
export function plainJsonText(json: string): string {
  // As many bytes as characters means ASCII, of which only DEL is left to escape: three times as fast as the expression.
  if (Buffer.byteLength(json) === json.length && !json.includes('\u007f')) return json;
  return json.replace(UNSEEN, escaped);
}
