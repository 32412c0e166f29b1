import type { Reason } from '../../../src/base/outcome.ts';
import { type Mutation, oidcToken } from '../../support/tokens.ts';
import { AUDIENCE, bearer, deployByToken, readerByToken } from '../../support/world-asks.ts';
import { type Pair, pair, type ReasonCase } from './case.ts';

/** Seconds since the epoch, so far from now. */
const seconds = (fromNow: number): number => Math.floor(Date.now() / 1000) + fromNow;
const HOUR = 3600;

/** The reader's JWT-SVID, with one mutation. */
const wrong = (mutation: Mutation): Pair => pair(readerByToken(), readerByToken(mutation));

export const identityToken = {
  identity_token_missing: pair(readerByToken(), readerByToken({}, { headers: { authorization: [] } })),
  identity_token_malformed: wrong({ payloadText: '{"sub":"a","sub":"b"}' }),
  identity_token_algorithm: wrong({ header: { alg: 'HS256' } }),
  identity_token_type: wrong({ header: { typ: 'at+jwt' } }),
  identity_token_key_unknown: wrong({ header: { kid: 'domain-2' } }),
  identity_token_keys_stale: pair(deployByToken(), ({ keys }) => {
    const frame = { key: keys.ci, now: Date.now(), iss: 'https://silent.example', sub: 'ci', aud: AUDIENCE };
    return { svid: null, method: 'POST', path: '/api/releases', headers: bearer(oidcToken(frame)) };
  }),
  identity_token_signature: pair(readerByToken(), (world) => readerByToken({ signWith: world.keys.stranger })(world)),
  identity_token_expired: wrong({ claims: { iat: seconds(-2 * HOUR), exp: seconds(-HOUR) } }),
  identity_token_not_yet_valid: wrong({ claims: { nbf: seconds(HOUR) } }),
  identity_token_lifetime: wrong({ claims: { exp: seconds(2 * HOUR) } }),
  identity_token_audience: wrong({ claims: { aud: ['spiffe://prod.example/ns/other/sa/api'] } }),
  identity_token_issuer: wrong({ claims: { sub: 'reader' } }),
  identity_token_subject: wrong({ claims: { sub: 'spiffe://prod.example' } }),
  identity_token_bound: wrong({ claims: { cnf: { jkt: 'A'.repeat(43) } } }),
} satisfies Readonly<Record<Extract<Reason, `identity_token_${string}`>, ReasonCase>>;
