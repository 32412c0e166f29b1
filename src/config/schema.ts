import { join } from 'node:path';
import * as z from 'zod';
import * as s from './scalars.ts';

/** The guardrails that come with the product, beside src/ and dist/. */
const SHIPPED_GUARDRAILS = join(import.meta.dirname, '..', '..', 'cedar', 'guardrails');

const RSA_AND_EC = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512'] as const;
const self = (value: string): string => value;

type Context = { issues: { push(issue: z.core.$ZodRawIssue): void } };

/** Reports a contradiction at a key below the value that is being checked. */
function contradiction(ctx: Context, path: PropertyKey[], message: string): void {
  ctx.issues.push({ code: 'custom', message, path, input: null });
}

const listen = (folder: string) =>
  s
    .section({
      check: s
        .address(folder)
        .prefault('unix:///run/cedar-ext-authz/check.sock')
        .describe(
          'Where Envoy asks. Whoever reaches it can send anyone’s certificate: a Unix socket (mode 0660), or TCP on the loopback address',
        ),
      status: s
        .tcpAddressOrOff()
        .prefault('127.0.0.1:9192')
        .describe('Health, readiness, metrics and status over HTTP: read-only, without authentication'),
      control: s.word(['off']).prefault('off').describe('The control API and console: not there yet, so only off'),
      unsafePlaintext: s
        .flag()
        .prefault(false)
        .describe(
          'Lets the check port listen off the loopback address without mutual TLS: whoever reaches it is believed to be Envoy',
        ),
    })
    .check((ctx) => {
      const { check, status, unsafePlaintext } = ctx.value;
      if (check.kind === 'tcp' && !check.loopback && !unsafePlaintext) {
        const message =
          'lies off the loopback address: whoever reaches it can send anyone’s certificate; use a Unix socket or 127.0.0.1, or set listen.unsafePlaintext';
        contradiction(ctx, ['check'], message);
      }
      if (status?.kind !== 'tcp' || check.kind !== 'tcp' || status.port === 0) return;
      if (status.port === check.port)
        contradiction(ctx, ['status'], 'takes the port of listen.check; choose another one');
    });

/** The keys of an issuer: a file, a URL, or discovery at the issuer's own address. */
export type KeyOrigin =
  | { readonly from: 'file'; readonly path: string }
  | { readonly from: 'url'; readonly url: string }
  | { readonly from: 'discovery' };

const keyShape = (folder: string) => ({
  jwks: s
    .optional(
      s
        .section({
          file: s.optional(s.path(folder)).describe('A file with the JWK Set; read again when it changes'),
          url: s.optional(s.fetchUrl()).describe('A URL of the JWK Set; refreshed in the background'),
        })
        .check((ctx) => {
          if ((ctx.value.file === null) === (ctx.value.url === null))
            contradiction(ctx, [], 'needs exactly one of file, url');
        }),
    )
    .describe('Where the issuer’s keys are'),
  discovery: s.flag().prefault(false).describe('Find the keys through the issuer’s OpenID or OAuth metadata'),
  maxStale: s
    .duration('1s')
    .prefault('24h')
    .describe('Age since the last successful read of the keys beyond which tokens of this issuer are refused'),
  required: s.flag().prefault(true).describe('Not ready without these keys'),
  algorithms: s
    .list(s.word([...RSA_AND_EC, 'EdDSA']), 16, self)
    .min(1, { error: 'is empty, so no token could be accepted; leave the key out for the default' })
    .prefault([...RSA_AND_EC])
    .describe('Signature algorithms that are accepted'),
});

interface KeyChoice {
  readonly issuer: string;
  readonly jwks: { readonly file: string | null; readonly url: string | null } | null;
  readonly discovery: boolean;
}

function checkKeys(ctx: Context & { value: KeyChoice }): void {
  const { issuer, jwks, discovery } = ctx.value;
  if ((jwks !== null) === discovery) contradiction(ctx, [], 'needs exactly one of jwks, discovery: true');
  if (discovery && !s.isFetchable(issuer)) {
    contradiction(ctx, ['issuer'], 'cannot be discovered: it is not an https URL; name the keys with jwks');
  }
}

