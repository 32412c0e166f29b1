import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TRUST_DOMAIN, workload } from './estate.ts';
import { proofTime } from './proof-time.ts';
import { AS, type IssuerSettings, TaskIssuer, TTS } from './task-issuer.ts';
import {
  dpopProof,
  jwk,
  jwtSvid,
  leftOverBits,
  type Mutation,
  makeKey,
  type SigningKey,
  thumbprint,
} from './tokens.ts';

/** The audiences of the two hosts in the inventory. */
export const AUDIENCES = {
  payments: workload('/ns/payments/sa/api'),
  crm: workload('/ns/support/sa/crm'),
} as const;

/** An issuer of access tokens that names nobody, marked unsafeBearer; and one whose Transaction Tokens travel on. */
const LOOSE = 'https://console.prod.example';
const FORWARDING = 'https://edge-tts.prod.example';
/** Every issuer of task tokens here. That of JWT-SVIDs is their trust domain. */
export const ISSUERS = {
  tts: TTS,
  as: AS,
  loose: LOOSE,
  forwarding: FORWARDING,
  domain: `spiffe://${TRUST_DOMAIN}`,
} as const;
/** Longer than any token here lives. */
const LONG_AGO_MS = 600_000;

type Claims = Readonly<Record<string, unknown>>;
export type Headers = Readonly<Record<string, string | readonly string[]>>;

/** What the task of a token may be about: one parameter of an api of payments.internal. */
export const abouts = {
  invoice: { api: 'payments.internal/invoices', parameters: { invoice: '42' } },
  payout: { api: 'payments.internal/payouts', parameters: { payout: '7' } },
} as const;
export type About = (typeof abouts)[keyof typeof abouts];

/** What may differ in a token: claims, its task, and whether it was issued so long ago that it ended. */
export interface Change {
  readonly id?: string;
  readonly claims?: Claims;
  readonly ended?: boolean;
  readonly purpose?: string;
  readonly about?: About;
}

/** Every credential that a workload of the estate may hold, and a thief may take. */
export class ThiefTokens {
  readonly issuer: TaskIssuer;
  /** The key of the workload that proofs are made with, and that of the thief. */
  readonly holder = makeKey();
  readonly thief = makeKey();
  readonly #loose = makeKey();
  readonly #forwarding = makeKey();

  constructor(trustDomain: string) {
    this.issuer = new TaskIssuer(trustDomain);
  }

