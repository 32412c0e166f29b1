import { Fault } from '../../base/fault.ts';

/** The cookie of a session. The prefix binds it to this origin: no other host and no page without TLS can set it (RFC 6265bis). */
export const SESSION_COOKIE = '__Host-session';
/** Those of sign-ins that have begun: one for each, so that tabs do not take each other's. */
const LOGIN_PREFIX = '__Host-login-';

/**
 * Sign-ins that one browser may have begun at one time, and how long their cookies are together. Any page can have a browser
 * begin more, and a request that they make too long for this server, or a proxy before it, reaches nothing.
 */
const MOST_LOGINS = 16;
const MOST_CHARS = 6144;
const LOGIN_SECONDS = 600;
const NAME_CHARS = 16;

/** What a browser sent, by name. A name that stands twice is a Fault: of two values, which one counts? */
export function readCookies(header: string | undefined): ReadonlyMap<string, string> | Fault {
  const cookies = new Map<string, string>();
  for (const pair of (header ?? '').split(';')) {
    const equals = pair.indexOf('=');
    if (equals === -1) continue;
    const name = pair.slice(0, equals).trim();
    if (!name.startsWith('__Host-')) continue;
    if (cookies.has(name)) return new Fault(`the cookie ${name} stands twice`);
    cookies.set(name, pair.slice(equals + 1).trim());
  }
  return cookies;
}

const set = (name: string, value: string, seconds: number): string =>
  `${name}=${value}; Max-Age=${seconds}; Path=/; Secure; HttpOnly; SameSite=Lax`;

export const sessionCookie = (id: string, seconds: number): string => set(SESSION_COOKIE, id, seconds);
export const noSessionCookie = (): string => set(SESSION_COOKIE, '', 0);

export const loginName = (state: string): string => LOGIN_PREFIX + state.slice(0, NAME_CHARS);

/** The cookies that begin a sign-in beside those that this browser has: of too many, the first ones go. */
export function loginCookies(state: string, sealed: string, had: ReadonlyMap<string, string>): readonly string[] {
  const others = [...had].filter(([name]) => name.startsWith(LOGIN_PREFIX));
  let chars = lengthOf(loginName(state), sealed);
  let kept = 0;
  for (const [name, value] of others.toReversed()) {
    chars += lengthOf(name, value);
    if (kept === MOST_LOGINS - 1 || chars > MOST_CHARS) break;
    kept++;
  }
  const over = others.slice(0, others.length - kept);
  return [...over.map(([name]) => set(name, '', 0)), set(loginName(state), sealed, LOGIN_SECONDS)];
}

/** In the header `cookie`. */
const lengthOf = (name: string, value: string): number => name.length + value.length + '=; '.length;

export const noLoginCookie = (state: string): string => set(loginName(state), '', 0);
