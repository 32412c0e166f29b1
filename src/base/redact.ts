import { hash } from 'node:crypto';
import { withoutApiKeys } from './secrets/api-key.ts';

/**
 * Two or more parts of base64url, the first long enough for the shortest header of a JWT. The look behind keeps the time
 * linear: a match begins only where a run begins.
 */
const PARTS = /(?<![\w-])[\w-]{16,}(?:\.[\w-]*){1,4}/g;
/** How base64url writes `{` and what may follow it: a quote, a blank, a tab, a line end. */
const OBJECT = /ey[A-DI-L]|ew[k-r0-3]/g;
/** A JSON object with a member (RFC 8259 section 4), as far as the first colon. */
const MEMBER = /^\s*\{\s*"[^"]*"\s*:/;
/** Characters of a header that are looked at: the first member begins there. */
const HEADER = 512;
/** Places in one part that are looked at: a part with more is taken for a token. */
const MAX_STARTS = 8;

/**
 * The text with every JWT (JWS or JWE, RFC 7519 section 3) in it replaced by `jwt:sha256:` and its digest, wherever it
 * stands and however its header is spaced, also one whose end was cut off; and every API key by `key:sha256:`. Time is linear.
 */
export function withoutTokens(text: string): string {
  const keyless = withoutApiKeys(text);
  if (!mayHoldParts(keyless)) return keyless;
  return keyless.replace(PARTS, (found) => {
    const start = headerStart(found.slice(0, found.indexOf('.')));
    return start === -1 ? found : found.slice(0, start) + digestOf('jwt:sha256:', found.slice(start));
  });
}

/** A part of a token that is looked for has so many characters. */
const LEAST_PART = 16;

/** Whether a point stands behind so long a run: nothing else is worth the expression, which takes a hundred times as long. */
function mayHoldParts(text: string): boolean {
  for (let point = text.indexOf('.'); point !== -1; point = text.indexOf('.', point + 1)) {
    let start = point;
    while (start > 0 && point - start < LEAST_PART && isPartCharacter(text.charCodeAt(start - 1))) start--;
    if (point - start === LEAST_PART) return true;
  }
  return false;
}

/** `[\w-]`: letters, digits, `_`, `-`. */
function isPartCharacter(code: number): boolean {
  const letter = code | 0x20;
  return (letter >= 0x61 && letter <= 0x7a) || (code >= 0x30 && code <= 0x39) || code === 0x5f || code === 0x2d;
}

/** Where in a part the base64url of a JSON object begins, text such as `%20` may stand before it; -1 when there is none. */
function headerStart(part: string): number {
  if (beginsObject(part, 0)) return 0;
  let first = -1;
  let looked = 0;
  for (const { index } of part.matchAll(OBJECT)) {
    if (beginsObject(part, index)) return index;
    if (first === -1) first = index;
    if (++looked === MAX_STARTS) return first;
  }
  return -1;
}

const beginsObject = (part: string, at: number): boolean =>
  MEMBER.test(Buffer.from(part.slice(at, at + HEADER), 'base64url').toString('latin1'));

/** Parameters of one query that get a digest each; the others get one together, since a client chooses their number. */
const MAX_PARAMETERS = 32;

/**
 * A query (without its `?`) as the audit holds it: names as they are, values as `sha256:` and their digest unless the name,
 * as it is written, is in `shown`. A parameter without a value is a digest as a whole, and so is all that follows the
 * 32nd parameter. null stays null.
 */
export function auditedQuery(query: string | null, shown: ReadonlySet<string>): string | null {
  if (query === null || query === '') return query;
  const parameters = query.split('&', MAX_PARAMETERS + 1);
  const more = parameters.length > MAX_PARAMETERS;
  const first = parameters.slice(0, MAX_PARAMETERS);
  const rest = more ? query.slice(first.reduce((length, one) => length + one.length + 1, 0)) : '';
  const said = first.map((parameter) => auditedParameter(parameter, shown));
  return [...said, ...(more ? [digestOf('sha256:', rest)] : [])].join('&');
}

function auditedParameter(parameter: string, shown: ReadonlySet<string>): string {
  const equals = parameter.indexOf('=');
  const name = equals === -1 ? parameter : parameter.slice(0, equals);
  if (parameter === '' || shown.has(name)) return parameter;
  // A bare value, be it with the padding of base64, is not to be taken for a name.
  if (/^[^=]*=*$/.test(parameter)) return digestOf('sha256:', parameter);
  return `${name}=${digestOf('sha256:', parameter.slice(equals + 1))}`;
}

/** Whether a text of an audit line holds the digest of a JWT or an API key in place of it. */
export const holdsTokenDigest = (text: string): boolean => /(?:jwt|key):sha256:[0-9a-f]{64}/.test(text);

/** Whether a query of an audit line holds digests in place of what was there. */
export const holdsDigest = (query: string): boolean => /sha256:[0-9a-f]{64}/.test(query);

const digestOf = (kind: string, text: string): string => kind + hash('sha256', text, 'hex');