  /** Writes the keys of all issuers, and returns the `task` section that believes them. `settings` are more of each. */
  configure(dir: string, settings: IssuerSettings = {}): Record<string, unknown> {
    const scope = { trustDomains: [this.issuer.trustDomain, 'partner.example'], ...settings };
    const task = this.issuer.configure(dir, scope) as { issuers: { kind: string }[] };
    const types = Object.values(abouts).map(({ api, parameters: names }) => {
      const parameters = Object.fromEntries(Object.keys(names).map((name) => [name, 'identifier']));
      return { type: api, api, parameters };
    });
    for (const issuer of task.issuers as { kind: string; resources?: object }[])
      issuer.resources =
        issuer.kind === 'access-token' ? { claim: '/authorization_details', types } : { claim: '/tctx/resources' };
    for (const [name, key] of [
      ['loose', this.#loose],
      ['forwarding', this.#forwarding],
    ] as const)
      writeFileSync(join(dir, `${name}.json`), JSON.stringify({ keys: [jwk(key)] }));
    const like = (kind: string) => task.issuers.find((issuer) => issuer.kind === kind);
    task.issuers.push(
      { ...like('access-token')!, ...{ issuer: LOOSE, jwks: { file: './loose.json' }, unsafeBearer: true } },
      {
        ...like('txn-token')!,
        ...{ issuer: FORWARDING, jwks: { file: './forwarding.json' }, propagation: 'forwarded' },
      },
    );
    return task;
  }

  /** A Transaction Token that names the workload. */
  txn(workload: string, change: Change = {}): string {
    return this.issuer.txnToken({ workload, ...shapeOf(change) });
  }

  /** The same, of the issuer whose tokens travel on unchanged. */
  forwarded(workload: string, change: Change = {}): string {
    return this.issuer.txnToken({ workload, ...shapeOf(change, FORWARDING, this.#forwarding) });
  }

  /** An access token of the client; one that is no SPIFFE ID and not in the inventory names nobody. */
  access(client: string, change: Change = {}): string {
    return this.issuer.accessToken(AUDIENCES.payments, { workload: client, scope: 'invoices', ...shapeOf(change) });
  }

  /** An access token that names nobody, of the issuer that is marked unsafeBearer. */
  bearer(change: Change = {}): string {
    const shape = { workload: 'console', scope: 'invoices', ...shapeOf(change, LOOSE, this.#loose) };
    return this.issuer.accessToken(AUDIENCES.payments, shape);
  }

  /** A JWT-SVID of the workload that says who it is and nothing else. */
  identity(workload: string, { claims = {}, ended = false }: Change = {}): string {
    const frame = { key: this.issuer.keys.domain, now: clock(ended), sub: workload, aud: AUDIENCES.payments };
    return jwtSvid(frame, { claims });
  }

  /** A JWT-SVID of the workload with a task in it. */
  taskSvid(workload: string, change: Change = {}): string {
    return this.issuer.jwtSvid(AUDIENCES.payments, { workload, scope: 'invoices', ...shapeOf(change) });
  }

  /** An access token that is bound to the workload's name and to the holder's key. */
  keyBound(workload: string, { claims = {}, ...change }: Change = {}): string {
    return this.access(workload, { ...change, claims: { cnf: { jkt: thumbprint(this.holder) }, ...claims } });
  }

  /** The token under the scheme DPoP with a proof of the holder's key for this request. */
  withDpop(token: string, path: string, change: { ended?: boolean; key?: SigningKey; method?: string } = {}): Headers {
    const { ended = false, key = this.holder, method = 'GET' } = change;
    const now = ended ? clock(true) : proofTime();
    return {
      authorization: `DPoP ${token}`,
      dpop: dpopProof({ key, method, uri: uriOf(path), accessToken: token, now }),
    };
  }

  /** The WIT of the workload and a WPT over it and the tokens beside it, for this request. */
  withWpt(
    workload: string,
    tokens: { readonly txnToken?: string; readonly accessToken?: string },
    path: string,
    change: { ended?: boolean; key?: SigningKey; uri?: string; signWith?: SigningKey; life?: number } = {},
  ): Headers {
    const { key = this.holder, uri = uriOf(path), signWith, ended = false, life } = change;
    const frame = { workload, key, uri, now: proofTime(), ...tokens };
    // Seconds from now; left out: the life of any proof.
    const end = ended ? clock(true) : life === undefined ? null : clock(false) + life * 1000;
    const exp = end === null ? {} : { claims: { exp: Math.floor(end / 1000) } };
    const proof = this.issuer.workloadProof(frame, { ...exp, ...(signWith === undefined ? {} : { signWith }) });
    return tokens.txnToken === undefined ? proof : { 'txn-token': tokens.txnToken, ...proof };
  }
}

/** The token with other claims under its old signature. */
export function altered(token: string, claims: Claims): string {
  const [header, payload = '', signature] = token.split('.');
  const changed = { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), ...claims };
  return [header, Buffer.from(JSON.stringify(changed)).toString('base64url'), signature].join('.');
}

/** The token with its signature in another spelling of the same bytes. */
export const respelled = (token: string): string => leftOverBits(token);

export const uriOf = (path: string, host = 'payments.internal'): string => `https://${host}${path}`;

/** What tokens of each kind say that their task is about. */
function claimsAbout({ api, parameters }: About, purpose = 'reconcile-invoices'): Claims {
  const [identifier] = Object.values(parameters);
  return {
    tctx: { purpose, resources: [{ api, parameters }] },
    authorization_details: [{ type: api, identifier }],
  };
}

const clock = (ended: boolean): number => Date.now() - (ended ? LONG_AGO_MS : 0);

function shapeOf({ claims: more = {}, ended = false, purpose, id, about }: Change, iss?: string, key?: SigningKey) {
  const claims = about === undefined ? more : { ...claimsAbout(about, purpose), ...more };
  const mutation: Mutation =
    iss === undefined || key === undefined
      ? { claims }
      : { header: { kid: key.kid }, claims: { iss, ...claims }, signWith: key };
  return {
    mutation,
    now: clock(ended),
    ...(purpose === undefined ? {} : { purpose }),
    ...(id === undefined ? {} : { id }),
  };
}
