import { Fault } from '../base/fault.ts';
import { Refusal } from '../base/outcome.ts';
import { canonicalHost } from '../http/host.ts';
import { contradiction } from './contradiction.ts';
import { leaf } from './values/leaf.ts';
import * as s from './values/scalars.ts';

/** The origin of a page: what a browser shows in its address bar, without a path. */
const origin = () =>
  leaf('https://HOST or https://HOST:PORT', (value): URL | Fault => {
    const url = URL.parse(value);
    if (url === null || url.protocol !== 'https:' || url.username + url.password + url.search + url.hash !== '')
      return new Fault('is no origin; write https://console.example or https://console.example:8443');
    if (url.pathname !== '/') return new Fault('has a path; write scheme, host and port alone');
    return canonicalHost(url.host, 'https') instanceof Refusal ? new Fault('names no host') : url;
  });

/** The key `control.console`: the listener that people use. */
const consoleListener = (folder: string) =>
  s.section({
    listen: s.tcpAddress().describe('Where it listens, with TLS: it asks for no client certificate'),
    url: origin().describe(
      'How browsers reach it, proxies in between included: the one name by which it may be asked, and where the identity provider sends people back to',
    ),
    tls: s
      .section({
        certificate: s.path(folder).describe('PEM file of the certificate and the intermediates above it'),
        key: s.path(folder).describe('PEM file of its private key, not encrypted'),
      })
      .describe('The certificate to serve with; watched'),
  });

/** The key `control.signIn`: how people sign in. */
const signIn = (folder: string) =>
  s
    .section({
      issuer: s
        .fetchUrl()
        .describe(
          'The OpenID Connect provider: its exact `iss`, below which its metadata is. With `sub` it is the person',
        ),
      clientId: s.text().describe('The client that it registered for us, with URL/sign-in/callback as redirect URI'),
      clientSecretFile: s
        .path(folder)
        .describe(
          'File with the client’s secret in its first line, 32 characters or more; it also seals what browsers and the store keep',
        ),
      ca: s
        .optional(s.path(folder))
        .describe('PEM file of the authorities that verify the provider, instead of the system’s'),
      scopes: s
        .list(s.text(), 16, s.self)
        .prefault([])
        .describe('Scopes to ask for beside `openid`, such as those that put groups into the ID token'),
      groupsClaim: s
        .claim()
        .prefault('/groups')
        .describe(
          'Where the ID token has the person’s groups, a list of texts; policies see them as `Control::PersonGroup`',
        ),
      idle: s.duration('1m', '8h').prefault('30m').describe('A session ends after so long without a request'),
      lifetime: s.duration('1m', '24h').prefault('8h').describe('A session ends after so long in any case'),
      reread: s
        .duration('1m', '1h')
        .prefault('1h')
        .describe(
          'How long groups are believed: then they are read again by the refresh token, and where the provider gives none, the session is over',
        ),
    })
    .transform(({ idle, lifetime, reread, ...rest }) => ({
      ...rest,
      idleMs: idle,
      lifetimeMs: lifetime,
      rereadMs: reread,
    }));

/** Where a notice is posted to. The text may be a secret, so nothing shows it. */
const receiverUrl = () =>
  leaf('https URL', (value): URL | Fault => {
    const url = URL.parse(value);
    const isWhole = url?.protocol === 'https:' && url.username + url.password + url.hash === '';
    return isWhole ? url : new Fault('is no https URL without user and fragment; write https://host/path');
  });

const receiverName = () =>
  leaf('name', (value) =>
    /^[a-z0-9][a-z0-9-]{0,62}$/.test(value)
      ? value
      : new Fault('is not a name; write lower case letters, digits and dashes'),
  );

/** What receivers are told of. */
const noticeTypes = ['approval.requested', 'approval.granted', 'break_glass.used', 'guardrail.expired'] as const;