function keyOrigin({ jwks }: KeyChoice): KeyOrigin {
  if (jwks?.file != null) return { from: 'file', path: jwks.file };
  if (jwks?.url != null) return { from: 'url', url: jwks.url };
  return { from: 'discovery' };
}

const oidcIssuer = (folder: string) =>
  s
    .section({
      issuer: s.text().describe('The exact `iss` of its tokens'),
      ...keyShape(folder),
      audience: s
        .optional(s.text())
        .describe('The `aud` that its tokens must name; left out: the audience of the host that is called'),
      maxLifetime: s.duration('1s').prefault('1h').describe('The longest life (`exp` less `iat`) of a token'),
    })
    .check(checkKeys)
    .transform(({ jwks, discovery, maxStale, maxLifetime, ...rest }) => ({
      ...rest,
      keys: keyOrigin({ issuer: rest.issuer, jwks, discovery }),
      maxStaleMs: maxStale,
      maxLifetimeMs: maxLifetime,
    }));

const forwardModes = ['sanitize', 'sanitize-set', 'append-forward', 'forward-only', 'always-forward-only'] as const;
type BelievedMode = Exclude<(typeof forwardModes)[number], 'forward-only' | 'always-forward-only'>;

/** Envoy's `forward_client_cert_details`; a mode that lets a client's own header through can never be believed. */
const forwardMode = () =>
  s.word(forwardModes).transform((mode, ctx): BelievedMode => {
    if (mode !== 'forward-only' && mode !== 'always-forward-only') return mode;
    const message =
      'lets the client’s own x-forwarded-client-cert through, so nothing in it can be believed; set sanitize-set or append-forward in that Envoy';
    ctx.addIssue({ code: 'custom', message });
    return z.NEVER;
  });

const forwarded = () =>
  s
    .section({
      mode: forwardMode()
        .prefault('sanitize')
        .meta({ title: 'sanitize, sanitize-set, append-forward' })
        .describe('`forward_client_cert_details` of this Envoy'),
      hop: s
        .count(0, 15)
        .prefault(0)
        .describe(
          'Which element of x-forwarded-client-cert names the caller, counted from the right; each element right of it names a trusted proxy',
        ),
      trustedProxies: s
        .list(
          s.section({
            id: s.workloadId().describe('SPIFFE ID of the proxy'),
            mode: forwardMode()
              .meta({ title: 'sanitize, sanitize-set, append-forward' })
              .describe('`forward_client_cert_details` of that proxy'),
          }),
          64,
          (proxy) => proxy.id.text,
        )
        .prefault([])
        .describe(
          'Proxies whose x-forwarded-client-cert is believed; their own certificates are transport, never a caller',
        ),
    })
    .check((ctx) => {
      const { mode, hop, trustedProxies } = ctx.value;
      if (hop === 0) return;
      if (mode !== 'append-forward') {
        contradiction(ctx, ['hop'], 'reads a second element, which Envoy only writes in mode append-forward');
      }
      const writers = trustedProxies.filter((proxy) => proxy.mode !== 'sanitize');
      if (writers.length === 0) {
        contradiction(
          ctx,
          ['hop'],
          'reads an element that no trusted proxy writes; list the proxy with its mode, or set 0',
        );
      } else if (hop > 1 && writers.every((proxy) => proxy.mode !== 'append-forward')) {
        contradiction(ctx, ['hop'], 'needs a trusted proxy in mode append-forward between the caller and this Envoy');
      }
    });

