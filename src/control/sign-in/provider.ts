import type * as openid from 'openid-client';
import { Fault, messageOf } from '../../base/fault.ts';
import type { PersonFacts } from '../../identity/person.ts';
import { signedInPerson } from './id-token.ts';
import { ProviderUnreachable, providerFetch } from './provider-fetch.ts';

type OpenId = typeof openid;
type Configuration = openid.Configuration;

export interface ProviderOptions {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** PEM file of the authorities that prove the provider; null: those of the machine. */
  readonly ca: string | null;
  /** Beside `openid`. */
  readonly scopes: readonly string[];
  /** The members that lead to the groups in an ID token. */
  readonly groupsAt: readonly string[];
  /** Where the provider sends people back to. */
  readonly redirectUri: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** What one sign-in is held to when the person comes back. */
export interface LoginChecks {
  readonly state: string;
  readonly nonce: string;
  /** Of PKCE (RFC 7636), by S256. */
  readonly verifier: string;
  /** How long ago the person may have proved itself to the provider, in seconds. */
  readonly maxAge: number;
}

/** A person whom the provider vouches for. */
export interface SignedIn {
  readonly person: PersonFacts;
  /** The session at the provider (`sid`), by which it may end ours; null where it names none. */
  readonly sid: string | null;
  /** Reads the groups again; null: the provider gave none. */
  readonly refreshToken: string | null;
}

/** Why nobody is signed in: the provider says no, or what it says does not hold. */
export class SignInFault extends Fault {}

/** The provider gave no answer, so nothing is known. */
export class NoAnswer extends SignInFault {}

/** How long metadata of the provider is used, and how long a failure to read it is. */
const METADATA_MS = 3_600_000;
const FAILURE_MS = 1000;
const TIMEOUT_S = 5;
const MAX_DETAIL = 512;
const MAX_REFRESH_TOKEN = 8192;

interface Found {
  readonly untilMs: number;
  readonly openid: OpenId;
  readonly configuration: Configuration;
}

/**
 * One OpenID Connect provider, of which this is a confidential client: code flow with PKCE, `state`, `nonce` and, where it
 * is announced, `iss` (RFC 9207). The signature of each ID token is verified, whatever TLS proves. The library is loaded at
 * the first use. Nothing rejects.
 */
export class Provider {
  readonly #options: ProviderOptions;
  #looking: Promise<Found | SignInFault> | null = null;
  #found: Found | null = null;
  #failed: { readonly fault: SignInFault; readonly untilMs: number } | null = null;

  constructor(options: ProviderOptions) {
    this.#options = options;
  }

  get issuer(): string {
    return this.#options.issuer;
  }

  /**
   * Begins a sign-in: where to send the browser, and what to hold it to afterwards. `isAsked`: the provider asks the person
   * in any case, however lately it did.
   */
  async begin(
    maxAge: number,
    isAsked: boolean,
  ): Promise<{ readonly url: string; readonly checks: LoginChecks } | SignInFault> {
    const found = await this.#provider();
    if (found instanceof SignInFault) return found;
    const { openid: library, configuration } = found;
    const checks: LoginChecks = {
      state: library.randomState(),
      nonce: library.randomNonce(),
      verifier: library.randomPKCECodeVerifier(),
      maxAge,
    };
    const url = library.buildAuthorizationUrl(configuration, {
      redirect_uri: this.#options.redirectUri,
      scope: ['openid', ...this.#options.scopes].join(' '),
      state: checks.state,
      nonce: checks.nonce,
      code_challenge: await library.calculatePKCECodeChallenge(checks.verifier),
      code_challenge_method: 'S256',
      max_age: String(maxAge),
      ...(isAsked ? { prompt: 'login' } : {}),
    });
    return { url: url.href, checks };
  }

  /** Ends a sign-in: `query` is what the browser brought back, as it came. */
  async finish(query: string, { state, nonce, verifier, maxAge }: LoginChecks): Promise<SignedIn | SignInFault> {
    const found = await this.#provider();
    if (found instanceof SignInFault) return found;
    const { openid: library, configuration } = found;
    const { redirectUri } = this.#options;
    try {
      const tokens = await library.authorizationCodeGrant(configuration, new URL(`${redirectUri}?${query}`), {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: verifier,
        idTokenExpected: true,
        maxAge,
      });
      return this.#signedIn(tokens);
    } catch (error) {
      return faultOf(error);
    }
  }

  /** Asks the provider anew who a person is by now: it says no where the person may not be signed in any more. */
  async reread(refreshToken: string, before: SignedIn): Promise<SignedIn | SignInFault> {
    const found = await this.#provider();
    if (found instanceof SignInFault) return found;
    try {
      const tokens = await found.openid.refreshTokenGrant(found.configuration, refreshToken);
      const { person, sid } = before;
      // OpenID Connect Core section 12.2: an ID token is optional there, and auth_time is that of the sign-in.
      const claims = tokens.claims();
      if (claims === undefined) return new SignInFault('the provider gave no ID token with the refresh token');
      const now = this.#person({ auth_time: Math.floor(person.signedInMs / 1000), ...claims });
      if (now instanceof SignInFault) return now;
      if (now.issuer !== person.issuer || now.subject !== person.subject)
        return new SignInFault('the refresh token is of somebody else');
      const kept = { acr: now.acr ?? person.acr, amr: now.amr.length > 0 ? now.amr : person.amr };
      const signedInMs = Math.min(now.signedInMs, person.signedInMs);
      return { person: { ...now, ...kept, signedInMs }, sid, refreshToken: tokens.refresh_token ?? refreshToken };
    } catch (error) {
      return faultOf(error);
    }
  }

  #signedIn(tokens: openid.TokenEndpointResponse & openid.TokenEndpointResponseHelpers): SignedIn | SignInFault {
    const claims = tokens.claims();
    if (claims === undefined) return new SignInFault('the provider gave no ID token');
    const person = this.#person(claims);
    if (person instanceof SignInFault) return person;
    const { sid } = claims;
    if (sid !== undefined && (typeof sid !== 'string' || sid === '' || sid.length > 255))
      return new SignInFault('the ID token: sid is no text of 1 to 255 characters');
    const { refresh_token: refreshToken = null } = tokens;
    const isKept = refreshToken !== null && refreshToken.length <= MAX_REFRESH_TOKEN;
    return { person, sid: sid ?? null, refreshToken: isKept ? refreshToken : null };
  }

