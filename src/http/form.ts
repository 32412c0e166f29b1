import { attempt } from '../base/attempt.ts';
import { Fault } from '../base/fault.ts';

/** RFC 8693 has eleven. */
const MAX_PARAMETERS = 32;
const MAX_NAME = 64;

/**
 * The parameters of an `application/x-www-form-urlencoded` body (RFC 6749 appendix B). One that has no value counts as
 * left out (section 3.2 there); one that is repeated, more than 32, and whatever is not well encoded UTF-8 are faults.
 */
export function readForm(body: Uint8Array): Readonly<Record<string, string>> | Fault {
  const text = Buffer.from(body).toString('latin1');
  // Whatever else there is, a form encodes.
  if (!/^[\x21-\x7e]*$/.test(text)) return new Fault('the body holds characters that a form encodes');
  const pairs = text.split('&').filter((pair) => pair !== '');
  if (pairs.length > MAX_PARAMETERS) return new Fault(`more than ${MAX_PARAMETERS} parameters`);
  const seen = new Set<string>();
  const values: [string, string][] = [];
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    const name = decoded(at === -1 ? pair : pair.slice(0, at));
    const value = at === -1 ? '' : decoded(pair.slice(at + 1));
    if (name === null || value === null) return new Fault('a parameter is not well percent-encoded UTF-8');
    if (seen.has(name)) return new Fault(`the parameter ${name.slice(0, MAX_NAME)} is repeated`);
    seen.add(name);
    if (value !== '') values.push([name, value]);
  }
  return Object.fromEntries(values);
}

const decoded = (text: string): string | null => attempt(() => decodeURIComponent(text.replaceAll('+', ' ')));