const identity = (folder: string) =>
  s
    .section({
      trustDomains: s
        .mapping(
          s.trustDomain(),
          s
            .section({
              ours: s
                .flag()
                .prefault(false)
                .describe('The trust domain is ours; workloads of every other one are external'),
              bundle: s
                .section({ file: s.path(folder).describe('SPIFFE bundle (JSON) or PEM; read again when it changes') })
                .describe('Where its trust bundle is'),
              maxStale: s
                .duration('1s')
                .prefault('24h')
                .describe('Age since the last successful read of the bundle beyond which its workloads are refused'),
            })
            .transform(({ maxStale, ...rest }) => ({ ...rest, maxStaleMs: maxStale })),
        )
        .check((ctx) => {
          if (Object.values(ctx.value).some((domain) => domain.ours)) return;
          contradiction(
            ctx,
            [],
            'holds no trust domain of ours, so nothing could ever be permitted; set ours: true on yours',
          );
        })
        .describe('Trust domains by name, each with its own bundle; never pooled'),
      intermediates: s
        .list(s.path(folder), 64, self)
        .prefault([])
        .describe('PEM files with intermediate certificates that may complete a path'),
      maxLifetime: s
        .section({
          x509: s.duration('1s').prefault('24h').describe('The longest life of an X.509-SVID'),
          jwt: s.duration('1s').prefault('1h').describe('The longest life of a JWT-SVID'),
        })
        .transform(({ x509, jwt }) => ({ x509Ms: x509, jwtMs: jwt }))
        .prefault({})
        .describe('What lives longer is refused'),
      forwarded: forwarded().prefault({}).describe('Callers behind trusted proxies (x-forwarded-client-cert)'),
      oidc: s
        .list(oidcIssuer(folder), 64, (issuer) => issuer.issuer)
        .prefault([])
        .describe(
          'Issuers of workload tokens, such as Kubernetes service accounts; the inventory maps issuer and subject to a workload',
        ),
      unsafeTrustEnvoyValidation: s
        .flag()
        .prefault(false)
        .describe('Believes `source.principal` without a certificate: whatever Envoy let through is a caller'),
    })
    .transform(({ maxLifetime, ...rest }) => ({ ...rest, maxLifetime }));

const issuerScope = {
  trustDomains: s
    .list(s.trustDomain(), 64, self)
    .min(1, { error: 'is empty, so no caller could use its tokens' })
    .describe('Trust domains whose workloads may hold its tokens'),
  purposes: s
    .list(s.text(), 256, self)
    .min(1, { error: 'is empty, so no purpose could be stated' })
    .describe('Purposes of the inventory that it may state, with all below them'),
  maxLifetime: s.duration('1s').prefault('10m').describe('The longest life (`exp` less `iat`) of a token'),
  maxAssurance: s.count(1, 3).prefault(3).describe('The most that its tokens can prove'),
  propagation: s
    .word(['exchanged', 'forwarded'])
    .prefault('exchanged')
    .describe(
      'forwarded: a token travels on unchanged, the caller is appended to the chain, and assurance is at most 1',
    ),
  unsafeBearer: s
    .flag()
    .prefault(false)
    .describe('Accepts tokens that are bound to nobody (assurance 1): a thief can use them'),
};

const taskIssuer = (folder: string) => {
  const fetched = { issuer: s.text().describe('The exact `iss` of its tokens'), ...keyShape(folder), ...issuerScope };
  return z.discriminatedUnion(
    'kind',
    [
      s
        .section({
          kind: z.literal('txn-token').describe('Transaction Tokens in the `Txn-Token` header'),
          ...fetched,
          audience: s.text().describe('The `aud` of its tokens: the trust domain'),
          purposeClaim: s.optional(s.claim()).describe('The claim that states the purpose; left out: the only scope'),
        })
        .check(checkKeys)
        .transform(({ jwks, discovery, maxStale, maxLifetime, ...rest }) => ({
          ...rest,
          keys: keyOrigin({ issuer: rest.issuer, jwks, discovery }),
          maxStaleMs: maxStale,
          maxLifetimeMs: maxLifetime,
        })),
      s
        .section({
          kind: z.literal('access-token').describe('OAuth access tokens (RFC 9068) with task claims'),
          ...fetched,
          audience: s
            .optional(s.text())
            .describe('The `aud` that its tokens must name; left out: the audience of the host that is called'),
          idClaim: s.claim().describe('The claim that states the id of the task'),
          purposeClaim: s.claim().describe('The claim that states the purpose'),
        })
        .check(checkKeys)
        .transform(({ jwks, discovery, maxStale, maxLifetime, ...rest }) => ({
          ...rest,
          keys: keyOrigin({ issuer: rest.issuer, jwks, discovery }),
          maxStaleMs: maxStale,
          maxLifetimeMs: maxLifetime,
        })),
      s
        .section({
          kind: z
            .literal('jwt-svid')
            .describe('JWT-SVIDs with task claims, verified by the bundle of their trust domain'),
          ...issuerScope,
          idClaim: s.claim().describe('The claim that states the id of the task'),
          purposeClaim: s.claim().describe('The claim that states the purpose'),
        })
        .transform(({ maxLifetime, ...rest }) => ({ ...rest, maxLifetimeMs: maxLifetime })),
    ],
    { error: 'must be one of txn-token, access-token, jwt-svid' },
  );
};

