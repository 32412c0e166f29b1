import * as z from 'zod';
import type { KeyOrigin } from '../token/jwks-document.ts';
import { standardAlgorithms } from '../token/jws-algorithms.ts';
import { contradiction } from './contradiction.ts';
import { algorithms, checkKeys, keyShape, withKeys } from './issuer-keys.ts';
import { accessResources, resources } from './task-resources.ts';
import * as s from './values/scalars.ts';

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
  subjectIssuer: s
    .optional(s.text())
    .describe(
      'The issuer of the ID tokens whose `sub` the subject of its tasks is, so that nobody grants what their own task asks for; left out: two people must grant what such a task asks for',
    ),
  unsafeBearer: s.flag().describe('Accepts unbound tokens (assurance 1): a thief can use them'),
};

const taskClaims = {
  idClaim: s.claim().describe('The claim that states the id of the task'),
  purposeClaim: s.claim().describe('The claim that states the purpose'),
};

/** Where a sidecar has the public keys of the service from; left out: it is the same process. */
const keysOfService = (folder: string) =>
  s
    .section({
      file: s
        .optional(s.path(folder))
        .describe('A file with the JWK Set of its public keys; read again when it changes'),
      url: s.optional(s.fetchUrl()).describe('`/keys` of its control port; refreshed in the background'),
      svid: s.optional(s.workloadId()).describe('With url: the SPIFFE ID that the certificate there must have'),
    })
    .check((ctx) => {
      const { file, url, svid } = ctx.value;
      if ((file === null) === (url === null)) contradiction(ctx, [], 'needs exactly one of file, url');
      if (url !== null && !url.startsWith('https:')) contradiction(ctx, ['url'], 'is not an https URL');
      if ((url === null) !== (svid === null)) contradiction(ctx, ['svid'], 'belongs to url: it says who answers there');
    });

/** An entry of `task.issuers` of the kind `built-in`. */
const builtInIssuer = (folder: string) =>
  s.section({
    kind: z.literal('built-in').describe('Tokens of the [token service](tasks.md#the-token-service)'),
    trustDomain: s
      .optional(s.trustDomain())
      .describe('The trust domain that its tokens are for; left out: the local one'),
    jwks: s
      .optional(keysOfService(folder))
      .describe('Where its public keys are; left out: `tokenService` of this process'),
    maxStale: s
      .duration('1s')
      .prefault('24h')
      .describe('Age since the last successful read of the keys beyond which its tokens are refused'),
  });

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
        resources: resources(),
      })
      .check(checkKeys)
      .transform(withKeys),
    s
      .section({
        kind: z.literal('access-token').describe('OAuth access tokens (RFC 9068) with task claims'),
        ...signing,
        ...taskClaims,
        resources: accessResources(),
      })
      .check(checkKeys)
      .transform(withKeys),
    s
      .section({
        kind: z.literal('jwt-svid').describe('JWT-SVIDs with task claims; keys come from the trust bundles'),
        ...issuerScope,
        ...taskClaims,
        resources: resources(),
      })
      .transform(({ maxLifetime, ...rest }) => ({ ...rest, maxLifetimeMs: maxLifetime })),
    builtInIssuer(folder),
  ] as const;
  return z.discriminatedUnion('kind', kinds, { error: 'must be one of txn-token, access-token, jwt-svid, built-in' });
};

/** What no two issuers may have in common: of two entries for one token, order would decide. */
function nameOf(issuer: z.output<ReturnType<typeof taskIssuer>>): string {
  switch (issuer.kind) {
    case 'jwt-svid':
      return `jwt-svid ${issuer.trustDomains.join(' ')}`;
    case 'built-in':
      return `built-in ${issuer.trustDomain ?? ''}`;
    default:
      return `${issuer.kind} ${issuer.issuer}`;
  }
}

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
      .list(taskIssuer(folder), 64, nameOf)
      .prefault([])
      .describe('Issuers of task tokens, each with its limits'),
    dpop: dpop(folder).prefault({}).describe('Proofs of possession by DPoP (RFC 9449)'),
    wimse: s.orOff(wimse()).prefault('off').describe('Proofs of possession by WIMSE tokens; off: not accepted'),
    resourceMetadata: s
      .flag()
      .describe('Challenges name the protected resource metadata of the host (RFC 9728), if its origin is known'),
  });

type BuiltIn = z.output<ReturnType<typeof builtInIssuer>>;

/** What the `iss` of every token service begins with. */
export const TOKEN_SERVICES = 'urn:cedar-ext-authz:token-service:';
/** The `iss` of the one token service of a trust domain. */
const tokenServiceName = (trustDomain: string): string => `${TOKEN_SERVICES}${trustDomain}`;

interface Domains {
  readonly identity: { readonly trustDomains: Readonly<Record<string, { readonly local: boolean }>> };
}

/** The trust domain that is named, or the only local one; null: there are several. */
export function tokenServiceDomain(named: string | null, { identity }: Domains): string | null {
  const local = Object.entries(identity.trustDomains).flatMap(([name, { local }]) => (local ? [name] : []));
  return named ?? (local.length === 1 ? local[0]! : null);
}

interface TokenServiceConfig extends Domains {
  readonly tokenService: { readonly trustDomain: string | null; readonly audience: string | null } | null;
}

/** The audience of the tokens that prove on whose behalf a task begins; null: without a token service, or of no known domain. */
export function subjectAudience({ tokenService, identity }: TokenServiceConfig): string | null {
  if (tokenService === null) return null;
  const domain = tokenServiceDomain(tokenService.trustDomain, { identity });
  return tokenService.audience ?? (domain === null ? null : tokenServiceName(domain));
}

/** How tokens of the service of a trust domain are read, wherever that is. */
export function builtIn(trustDomain: string) {
  return {
    kind: 'txn-token' as const,
    issuer: tokenServiceName(trustDomain),
    audience: trustDomain,
    algorithms: standardAlgorithms,
    purposeClaim: ['task', 'purpose'],
    resources: { claim: ['tctx', 'resources'], types: null },
    legacyClaimNames: false,
    trustDomains: [trustDomain],
    purposes: null,
    maxLifetimeMs: 3_600_000,
    maxAssurance: 3 as const,
    propagation: 'exchanged' as const,
    registration: 'issued' as const,
    subjectIssuer: null,
    unsafeBearer: false,
  };
}

/** Whatever an issuer of Transaction Tokens has in its entry, of one that is built in. */
export function expanded({ trustDomain, jwks, maxStale }: BuiltIn, config: Domains) {
  const issuer = builtIn(tokenServiceDomain(trustDomain, config) ?? '');
  return { ...issuer, keys: originOf(jwks), maxStaleMs: maxStale, required: true };
}

function originOf(jwks: BuiltIn['jwks']): KeyOrigin | { readonly from: 'own' } {
  if (jwks?.file != null) return { from: 'file', path: jwks.file };
  if (jwks?.url != null) return { from: 'url', url: jwks.url, ca: null, svid: jwks.svid };
  return { from: 'own' };
}
