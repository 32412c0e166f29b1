import * as z from 'zod';
import { contradiction } from './contradiction.ts';
import { algorithms, checkKeys, keyShape, withKeys } from './issuer-keys.ts';
import * as s from './scalars.ts';

const issuerScope = {
  trustDomains: s
    .list(s.trustDomain(), 64, s.self)
    .min(1, { error: 'is empty, so no caller could use its tokens' })
    .describe('Trust domains whose workloads may hold its tokens'),
  purposes: s
    .list(s.text(), 256, s.self)
    .min(1, { error: 'is empty, so no purpose could be stated' })
    .describe('Purposes of the inventory that it may assert, including those below them'),
  maxLifetime: s.duration('1s').prefault('10m').describe('Maximum lifetime (`exp` minus `iat`) of a token'),
  maxAssurance: s
    .count(1, 3)
    .transform((most) => most as 1 | 2 | 3)
    .prefault(3)
    .describe('Maximum assurance of its tokens'),
  propagation: s
    .word(['exchanged', 'forwarded'])
    .prefault('exchanged')
    .describe(
      'forwarded: a token is passed on unchanged; the caller is appended to the chain, and assurance is at most 1',
    ),
  registration: s
    .word(['required', 'optional'])
    .prefault('optional')
    .describe(
      'required: its tasks must be registered, see [tasks.md](tasks.md#registered-tasks); optional: they may be',
    ),
  unsafeBearer: s.flag().describe('Accepts unbound tokens (assurance 1): a thief can use them'),
};

const taskClaims = {
  idClaim: s.claim().describe('The claim that states the id of the task'),
  purposeClaim: s.claim().describe('The claim that states the purpose'),
};

const taskIssuer = (folder: string) => {
  const signing = { issuer: s.text().describe('The exact `iss` of its tokens'), ...keyShape(folder), ...issuerScope };
  const kinds = [
    s
      .section({
        kind: z.literal('txn-token').describe('Transaction Tokens, in the header `Txn-Token`'),
        ...signing,
        audience: s.text().describe('The `aud` of its tokens: the trust domain'),
        purposeClaim: s.optional(s.claim()).describe('The claim that states the purpose; left out: the only scope'),
        legacyClaimNames: s.flag().describe('Accepts the claim names of drafts before 06'),
      })
      .check(checkKeys)
      .transform(withKeys),
    s
      .section({
        kind: z.literal('access-token').describe('OAuth access tokens (RFC 9068) with task claims'),
        ...signing,
        ...taskClaims,
      })
      .check(checkKeys)
      .transform(withKeys),
    s
      .section({
        kind: z.literal('jwt-svid').describe('JWT-SVIDs with task claims; keys come from the trust bundles'),
        ...issuerScope,
        ...taskClaims,
      })
      .transform(({ maxLifetime, ...rest }) => ({ ...rest, maxLifetimeMs: maxLifetime })),
  ] as const;
  return z.discriminatedUnion('kind', kinds, { error: 'must be one of txn-token, access-token, jwt-svid' });
};

const headers = () =>
  s
    .section({
      id: s.headerName().prefault('x-task-id').describe('The header that states the id of a declared task'),
      purpose: s.headerName().prefault('x-task-purpose').describe('The header that states its purpose'),
    })
    .check((ctx) => {
      if (ctx.value.id === ctx.value.purpose) {
        contradiction(ctx, ['purpose'], 'is the header of the id; name another one');
      }
    });

const dpop = (folder: string) =>
  s
    .section({
      algorithms: algorithms(),
      maxAge: s.duration('1s', '10m').prefault('60s').describe('Maximum age of a proof, by its `iat`'),
      nonce: s
        .section({
          required: s.flag().describe('Requires a nonce of the sidecar in each proof'),
          lifetime: s.duration('1s', '1h').prefault('5m').describe('How long a nonce is valid'),
          secretFile: s
            .optional(s.path(folder))
            .describe(
              'File with the secrets of the nonces, which sidecars with one store share: base64 of at least 32 random bytes on each of up to 4 lines; the first makes nonces, all verify; read again when it changes',
            ),
        })
        .transform(({ required, lifetime, secretFile }) => ({ required, lifetimeMs: lifetime, secretFile }))
        .prefault({})
        .describe('Nonces (RFC 9449 section 9)'),
    })
    .transform(({ maxAge, ...rest }) => ({ ...rest, maxAgeMs: maxAge }));

const wimse = () =>
  s
    .section({
      algorithms: algorithms(),
      maxWitLifetime: s.duration('1s').prefault('1h').describe('Maximum lifetime of a Workload Identity Token'),
      maxProofLifetime: s
        .duration('1s', '10m')
        .prefault('60s')
        .describe('How far in the future the `exp` of a proof may be'),
    })
    .transform(({ maxWitLifetime, maxProofLifetime, ...rest }) => ({
      ...rest,
      maxWitLifetimeMs: maxWitLifetime,
      maxProofLifetimeMs: maxProofLifetime,
    }));

/** The section `task`: how a task is stated. */
export const task = (folder: string) =>
  s.section({
    headers: s.orOff(headers()).prefault({}).describe('Plain headers that declare a task without proof; off: not read'),
    issuers: s
      .list(taskIssuer(folder), 64, (issuer) =>
        issuer.kind === 'jwt-svid' ? `jwt-svid ${issuer.trustDomains.join(' ')}` : `${issuer.kind} ${issuer.issuer}`,
      )
      .prefault([])
      .describe('Issuers of task tokens, each with its limits'),
    dpop: dpop(folder).prefault({}).describe('Proofs of possession by DPoP (RFC 9449)'),
    wimse: s.orOff(wimse()).prefault('off').describe('Proofs of possession by WIMSE tokens; off: not accepted'),
    resourceMetadata: s
      .flag()
      .describe('Challenges name the protected resource metadata of the host (RFC 9728), if its origin is known'),
  });