const task = (folder: string) =>
  s.section({
    headers: z
      .union([
        z.literal('off'),
        s
          .section({
            id: s.headerName().prefault('x-task-id').describe('The header that states the id of a declared task'),
            purpose: s.headerName().prefault('x-task-purpose').describe('The header that states its purpose'),
          })
          .check((ctx) => {
            if (ctx.value.id === ctx.value.purpose)
              contradiction(ctx, ['purpose'], 'is the header of the id; name another one');
          }),
      ])
      .prefault({})
      .transform((headers) => (headers === 'off' ? null : headers))
      .describe('Plain headers that declare a task without proof; off: none is read'),
    issuers: s
      .list(taskIssuer(folder), 64, (issuer) => `${issuer.kind} ${issuer.kind === 'jwt-svid' ? '' : issuer.issuer}`)
      .prefault([])
      .describe('Who may state a task in a signed token, and how far each is believed'),
  });

const policy = (folder: string) =>
  s.section({
    folder: s.path(folder).prefault('./policies').describe('Your Cedar policies, schemas and their tests; watched'),
    inventory: s.path(folder).prefault('./inventory.yaml').describe('Workloads, owners, resources, purposes; watched'),
    guardrails: s
      .section({
        folder: s
          .optional(s.path(folder))
          .transform((value) => value ?? SHIPPED_GUARDRAILS)
          .describe('The guardrails; left out: those that come with this release'),
        disable: s
          .list(
            s
              .section({
                id: s.text().describe('The `@id` of the guardrail'),
                because: s.text().describe('Why, for whoever reads this later'),
                until: s.lastDay().describe('The last day (UTC) on which it stays disabled'),
              })
              .transform(({ until, ...rest }) => ({ ...rest, untilMs: until })),
            256,
            (entry) => entry.id,
          )
          .prefault([])
          .describe('Guardrails that do not hold here; counted in a metric'),
      })
      .prefault({})
      .describe('The policies that come with the product'),
    headers: s
      .list(
        s.section({
          name: s.headerName().describe('Name in lower case'),
          type: s
            .word(['string', 'long'])
            .prefault('string')
            .describe('long: plain decimal digits in the safe range, else the request is refused'),
        }),
        64,
        (header) => header.name,
      )
      .prefault([])
      .describe('Request headers that policies may read; no other reaches Cedar or the audit'),
    unsafeIgnoreWarnings: s.flag().prefault(false).describe('Loads policies that Cedar’s validator warns about'),
    unsafeObserveOnly: s
      .flag()
      .prefault(false)
      .describe('Turns refusals by policy (`policy_*`, `approval_*`) into allows and records them; all others stay'),
  });

/** Where audit lines go. */
export type AuditSink = { readonly to: 'stdout' } | { readonly to: 'file'; readonly path: string };

