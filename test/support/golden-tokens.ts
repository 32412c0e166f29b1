import { randomUUID } from 'node:crypto';
import type { Issued } from './ca.ts';
import { mint, type SigningKey, sha256, thumbprint } from './tokens.ts';
import type { WorldKeys } from './world-keys.ts';

export const tokenKinds = [
  'txn-token',
  'access-token',
  'jwt-svid',
  'oidc-token',
  'dpop-proof',
  'identity-token',
  'proof-token',
] as const;
export type TokenKind = (typeof tokenKinds)[number];
type Claims = Readonly<Record<string, unknown>>;

interface Recipe {
  readonly key: keyof WorldKeys;
  readonly header: Claims;
  /** Seconds of its life; null: it states no end. */
  readonly life: number | null;
}

const bare = { kid: undefined };
const recipes: Readonly<Record<TokenKind, Recipe>> = {
  'txn-token': { key: 'tts', header: { typ: 'txntoken+jwt' }, life: 300 },
  'access-token': { key: 'as', header: { typ: 'at+jwt' }, life: 300 },
  'jwt-svid': { key: 'domain', header: { typ: 'JWT' }, life: 300 },
  'oidc-token': { key: 'ci', header: {}, life: 300 },
  'dpop-proof': { key: 'agent', header: { typ: 'dpop+jwt', ...bare }, life: null },
  'identity-token': { key: 'wit', header: { typ: 'wit+jwt' }, life: 3600 },
  'proof-token': { key: 'agent', header: { typ: 'wpt+jwt', ...bare }, life: 60 },
};

/**
 * Makes the tokens of one request from the claims that a case states. What changes from run to run is added here: times,
 * `jti`, hashes of the tokens beside a proof. `own` in `cnf` stands for the caller's certificate, or for the agent's key.
 */
export class Minting {
  readonly #keys: WorldKeys;
  readonly #svid: Issued | null;
  readonly #made = new Map<TokenKind, string>();

  constructor(keys: WorldKeys, svid: Issued | null) {
    this.#keys = keys;
    this.#svid = svid;
  }

  token(kind: TokenKind, claims: Claims): string {
    const { key: name, header, life } = recipes[kind];
    const key = this.#keys[name] as SigningKey;
    const iat = Math.floor(Date.now() / 1000);
    const times = life === null ? { iat } : { iat, exp: iat + life };
    const own = { jti: randomUUID(), ...times, ...this.#ties(kind), ...claims, ...this.#confirmation(claims) };
    const token = mint(key, kind === 'dpop-proof' ? { ...header, jwk: key.publicJwk } : header, own);
    this.#made.set(kind, token);
    return token;
  }

  /** What ties a proof to the tokens beside it. */
  #ties(kind: TokenKind): Claims {
    const hash = (beside: TokenKind) => {
      const token = this.#made.get(beside);
      return token === undefined ? undefined : sha256(token);
    };
    if (kind === 'dpop-proof') return { ath: hash('access-token') };
    if (kind === 'identity-token') {
      const { algorithm: alg, publicJwk } = this.#keys.agent;
      return { cnf: { jwk: { ...publicJwk, alg } } };
    }
    if (kind !== 'proof-token') return {};
    return { wth: hash('identity-token'), tth: hash('txn-token'), ath: hash('access-token') };
  }

  #confirmation({ cnf }: Claims): Claims {
    if (typeof cnf !== 'object' || cnf === null) return {};
    const own: Claims = { jkt: thumbprint(this.#keys.agent), 'x5t#S256': this.#svid?.thumbprint };
    const members = Object.entries(cnf).map(([name, value]) => [name, value === 'own' ? own[name] : value]);
    return { cnf: Object.fromEntries(members) };
  }
}
