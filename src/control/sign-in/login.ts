import * as z from 'zod';
import { jsonOf } from '../../base/json.ts';
import type { Seal } from '../../base/seal.ts';
import type { LoginChecks } from './provider.ts';

const LOGIN_MS = 600_000;

/** `/`, and no second slash or backslash after it, which would lead to another host. */
const RETURN = /^\/(?![/\\])[\x21-\x7e]{0,511}$/;
const STATE = /^[A-Za-z0-9_-]{22,128}$/;
const CHALLENGE = /^[A-Za-z0-9_-]{43}$/;
/** No port of a service of the machine. */
const [FIRST_PORT, LAST_PORT] = [1024, 65_535];

/** A command line that waits for its code on the loopback address (RFC 8252 section 7.3). */
const commandLine = z.strictObject({
  port: z.int().min(FIRST_PORT).max(LAST_PORT),
  /** Of PKCE by S256: who has the verifier gets the session. */
  challenge: z.string().regex(CHALLENGE),
  state: z.string().regex(STATE),
});
export type CommandLineLogin = z.output<typeof commandLine>;

/** Where a sign-in leads when it is done: a page of ours, or a command line. */
export interface LoginTarget {
  readonly returnTo: string;
  readonly commandLine: CommandLineLogin | null;
}

/** A sign-in that has begun. */
export interface Login extends LoginTarget {
  readonly checks: LoginChecks;
}

const kept = z.strictObject({
  checks: z.strictObject({ state: z.string(), nonce: z.string(), verifier: z.string(), maxAge: z.int() }),
  returnTo: z.string().regex(RETURN),
  commandLine: commandLine.nullable(),
  untilMs: z.int(),
});

/** What the browser keeps of a sign-in, sealed: so nothing of strangers who begin one is kept here. */
export const sealLogin = (login: Login, seal: Seal, nowMs: number): string =>
  seal.seal(JSON.stringify({ ...login, untilMs: nowMs + LOGIN_MS }), login.checks.state);

/** The sign-in that a browser kept under this state; null: there is none, or its ten minutes are over. */
export function openLogin(sealed: string | undefined, state: string, seal: Seal, nowMs: number): Login | null {
  const text = sealed === undefined ? null : seal.open(sealed, state);
  const login = text === null ? null : kept.safeParse(jsonOf(text));
  return login?.success === true && nowMs < login.data.untilMs && login.data.checks.state === state ? login.data : null;
}

/** Where a sign-in shall lead, as `GET /sign-in` names it; null: it says it wrongly. */
export function loginTarget(query: URLSearchParams): LoginTarget | null {
  const returnTo = query.get('return') ?? '/';
  if (!RETURN.test(returnTo)) return null;
  if (!query.has('port')) return { returnTo, commandLine: null };
  const { data } = commandLine.safeParse({
    port: Number(query.get('port')),
    challenge: query.get('challenge'),
    state: query.get('state'),
  });
  return data === undefined ? null : { returnTo, commandLine: data };
}
