import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, request as httpsRequest } from 'node:https';
import { text } from 'node:stream/consumers';
import OidcProvider from 'oidc-provider';
import { type Issued, TestCa } from './ca.ts';
import { loopbackName } from './https-keys.ts';
import { closeServer, listenOnLoopback } from './ports.ts';
import { nameByPassword } from './sign-in-form.ts';
import { jwk, makeKey, mint, type SigningKey } from './tokens.ts';

/** A person with an account at the provider. */
export interface Account {
  readonly groups?: unknown;
  readonly name?: string;
  readonly acr?: string;
  readonly amr?: readonly string[];
  /** How many seconds ago it proved itself, each time it is asked. */
  readonly age?: number;
  /** What it proves itself by; without one, `?as=NAME` is enough. */
  readonly password?: string;
}

export interface IdentityProviderOptions {
  /** Where the client lets itself be sent back to. */
  readonly redirectUris: readonly string[];
  readonly logoutUri?: string;
  readonly accounts: Readonly<Record<string, Account>>;
  /** Of its certificate; one of its own by default. */
  readonly ca?: TestCa;
}

type Claims = Record<string, unknown>;

/** What goes wrong at the provider: each changes one thing. */
export interface Mutations {
  /** Changes the ID token, which is signed again with this key, or with the provider's own. */
  idToken?: ((claims: Claims) => Claims) | undefined;
  signWith?: SigningKey | undefined;
  /** Signs in another way what was changed. */
  forge?: ((header: Claims, claims: Claims) => string) | undefined;
  /** Changes the query with which the browser is sent back. */
  back?: ((query: URLSearchParams) => void) | undefined;
  /** Answers in place of the provider. */
  answer?: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
}

export const CLIENT = { id: 'console', secret: 'a-secret-of-the-console-0123456789abcdef' };

/** oidc-provider, the reference implementation in Node, on 127.0.0.1 over TLS with a certificate of a private authority. */
export const IdentityProvider = { start };
export type IdentityProvider = Awaited<ReturnType<typeof start>>;

