import { randomUUID } from 'node:crypto';
import type { Issued } from './ca.ts';
import { mint, sha256, thumbprint } from './tokens.ts';
import type { WorldKeys } from './world-keys.ts';

type Claims = Readonly<Record<string, unknown>>;

interface Recipe {
  readonly key: 'tts' | 'as' | 'domain' | 'ci' | 'agent' | 'wit';
  readonly header: Claims;
  /** Seconds of its life; null: it states no end. */
  readonly life: number | null;
}

const bare = { kid: undefined };
const recipes = {
  'txn-token': { key: 'tts', header: { typ: 'txntoken+jwt' }, life: 300 },
  'access-token': { key: 'as', header: { typ: 'at+jwt' }, life: 300 },
  'jwt-svid': { key: 'domain', header: { typ: 'JWT' }, life: 300 },
  'oidc-token': { key: 'ci', header: {}, life: 300 },
  'dpop-proof': { key: 'agent', header: { typ: 'dpop+jwt', ...bare }, life: null },
  'identity-token': { key: 'wit', header: { typ: 'wit+jwt' }, life: 3600 },
  'proof-token': { key: 'agent', header: { typ: 'wpt+jwt', ...bare }, life: 60 },
} as const satisfies Readonly<Record<string, Recipe>>;
export type TokenKind = keyof typeof recipes;
export const tokenKinds = Object.keys(recipes) as TokenKind[];

/**
 * Makes the tokens of one request from the claims that a case states. What changes from run to run is added here: times,
 * `jti`, hashes of the tokens beside a proof. `own` in `cnf` stands for the caller's certificate, or for the agent's key.
 */
export function minting(keys: WorldKeys, svid: Issued | null): (kind: TokenKind, claims: Claims) => string {
  const made = new Map<TokenKind, string>();
  const hash = (beside: TokenKind) => {
    const token = made.get(beside);
    return token === undefined ? undefined : sha256(token);
  };
  /** What ties a proof to the tokens beside it. */
  const ties = (kind: TokenKind): Claims => {
    if (kind === 'dpop-proof') return { ath: hash('access-token') };
    if (kind === 'identity-token') return { cnf: { jwk: { ...keys.agent.publicJwk, alg: keys.agent.algorithm } } };
    if (kind !== 'proof-token') return {};
    return { wth: hash('identity-token'), tth: hash('txn-token'), ath: hash('access-token') };
  };
  const confirmation = ({ cnf }: Claims): Claims => {
    if (typeof cnf !== 'object' || cnf === null) return {};
    const own: Claims = { jkt: thumbprint(keys.agent), 'x5t#S256': svid?.thumbprint };
    const members = Object.entries(cnf).map(([name, value]) => [name, value === 'own' ? own[name] : value]);
    return { cnf: Object.fromEntries(members) };
  };
  return (kind, claims) => {
    const { key: name, header, life } = recipes[kind];
    const key = keys[name];
    const iat = Math.floor(Date.now() / 1000);
    const times = life === null ? { iat } : { iat, exp: iat + life };
    const own = { jti: randomUUID(), ...times, ...ties(kind), ...claims, ...confirmation(claims) };
    const token = mint(key, kind === 'dpop-proof' ? { ...header, jwk: key.publicJwk } : header, own);
    made.set(kind, token);
    return token;
  };
}