  #person(claims: Readonly<Record<string, unknown>>): PersonFacts | SignInFault {
    const person = signedInPerson(claims, this.#options.groupsAt, this.#options.now());
    return person instanceof Fault ? new SignInFault(`the ID token: ${person.detail}`) : person;
  }

  async #provider(): Promise<Found | SignInFault> {
    const now = this.#options.now();
    if (this.#found !== null && now < this.#found.untilMs) return this.#found;
    if (this.#failed !== null && now < this.#failed.untilMs) return this.#failed.fault;
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async #look(): Promise<Found | SignInFault> {
    const { issuer, clientId, clientSecret, ca, now } = this.#options;
    try {
      const library = await import('openid-client');
      const configuration = await library.discovery(
        new URL(issuer),
        clientId,
        { require_auth_time: true },
        authentication(library, clientSecret),
        {
          [library.customFetch]: providerFetch(ca),
          execute: [library.enableNonRepudiationChecks],
          timeout: TIMEOUT_S,
        },
      );
      // The library compares URLs; `iss` is compared as a text (OpenID Connect Core section 3.1.3.7).
      const { issuer: named } = configuration.serverMetadata();
      if (named !== issuer) return this.#fail(new NoAnswer(`the metadata is of the issuer ${named}`));
      this.#found = { untilMs: now() + METADATA_MS, openid: library, configuration };
      return this.#found;
    } catch (error) {
      return this.#fail(new NoAnswer(faultOf(error).detail));
    }
  }

  #fail(fault: SignInFault): SignInFault {
    this.#failed = { fault, untilMs: this.#options.now() + FAILURE_MS };
    return fault;
  }
}

/** The secret in the header, which every provider takes that does not say otherwise (RFC 8414 section 2), else in the body. */
function authentication(library: OpenId, secret: string): openid.ClientAuth {
  const [basic, post] = [library.ClientSecretBasic(secret), library.ClientSecretPost(secret)];
  return (server, ...rest) => {
    const taken = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
    return (taken.includes('client_secret_basic') ? basic : post)(server, ...rest);
  };
}

/** What went wrong, in words for an operator: the library wraps what it caught. */
function faultOf(error: unknown): SignInFault {
  const words: string[] = [];
  for (let at: unknown = error; at instanceof Error && words.length < 4; at = at.cause) {
    if (at instanceof ProviderUnreachable) return new NoAnswer(at.message.slice(0, MAX_DETAIL));
    words.push(messageOf(at));
    const { error: code, error_description: said } = at as { error?: unknown; error_description?: unknown };
    for (const more of [code, said]) if (typeof more === 'string') words.push(more);
  }
  const other = otherAnswer(error);
  if (other !== null) return new NoAnswer(`the provider answered ${other}`);
  return new SignInFault((words.join(': ') || String(error)).slice(0, MAX_DETAIL));
}

/** What a provider that cannot answer says in place of an error about the person (RFC 6749 section 4.1.2.1, RFC 6585 section 4). */
const BUSY: ReadonlySet<unknown> = new Set([408, 425, 429, 'server_error', 'temporarily_unavailable', 'slow_down']);

/**
 * What was answered that says nothing of the person; null: it does, or there was no answer. A no is an error in the form of
 * RFC 6749 section 5.2: what is in between, such as a proxy that limits rates, has no say in who may be signed in.
 */
function otherAnswer(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  if (error.cause instanceof Response) return `${error.cause.status}, and no JSON`;
  const { status, error: said, code } = error as { status?: unknown; error?: unknown; code?: unknown };
  if (code === 'OAUTH_PARSE_ERROR') return 'what is no JSON';
  return typeof status === 'number' && (status >= 500 || BUSY.has(status) || BUSY.has(said)) ? String(status) : null;
}