async function start({ redirectUris, logoutUri, accounts, ca: given }: IdentityProviderOptions) {
  const ca = given ?? TestCa.root('idp.example', { uris: [] });
  const key = makeKey('ES256', 'idp-1');
  const people = new Map(Object.entries(accounts));
  const mutations: Mutations = {};
  const requests: string[] = [];
  const served: { callback: (request: IncomingMessage, response: ServerResponse) => Promise<void> } = {
    callback: async () => {},
  };
  const { pem, pkcs8Pem }: Issued = ca.issue({ otherNames: [loopbackName], extendedKeyUsage: ['serverAuth'] });
  const server = createServer({ cert: pem, key: pkcs8Pem }, (request, response) => {
    requests.push(`${request.method} ${(request.url ?? '').replace(/\?.*$/, '')}`);
    if (mutations.answer?.(request, response) === true) return;
    void respond(request, response);
  });
  const url = `https://127.0.0.1:${await listenOnLoopback(server)}`;
  const provider = new OidcProvider(url, {
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        redirect_uris: redirectUris,
        response_types: ['code'],
        grant_types: ['authorization_code', 'refresh_token'],
        id_token_signed_response_alg: 'ES256',
        ...(logoutUri === undefined
          ? {}
          : { backchannel_logout_uri: logoutUri, backchannel_logout_session_required: true }),
      },
    ],
    jwks: { keys: [{ ...key.privateKey.export({ format: 'jwk' }), kid: key.kid, alg: 'ES256', use: 'sig' }] },
    cookies: { keys: ['one-key-of-the-cookies'] },
    claims: { openid: ['sub', 'groups', 'name', 'acr', 'amr', 'sid', 'auth_time'] },
    conformIdTokenClaims: false,
    features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true } },
    interactions: { url: (_: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    pkce: { required: () => true },
    issueRefreshToken: () => true,
    findAccount: (_: unknown, sub: string) =>
      people.has(sub) ? { accountId: sub, claims: () => ({ sub, ...claimsOf(people.get(sub)!) }) } : undefined,
    // Nobody is asked for consent: the client is the organisation's own.
    loadExistingGrant: async (ctx: { oidc: { session: { accountId: string }; client: { clientId: string } } }) => {
      const grant = new provider.Grant({ accountId: ctx.oidc.session.accountId, clientId: ctx.oidc.client.clientId });
      grant.addOIDCScope('openid');
      await grant.save();
      return grant;
    },
    ttl: {
      AccessToken: 600,
      AuthorizationCode: 60,
      IdToken: 600,
      Interaction: 600,
      Session: 86_400,
      Grant: 86_400,
      RefreshToken: 86_400,
    },
    fetch: (to: string, options: { method: string; headers: Record<string, string>; body: URLSearchParams }) =>
      logoutTo(to, options),
  });
  const callback = provider.callback();
  served.callback = async (request, response) => {
    const uid = /^\/interaction\/[^/?]+/.exec(request.url ?? '');
    if (uid === null) return callback(request, response);
    const named = new URL(request.url ?? '', url).searchParams.get('as');
    const isEnough = named !== null && people.get(named)?.password === undefined;
    const as = isEnough ? named : await nameByPassword(request, response, (name) => people.get(name)?.password);
    if (as === null) return;
    const { acr, amr, age } = people.get(as) ?? {};
    const ts = Math.floor(Date.now() / 1000) - (age ?? 0);
    return provider.interactionFinished(request, response, { login: { accountId: as, acr, amr, ts } });
  };

  /** Who the client believes, in place of the machine's authorities: the test sets it. */
  let consoleCa = '';
  const logoutTo = (
    to: string,
    { method, headers, body }: { method: string; headers: Record<string, string>; body: URLSearchParams },
  ) =>
    new Promise<Response>((resolve, reject) => {
      const asking = httpsRequest(
        to,
        { method, headers: Object.fromEntries(new Headers(headers)), agent: false, ca: consoleCa },
        async (answer) => resolve(new Response(await text(answer), { status: answer.statusCode ?? 500 })),
      );
      asking.once('error', reject);
      asking.end(body.toString());
    });

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { idToken, signWith, forge, back } = mutations;
    const signed = (claims: Claims): string => {
      const by = signWith ?? key;
      const header = { typ: 'JWT', kid: by.kid, alg: by.algorithm };
      return forge?.(header, claims) ?? mint(by, header, claims);
    };
    if (idToken !== undefined && request.url === '/token') changeBody(response, (claims) => signed(idToken(claims)));
    if (back !== undefined) changeLocation(response, back, redirectUris);
    await served.callback(request, response);
  }

  return {
    url,
    ca,
    key,
    people,
    mutations,
    requests,
    jwks: () => ({ keys: [jwk(key)] }),
    /** Has the provider end the sessions of a person, as its own logout does. */
    logOut: async (subject: string, sid: string, trusted: string): Promise<void> => {
      consoleCa = trusted;
      await (await provider.Client.find(CLIENT.id)).backchannelLogout(subject, sid);
    },
    stop: async (): Promise<void> => {
      server.closeAllConnections();
      await closeServer(server);
    },
  };
}

const claimsOf = ({ groups, name, acr, amr }: Account): Claims => ({
  ...(groups === undefined ? {} : { groups }),
  ...(name === undefined ? {} : { name }),
  ...(acr === undefined ? {} : { acr }),
  ...(amr === undefined ? {} : { amr }),
});

/** Puts another ID token in place of that of a token response. */
function changeBody(response: ServerResponse, change: (claims: Claims) => string): void {
  const end = response.end.bind(response) as (body?: unknown) => ServerResponse;
  response.end = ((body: unknown) => {
    const document = JSON.parse(String(body)) as { id_token?: string };
    if (document.id_token !== undefined) {
      const claims = JSON.parse(Buffer.from(document.id_token.split('.')[1]!, 'base64url').toString()) as Claims;
      document.id_token = change(claims);
    }
    const changed = JSON.stringify(document);
    response.setHeader('content-length', Buffer.byteLength(changed));
    return end(changed);
  }) as ServerResponse['end'];
}

function changeLocation(
  response: ServerResponse,
  change: (query: URLSearchParams) => void,
  redirectUris: readonly string[],
): void {
  const setHeader = response.setHeader.bind(response);
  response.setHeader = ((name: string, value: string) => {
    const leads = name.toLowerCase() === 'location' && redirectUris.some((uri) => value.startsWith(`${uri}?`));
    if (!leads) return setHeader(name, value);
    const to = new URL(value);
    change(to.searchParams);
    return setHeader(name, to.href);
  }) as ServerResponse['setHeader'];
}
