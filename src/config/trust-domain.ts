import type { SpiffeId } from '../base/spiffe-id.ts';
import { contradiction } from './contradiction.ts';
import * as s from './values/scalars.ts';

/** How the server of a federation endpoint proves itself (SPIFFE Federation section 5.2). */
export type FederationProfileConfig =
  | { readonly kind: 'https_web'; readonly ca: string | null }
  | { readonly kind: 'https_spiffe'; readonly endpoint: SpiffeId; readonly bootstrap: string | null };

/** Where the bundle of one trust domain comes from. Paths are absolute. */
export type BundleOrigin =
  | { readonly from: 'file'; readonly path: string }
  | { readonly from: 'workloadApi' }
  | { readonly from: 'federation'; readonly url: string; readonly profile: FederationProfileConfig };

const federation = (folder: string) =>
  s
    .section({
      url: s.fetchUrl().describe('Address of the bundle endpoint'),
      profile: s
        .word(['https_web', 'https_spiffe'])
        .describe('How the endpoint is authenticated: by a Web PKI certificate, or by an X.509-SVID'),
      ca: s
        .optional(s.path(folder))
        .describe('https_web: PEM file of the authorities to trust instead of the system’s'),
      endpointId: s.optional(s.workloadId()).describe('https_spiffe: the SPIFFE ID of the endpoint'),
      bootstrap: s
        .optional(s.path(folder))
        .describe(
          'https_spiffe: the bundle (SPIFFE bundle or PEM) that verifies the endpoint the first time, if it serves its own trust domain',
        ),
    })
    .check((ctx) => {
      const { url, profile, ca, endpointId, bootstrap } = ctx.value;
      if (!url.startsWith('https:')) contradiction(ctx, ['url'], 'is not an https URL');
      if (profile === 'https_spiffe' && endpointId === null)
        contradiction(ctx, ['endpointId'], 'is missing: it is what the certificate of the endpoint must name');
      if (profile === 'https_spiffe' && ca !== null) contradiction(ctx, ['ca'], 'is for https_web; drop it');
      if (profile === 'https_web' && endpointId !== null)
        contradiction(ctx, ['endpointId'], 'is for https_spiffe; drop it');
      if (profile === 'https_web' && bootstrap !== null)
        contradiction(ctx, ['bootstrap'], 'is for https_spiffe; drop it');
    })
    .transform(({ url, ca, endpointId: endpoint, bootstrap }) => {
      const profile: FederationProfileConfig =
        endpoint === null ? { kind: 'https_web', ca } : { kind: 'https_spiffe', endpoint, bootstrap };
      return { url, profile };
    });

/** One trust domain of the configuration. */
export const trustDomainSection = (folder: string) =>
  s
    .section({
      local: s.flag().describe('This is a local trust domain; workloads of foreign ones are external'),
      bundle: s
        .optional(
          s.section({ file: s.path(folder).describe('SPIFFE bundle (JSON) or PEM; read again when it changes') }),
        )
        .describe('Its trust bundle is in a file'),
      workloadApi: s
        .optional(s.section({}))
        .describe('Its trust bundle comes from the SPIFFE agent, which federates; written `{}`'),
      federation: s.optional(federation(folder)).describe('Its trust bundle comes from its bundle endpoint'),
      maxStale: s
        .duration('1s')
        .prefault('24h')
        .describe('Age since the last successful read of the bundle beyond which its workloads are refused'),
      backdating: s
        .duration('0s', '1h')
        .prefault('0s')
        .describe(
          'By how much its authority dates certificates back (SPIRE: 10s, Istio: 2m): a revocation up to a time spares those that were issued later',
        ),
    })
    .check((ctx) => {
      const { bundle, workloadApi, federation } = ctx.value;
      if ([bundle, workloadApi, federation].filter((each) => each !== null).length !== 1)
        contradiction(ctx, [], 'needs exactly one of bundle, workloadApi, federation');
    })
    .transform(({ bundle, federation, maxStale: maxStaleMs, backdating: backdatingMs, local }) => {
      const agentOrEndpoint: BundleOrigin =
        federation === null ? { from: 'workloadApi' } : { from: 'federation', ...federation };
      const source: BundleOrigin = bundle === null ? agentOrEndpoint : { from: 'file', path: bundle.file };
      return { local, source, maxStaleMs, backdatingMs };
    });