/** An item of the key `control.notices`: one receiver of webhooks. */
const notice = (folder: string) =>
  s
    .section({
      name: receiverName().describe('Its name in log, metrics and status'),
      url: receiverUrl().describe(
        'Where notices are posted to; nothing else is, and no redirect is followed. Log and status show its host alone',
      ),
      format: s
        .word(['standard', 'slack'])
        .prefault('standard')
        .describe('standard: by Standard Webhooks, signed; slack: a line of text, for Slack and what takes the same'),
      secretFiles: s
        .list(s.path(folder), 2, s.self)
        .prefault([])
        .describe(
          'Files with a secret in their first line, `whsec_` and base64 of 24 to 64 bytes; read for each attempt. Two: both sign, while the receiver goes from one to the other',
        ),
      events: s
        .list(s.word(noticeTypes), noticeTypes.length, s.self)
        .min(1, { error: 'is empty; name what it is told of, or leave the key out' })
        .prefault([...noticeTypes])
        .describe('What it is told of; of `break_glass.used` whatever stands here'),
      ca: s
        .optional(s.path(folder))
        .describe('PEM file of the authorities that verify the receiver, instead of the system’s'),
    })
    .check((ctx) => {
      if (ctx.value.format === 'standard' && ctx.value.secretFiles.length === 0)
        contradiction(ctx, ['secretFiles'], 'is needed: the receiver could not tell who sent it; or set format: slack');
    });

/** The section `control`: who may ask the control API, and whose lifts are believed. */
export const control = (folder: string) =>
  s.section({
    audience: s
      .optional(s.text())
      .describe(
        'The audience of the tokens (JWT-SVIDs, workload tokens) that prove a caller of the control API; no host may have the same one. Left out: no token is accepted',
      ),
    key: s
      .optional(s.path(folder))
      .describe(
        'PEM file of the Ed25519 private key (PKCS#8) that signs what opens in the store: lifts, beginnings of tasks and leases; only where they are ordered. Watched',
      ),
    trustedKeys: s
      .list(s.path(folder), 16, s.self)
      .prefault([])
      .describe(
        'PEM files of Ed25519 public keys (SPKI): a lift, a beginning or a lease in the store holds if one of them signed it. Watched; without any, and without key, none holds',
      ),
    console: s
      .orOff(consoleListener(folder))
      .prefault('off')
      .describe('The control API for people, who sign in: a listener of its own beside listen.control'),
    signIn: s.orOff(signIn(folder)).prefault('off').describe('How people sign in, by OpenID Connect'),
    url: s
      .optional(s.fetchUrl())
      .describe(
        'URL at which callers reach the control API, for the `status_url` of a denial that asks for an approval; left out: none is stated',
      ),
    notices: s
      .list(notice(folder), 16, ({ name }) => name)
      .prefault([])
      .describe('Receivers of webhooks: they are told of approvals, and of guardrails that bind again'),
  });

/** No token of the service may live longer: sidecars refuse it, and the ids of tasks are kept for so long. */
const MOST_TOKEN = '1h';

/** The section `tokenService`: the one that issues task tokens. */
export const tokenService = (folder: string) =>
  s
    .section({
      keys: s
        .path(folder)
        .describe(
          'File of the private keys that sign task tokens: PEM, one after the other, or a JWK Set; EC or RSA. The first signs, all are published. Watched',
        ),
      trustDomain: s
        .optional(s.trustDomain())
        .describe('The trust domain that its tokens are for; left out: the local one'),
      audience: s
        .optional(s.text())
        .describe(
          'The audience of the tokens (JWT-SVIDs, workload tokens) that prove there on whose behalf a task begins, and of no others; left out: the `iss` of its own tokens',
        ),
      tokenLifetime: s
        .duration('10s', MOST_TOKEN)
        .prefault('5m')
        .describe('Maximum lifetime of a token: the lease of a task'),
      taskLifetime: s
        .duration('10s', '30d')
        .prefault('8h')
        .describe('Maximum lifetime of a task, however often its tokens are refreshed'),
    })
    .transform(({ tokenLifetime, taskLifetime, ...rest }) => ({
      ...rest,
      tokenLifetimeMs: tokenLifetime,
      taskLifetimeMs: taskLifetime,
    }));