const audit = (folder: string) =>
  s.section({
    sinks: s
      .list(
        s
          .section({
            stdout: s.optional(s.section({})).describe('Standard output, one line for each check'),
            file: s
              .optional(
                s.section({ path: s.path(folder).describe('The file; made with mode 0600, only ever appended to') }),
              )
              .describe('A file of this sidecar alone'),
          })
          .check((ctx) => {
            const { stdout, file } = ctx.value;
            if ((stdout === null) === (file === null)) contradiction(ctx, [], 'needs exactly one of stdout, file');
          })
          .transform(({ file }): AuditSink => (file === null ? { to: 'stdout' } : { to: 'file', path: file.path })),
        8,
        (sink) => (sink.to === 'stdout' ? '' : sink.path),
      )
      .min(1, { error: 'is empty; every decision is recorded somewhere' })
      .prefault([{ stdout: {} }])
      .describe('Where each line goes; every sink has its own chain, and an allow waits for all of them'),
    onFailure: s
      .word(['deny', 'unsafeAllow'])
      .prefault('deny')
      .describe('What becomes of an allow that cannot be recorded in time; unsafeAllow lets it go unrecorded'),
    queue: s
      .count(16, 1_000_000)
      .prefault(8192)
      .describe('Lines that may wait for a sink; beyond it a line cannot be recorded'),
  });

const limits = () =>
  s
    .section({
      concurrentChecks: s
        .count(1, 65_536)
        .prefault(256)
        .describe('Checks at one time; one more is refused as overloaded'),
      requestBytes: s.size('4KiB', '64MiB').prefault('1MiB').describe('Size of one CheckRequest'),
      headerBytes: s.size('1KiB', '16MiB').prefault('64KiB').describe('Size of all headers of one request'),
      deadline: s
        .duration('10ms', '1m')
        .prefault('1s')
        .describe('The most that a check may take; Envoy’s own deadline counts when it is shorter'),
      connections: s.count(1, 65_536).prefault(256).describe('Connections to the check port'),
      streams: s.count(1, 65_536).prefault(1024).describe('Streams at one time on one connection'),
      sessionBytes: s.size('1MiB', '1024MiB').prefault('16MiB').describe('Memory of one connection'),
      rememberedCertificates: s
        .count(0, 1_000_000)
        .prefault(10_000)
        .describe('Verified certificates that are remembered'),
      rememberedTokens: s.count(0, 1_000_000).prefault(10_000).describe('Verified tokens that are remembered'),
      drain: s.duration('0s', '10m').prefault('20s').describe('Time to answer what is in flight after SIGTERM'),
    })
    .check((ctx) => {
      if (ctx.value.headerBytes > ctx.value.requestBytes) {
        contradiction(ctx, ['headerBytes'], 'is larger than limits.requestBytes, so it could never be reached');
      }
    })
    .transform(({ deadline, drain, ...rest }) => ({ ...rest, deadlineMs: deadline, drainMs: drain }));

/** The one schema of the configuration file; relative paths start at `folder`. */
export function configSchema(folder: string) {
  return s.section({
    listen: listen(folder).prefault({}).describe('Where the sidecar listens'),
    serves: s
      .list(s.host(), 256, self)
      .prefault([])
      .describe('Hosts that this Envoy serves; with more than one, the route’s `context_extensions.host` decides'),
    request: s
      .section({
        mergeSlashes: s
          .flag()
          .prefault(false)
          .describe('Reads `//` in a path as `/`, as Envoy’s `merge_slashes` does; otherwise it is refused'),
      })
      .prefault({})
      .describe('How requests are read'),
    identity: identity(folder).describe('Who can prove to be a caller'),
    task: task(folder).prefault({}).describe('How a task is stated'),
    chain: s
      .section({ maxDepth: s.count(1, 16).prefault(4).describe('Workloads in a chain, the caller included') })
      .prefault({})
      .describe('Through whom'),
    policy: policy(folder).prefault({}).describe('What is permitted'),
    state: s
      .section({
        store: s
          .word(['memory'])
          .prefault('memory')
          .describe('memory: lost at the end, and not shared between sidecars'),
      })
      .prefault({})
      .describe('What outlives a request'),
    audit: audit(folder).prefault({}).describe('The record of every decision'),
    limits: limits().prefault({}).describe('What bounds the work'),
    log: s
      .section({
        level: s.word(['debug', 'info', 'warn', 'error']).prefault('info').describe('The least level that is written'),
      })
      .prefault({})
      .describe('The log of the sidecar itself, as JSON lines on standard error'),
  });
}

/** A configuration that was read whole and holds no contradiction. Durations end in `Ms`, paths are absolute. */
export type Config = z.output<ReturnType<typeof configSchema>>;
