import type { IncomingMessage } from 'node:http';
import * as z from 'zod';
import { Fault } from '../../base/fault.ts';
import type { Seal } from '../../base/seal.ts';
import { FRESH_MS } from '../asker.ts';
import { readBody } from '../http/body.ts';
import type { Pages } from '../http/connections.ts';
import { askedName, type DoorRules } from '../http/door.ts';
import { parseFields } from '../http/fields.ts';
import { Inflight } from '../http/inflight.ts';
import { ApiProblem } from '../http/problem.ts';
import type { WrittenReply } from '../http/written.ts';
import {
  loginCookies,
  loginName,
  noLoginCookie,
  noSessionCookie,
  readCookies,
  SESSION_COOKIE,
  sessionCookie,
} from './cookies.ts';
import { crossSite } from './cross-site.ts';
import { heldSession } from './held-session.ts';
import { type CommandLineLogin, loginTarget, openLogin, sealLogin } from './login.ts';
import { type LogoutRules, readLogoutToken } from './logout-token.ts';
import { NoAnswer, type Provider, type SignedIn, SignInFault } from './provider.ts';
import { jsonReply, problemReply, redirectReply } from './replies.ts';
import { SessionAudit, type SessionAuditOptions } from './session-audit.ts';
import type { Sessions } from './sessions.ts';

export interface SignInOptions extends SessionAuditOptions {
  readonly provider: Provider;
  readonly sessions: Sessions;
  /** For what browsers keep while somebody signs in. */
  readonly seal: Seal;
  /** Of the console, as browsers name it. */
  readonly origin: string;
  readonly logout: LogoutRules;
  readonly onBug: (error: unknown) => void;
}

/** Below the path of the console, where the provider sends people back to. */
export const CALLBACK = '/sign-in/callback';

/** How long ago a person may have proved itself to the provider for a fresh sign-in; for any other, as long as a session lasts. */
const FRESH_SECONDS = 300;

const exchange = z.strictObject({ code: z.string().max(128), verifier: z.string().min(43).max(128) });

interface Handler {
  /** How it is written what a request brings; left out: it brings nothing. */
  readonly body?: 'json' | 'form';
  /** Whose it is, so that strangers cannot keep it from them; left out: it is for anybody. */
  readonly of?: 'session' | 'provider';
  run(request: IncomingMessage, given: { readonly query: URLSearchParams; readonly body: unknown }): Promise<Result>;
}
type Result = WrittenReply | ApiProblem;

/**
 * The paths by which people sign in and out: for browsers, for the command line, and for the provider, which ends sessions.
 * Each sign-in, refused or not, and each end of a session has its line in the audit, before it takes effect.
 */
export class SignInPages implements Pages {
  readonly #options: SignInOptions;
  /** By address, or by what proves a session. What somebody brings is read before: whoever is slow takes no place. */
  readonly #inflight = { anybody: new Inflight(), session: new Inflight(), provider: new Inflight() };
  readonly #book: SessionAudit;
  readonly #handlers: ReadonlyMap<string, Readonly<Record<string, Handler>>>;

