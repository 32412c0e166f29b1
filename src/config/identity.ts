import * as z from 'zod';
import { contradiction } from './contradiction.ts';
import type { Environment } from './document.ts';
import { checkKeys, keyShape, withKeys } from './issuer-keys.ts';
import { trustDomainSection } from './trust-domain.ts';
import * as s from './values/scalars.ts';

const oidcIssuer = (folder: string) =>
  s
    .section({
      issuer: s.text().describe('The exact `iss` of its tokens'),
      ...keyShape(folder),
      audience: s
        .optional(s.text())
        .describe('The `aud` that its tokens must name; left out: the audience of the host that is called'),
      maxLifetime: s.duration('1s').prefault('1h').describe('Maximum lifetime (`exp` minus `iat`) of a token'),
    })
    .check(checkKeys)
    .transform(withKeys);

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
          'Which element of x-forwarded-client-cert is the caller, counted from the right; each element to its right must be a trusted proxy',
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
        .describe('Proxies whose x-forwarded-client-cert is trusted; their own certificates never identify a caller'),
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

const waypoint = () =>
  s.section({
    id: s.workloadId().describe('Its SPIFFE ID, which it proves on the check port'),
    hosts: s
      .list(s.host(), 256, s.self)
      .min(1, { error: 'is empty, so this waypoint would name nobody; name hosts' })
      .describe('The hosts for which it names callers'),
    trustDomains: s
      .list(s.trustDomain(), 16, s.self)
      .min(1, { error: 'is empty, so this waypoint would name nobody; name trust domains' })
      .describe('The trust domains of the callers that it names'),
    namespaces: s
      .list(s.namespace(), 256, s.self)
      .min(1, { error: 'is empty, so this waypoint would name nobody; name namespaces' })
      .describe('The namespaces of these callers: their SPIFFE IDs are `spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/…`'),
  });

/** The SPIFFE agent, which the environment may name where the file does not. */
const workloadApi = (env: Environment) =>
  s
    .section({
      socket: s
        .optional(s.workloadEndpoint())
        .describe(
          'Address of the SPIFFE agent; left out: that of the environment variable `SPIFFE_ENDPOINT_SOCKET`, where it is needed',
        ),
    })
    .transform(({ socket }, ctx) => {
      const named = env.SPIFFE_ENDPOINT_SOCKET ?? '';
      if (socket !== null || named === '') return { socket };
      const read = s.workloadEndpoint().safeParse(named);
      if (read.success) return { socket: read.data };
      const message = `SPIFFE_ENDPOINT_SOCKET ${read.error.issues[0]!.message}`;
      ctx.addIssue({ code: 'custom', path: ['socket'], message });
      return z.NEVER;
    });

const sections = (folder: string, env: Environment) =>
  s.section({
    workloadApi: workloadApi(env)
      .prefault({})
      .describe('The SPIFFE agent that gives bundles and the sidecar’s own SVID'),
    trustDomains: s
      .mapping(s.trustDomain(), trustDomainSection(folder))
      .check((ctx) => {
        if (Object.values(ctx.value).some((domain) => domain.local)) return;
        contradiction(
          ctx,
          [],
          'holds no local trust domain, so nothing could ever be permitted; set local: true on yours',
        );
      })
      .describe('Trust domains by name, each with its own bundle; never pooled'),
    intermediates: s
      .list(s.path(folder), 64, s.self)
      .prefault([])
      .describe('PEM files with intermediate certificates that may complete a path'),
    maxLifetime: s
      .section({
        x509: s
          .duration('1s')
          .prefault('25h')
          .describe('Maximum lifetime of an X.509-SVID: a day, and the time by which its authority backdates it'),
        jwt: s.duration('1s').prefault('1h').describe('Maximum lifetime of a JWT-SVID'),
      })
      .transform(({ x509, jwt }) => ({ x509Ms: x509, jwtMs: jwt }))
      .prefault({})
      .describe('Credentials with a longer lifetime are refused'),
    forwarded: forwarded().prefault({}).describe('Callers behind trusted proxies (x-forwarded-client-cert)'),
    oidc: s
      .list(oidcIssuer(folder), 64, (issuer) => issuer.issuer)
      .prefault([])
      .describe(
        'Issuers of workload tokens, such as Kubernetes service accounts; the inventory maps issuer and subject to a workload',
      ),
    legacy: s
      .section({
        authorities: s
          .list(
            s.section({
              name: s.text().describe('What the inventory calls it'),
              file: s.path(folder).describe('PEM file of its certificates; read at the start'),
            }),
            8,
            (authority) => authority.name,
          )
          .prefault([])
          .describe(
            'Who issues certificates without a SPIFFE ID to legacy accounts; each is apart from the others and from every trust domain. None: no such certificate is accepted',
          ),
        keyHeader: s
          .optional(s.keyHeaderName())
          .describe(
            'The header with the API key of a legacy account, such as x-api-key; never forwarded. Left out: no key is accepted',
          ),
      })
      .prefault({})
      .describe('Accounts that cannot hold an SVID yet; the inventory says which'),
    waypoints: s
      .list(waypoint(), 64, ({ id }) => id.text)
      .prefault([])
      .describe(
        'Waypoints of an ambient mesh, whose x-forwarded-client-cert names callers by a bare `URI`: such a caller proves no possession (`Mesh::Credential::"waypoint"`). Needs listen.tls, and identity.forwarded.mode: sanitize-set',
      ),
    unsafeTrustEnvoyValidation: s
      .flag()
      .describe('Trusts `source.principal` without a certificate: everything that Envoy accepted is a caller'),
  });

/** The section `identity`: who can prove to be a caller. `env` may name the SPIFFE agent. */
export const identity = (folder: string, env: Environment) =>
  sections(folder, env).check((ctx) => {
    const { workloadApi, trustDomains, waypoints, forwarded } = ctx.value;
    if (waypoints.length > 0 && (forwarded.mode !== 'sanitize-set' || forwarded.hop !== 0)) {
      const message = 'needs identity.forwarded.mode: sanitize-set, without hop: a waypoint writes one element';
      contradiction(ctx, ['waypoints'], message);
    }
    if (workloadApi.socket !== null) return;
    for (const [name, { source }] of Object.entries(trustDomains)) {
      if (source.from !== 'workloadApi') continue;
      const message =
        'needs the address of the SPIFFE agent; set identity.workloadApi.socket or SPIFFE_ENDPOINT_SOCKET';
      contradiction(ctx, ['trustDomains', name, 'workloadApi'], message);
    }
  });
