import * as s from './scalars.ts';

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