  constructor(options: SignInOptions) {
    this.#options = options;
    this.#book = new SessionAudit(options);
    this.#handlers = new Map<string, Readonly<Record<string, Handler>>>([
      ['/sign-in', { GET: { run: (request, { query }) => this.#begin(request, query) } }],
      [CALLBACK, { GET: { run: (request, { query }) => this.#finish(request, query) } }],
      ['/sign-in/token', { POST: { body: 'json', run: (request, { body }) => this.#exchange(request, body) } }],
      [
        '/sign-in/back-channel-logout',
        { POST: { body: 'form', of: 'provider', run: (request, { body }) => this.#endByProvider(request, body) } },
      ],
      ['/sign-out', { POST: { of: 'session', run: (request) => this.#signOut(request) } }],
      ['/session', { GET: { of: 'session', run: (request) => this.#session(request) } }],
    ]);
  }

  answer(request: IncomingMessage, door: DoorRules): Promise<WrittenReply> | null {
    const { url = '' } = request;
    const mark = url.indexOf('?');
    const methods = this.#handlers.get(mark === -1 ? url : url.slice(0, mark));
    if (methods === undefined) return null;
    return this.#reply(request, door, methods, new URLSearchParams(mark === -1 ? '' : url.slice(mark + 1)));
  }

  /** Writes what was counted and not told. */
  close(): void {
    this.#book.close();
  }

  async #reply(
    request: IncomingMessage,
    door: DoorRules,
    methods: Readonly<Record<string, Handler>>,
    query: URLSearchParams,
  ): Promise<WrittenReply> {
    try {
      const reply = await this.#answered(request, door, methods, query);
      return reply instanceof ApiProblem ? problemReply(reply, request) : reply;
    } catch (error) {
      this.#options.onBug(error);
      return problemReply(ApiProblem.of('internal'), request);
    }
  }

  async #answered(
    request: IncomingMessage,
    door: DoorRules,
    methods: Readonly<Record<string, Handler>>,
    query: URLSearchParams,
  ): Promise<Result> {
    const named = askedName(request, door);
    if (named instanceof ApiProblem) return named;
    const { method = '', headers, socket } = request;
    const handler = Object.hasOwn(methods, method) ? methods[method] : undefined;
    const allow = Object.keys(methods).join(', ');
    if (handler === undefined)
      return ApiProblem.of('method_not_allowed', `it has ${allow}`, { headers: [['allow', allow]] });
    const body = handler.body === undefined ? null : await readBody(request, handler.body);
    if (body instanceof ApiProblem) return body;
    const { of = 'anybody' } = handler;
    const address = socket.remoteAddress ?? '';
    const by = of === 'session' ? (headers.cookie ?? headers.authorization ?? address) : address;
    const leave = this.#inflight[of].enter(by, of === 'anybody');
    if (leave === null) return ApiProblem.of('too_many_requests', null, RETRY);
    try {
      return await handler.run(request, { query, body });
    } finally {
      leave();
    }
  }

  /** `GET /sign-in`: sends the browser to the provider. */
  async #begin(request: IncomingMessage, query: URLSearchParams): Promise<Result> {
    const { provider, seal, sessions, clock } = this.#options;
    const cookies = readCookies(request.headers.cookie);
    if (cookies instanceof Fault) return ApiProblem.of('malformed', cookies.detail);
    const target = loginTarget(query);
    if (target === null)
      return ApiProblem.of(
        'parameters_invalid',
        'return is a path of this console; port, state and challenge belong together',
      );
    // A command line opens its page itself. A page that leads there would have somebody sign in for who knows whom.
    if (target.commandLine !== null && (request.headers['sec-fetch-site'] ?? 'none') !== 'none')
      return ApiProblem.of('cross_site', 'open the address that the command line printed; no page leads there');
    // It is no browser that could show who is signed in: the person signs in for it, each time.
    const isFresh = query.get('fresh') === 'true' || target.commandLine !== null;
    const begun = await provider.begin(isFresh ? FRESH_SECONDS : sessions.lifetimeSeconds, isFresh);
    if (begun instanceof SignInFault) return this.#book.notIn(request, begun);
    const { url, checks } = begun;
    const sealed = sealLogin({ ...target, checks }, seal, clock());
    return redirectReply(302, url, loginCookies(checks.state, sealed, cookies));
  }

  /** `GET /sign-in/callback`: the browser is back from the provider. */
  async #finish(request: IncomingMessage, query: URLSearchParams): Promise<Result> {
    const { provider, seal, clock } = this.#options;
    const cookies = readCookies(request.headers.cookie);
    if (cookies instanceof Fault) return ApiProblem.of('malformed', cookies.detail);
    const [state = '', ...others] = query.getAll('state');
    const login = others.length > 0 ? null : openLogin(cookies.get(loginName(state)), state, seal, clock());
    if (login === null)
      return this.#book.refuse(
        request,
        ApiProblem.of('login_unknown', 'begin again, in this browser, and end within ten minutes'),
      );
    const { url = '' } = request;
    const signedIn = await provider.finish(url.slice(url.indexOf('?') + 1), login.checks);
    if (signedIn instanceof SignInFault) return this.#book.notIn(request, signedIn);
    const over = noLoginCookie(state);
    if (login.commandLine !== null) return this.#toCommandLine(request, signedIn, login.commandLine, over);
    const id = await this.#book.began(request, signedIn, 'browser', () =>
      this.#options.sessions.begin(signedIn, 'browser', clock()),
    );
    if (id instanceof ApiProblem) return id;
    const before = cookies.get(SESSION_COOKIE);
    if (before !== undefined) await this.#options.sessions.end(before);
    return redirectReply(303, login.returnTo, [over, sessionCookie(id, this.#options.sessions.lifetimeSeconds)]);
  }

  /** Hands the command line a code, which is worth nothing without its verifier (RFC 8252 section 8.1). */
  async #toCommandLine(
    request: IncomingMessage,
    signedIn: SignedIn,
    { port, challenge, state }: CommandLineLogin,
    over: string,
  ): Promise<Result> {
    const { sessions, clock, origin } = this.#options;
    const code = await this.#book.began(request, signedIn, 'cli', () =>
      sessions.beginCode(signedIn, challenge, clock()),
    );
    if (code instanceof ApiProblem) return code;
    const back = new URLSearchParams({ code, state, iss: origin });
    return redirectReply(303, `http://127.0.0.1:${port}/?${back}`, [over]);
  }

  /** `POST /sign-in/token`: a command line exchanges its code. */
  async #exchange(request: IncomingMessage, brought: unknown): Promise<Result> {
    const { sessions, clock, origin } = this.#options;
    // Browsers have no code to exchange.
    if (request.headers.origin !== undefined || request.headers['sec-fetch-site'] !== undefined)
      return crossSite(request, origin) ?? ApiProblem.of('cross_site', 'a command line exchanges a code, and no page');
    const body = parseFields(exchange, brought, 'body_invalid');
    if (body instanceof ApiProblem) return body;
    const token = await sessions.redeem(body.code, body.verifier, clock());
    if (token instanceof Fault) return ApiProblem.of('state_unavailable', token.detail);
    if (token === null)
      return this.#book.refuse(
        request,
        ApiProblem.of('login_unknown', 'the code is not known, was used, or is not of this verifier'),
      );
    return jsonReply(200, { token, token_type: 'Bearer', expires_in: sessions.lifetimeSeconds });
  }

  /** `GET /session`: who is signed in, and for how long. It is no use of the session. */
  async #session(request: IncomingMessage): Promise<Result> {
    const { sessions, clock, origin } = this.#options;
    const site = request.headers['sec-fetch-site'];
    if (site !== undefined && site !== 'same-origin' && site !== 'none') return ApiProblem.of('cross_site');
    const held = heldSession(request, origin);
    if (held instanceof ApiProblem) return held;
    if (held === null) return ApiProblem.of('session_missing');
    const nowMs = clock();
    const session = await sessions.find(held.id, held.kind, nowMs, false);
    if (session === null) return ApiProblem.of('session_missing');
    if (session instanceof Fault) return unknown(session);
    const { person, endsMs, idleEndsMs } = session;
    const { issuer, subject, name, groups, acr, amr, signedInMs } = person;
    const times = {
      at: nowMs,
      signedIn: signedInMs,
      freshUntil: signedInMs + FRESH_MS,
      ends: endsMs,
      idleEnds: idleEndsMs,
    };
    const written = Object.entries(times).map(([key, at]) => [key, new Date(at).toISOString()]);
    return jsonReply(200, { person: { issuer, subject, name, groups, acr, amr }, ...Object.fromEntries(written) });
  }

  /** `POST /sign-out`: ends the session that asks. */
  async #signOut(request: IncomingMessage): Promise<Result> {
    const { sessions, clock, origin } = this.#options;
    const held = heldSession(request, origin);
    if (held instanceof ApiProblem) return held;
    if (held === null) return ApiProblem.of('session_missing');
    const session = await sessions.find(held.id, held.kind, clock(), false);
    const ended = await sessions.end(held.id);
    if (ended instanceof Fault) return ApiProblem.of('state_unavailable', ended.detail);
    const person = session === null || session instanceof Fault ? null : session.person;
    if (ended) await this.#book.ended(request, person, held.kind, 'person', 1);
    return jsonReply(200, { signedOut: ended }, held.kind === 'browser' ? [noSessionCookie()] : []);
  }

  /** `POST /sign-in/back-channel-logout`: the provider ends sessions. */
  async #endByProvider(request: IncomingMessage, brought: unknown): Promise<Result> {
    const { sessions, clock, logout } = this.#options;
    const { logout_token: token } = brought as { readonly logout_token?: string };
    const read =
      token === undefined ? new Fault('there is no logout_token') : await readLogoutToken(token, logout, clock());
    if (read instanceof Fault)
      return this.#book.refuse(request, ApiProblem.of('malformed', `the logout token: ${read.detail}`), 'sign-out');
    const ended = await sessions.endAll(read.of, read.untilMs);
    if (ended instanceof Fault) return ApiProblem.of('state_unavailable', ended.detail);
    await this.#book.ended(request, null, null, 'provider', ended);
    return jsonReply(200, {});
  }
}

const RETRY = { headers: [['retry-after', '1'] as const] };

/** What is not known of a session: the store gives no answer, or the provider none. */
export const unknown = (fault: Fault): ApiProblem =>
  fault instanceof NoAnswer
    ? ApiProblem.of('provider_unavailable', null, { privateDetail: fault.detail })
    : ApiProblem.of('state_unavailable', fault.detail);
