import { TestCa } from '../support/ca.ts';
import { type Answer, type Ask, ask, type Shown, websocketHeaders } from '../support/client.ts';
import type { Envoy } from '../support/envoy.ts';
import { PAYMENTS, TRUST_DOMAIN, workload } from '../support/estate.ts';
import type { Sidecar } from '../support/sidecar.ts';
import type { Seen, Upstream } from '../support/upstream.ts';

/** The example with its parts running, whoever issues the certificates. */
export interface DemoEstate {
  readonly envoy: Envoy;
  readonly sidecar: Sidecar;
  readonly upstream: Upstream;
  /** The root of the trust domain. */
  readonly ca: TestCa;
  /** The SVID of a workload of the trust domain, by the path of its id. */
  svid(path: string): Shown | Promise<Shown>;
}

/** What the rows are played on: the estate, and a second Envoy that lets every certificate through. */
export interface Stage {
  readonly estate: DemoEstate;
  /** Asks the same sidecar, and validates no client: what it refuses, the sidecar refuses. */
  readonly openEnvoy: Envoy;
}

/** One line of the demo. */
export interface Row {
  readonly who: string;
  readonly task: string;
  readonly request: string;
  /** How many requests reach the service where it is allowed; left out: the one. */
  readonly travels?: number;
  /** What has to come: a status, and for a denial its reason; null where the sidecar is not there to give one. */
  readonly expected: { readonly status: number; readonly reason: string | null };
  readonly play: (stage: Stage) => Promise<Answer>;
  /** What else has to hold of the answer, such as its challenge. */
  readonly answered?: (answer: Answer) => boolean;
  /** What else has to hold of the request that reached the service. */
  readonly also?: (seen: Seen | undefined) => boolean;
}

interface Request {
  readonly method?: string;
  readonly host?: string;
  readonly path: string;
  readonly headers?: NonNullable<Ask['headers']>;
  readonly localAddress?: string;
}

export const LEDGER = '/ns/payments/sa/ledger';
export const AGENT = '/ns/agents/sa/billing-agent';
export const READER = '/ns/support/sa/reader';

const declared = { 'x-task-id': 't-42', 'x-task-purpose': 'reconcile-invoices' };
export const allowed = { status: 200, reason: null };
export const denied = (reason: string, status = 403) => ({ status, reason });

/** The request through the Envoy that validates clients, as a workload of the trust domain. */
const as =
  (path: string, request: Request) =>
  async ({ estate }: Stage): Promise<Answer> =>
    send(estate.envoy, await estate.svid(path), request);

/** The request through the Envoy that lets every certificate in. */
export const unvalidated =
  (certificate: (estate: DemoEstate) => Shown | null, request: Request) =>
  ({ estate, openEnvoy }: Stage): Promise<Answer> =>
    send(openEnvoy, certificate(estate), request);

export function send(envoy: Envoy, svid: Shown | null, { host, ...request }: Request): Promise<Answer> {
  return ask({ ...request, port: envoy.port, svid, host: host ?? PAYMENTS });
}

const invoice = { path: '/api/invoices/42' };
const INVOICE = `GET ${invoice.path}`;
const HOUR = 3_600_000;

export const rows: readonly Row[] = [
  { who: 'ledger (service)', task: '–', request: INVOICE, expected: allowed, play: as(LEDGER, invoice) },
  {
    who: 'billing-agent (agent)',
    task: 'reconcile-invoices (said)',
    request: 'GET /api/status',
    expected: allowed,
    play: as(AGENT, { path: '/api/status', headers: declared }),
  },
  {
    who: 'billing-agent (agent)',
    task: 'reconcile-invoices (said)',
    request: INVOICE,
    expected: denied('policy_forbidden'),
    play: as(AGENT, { ...invoice, headers: declared }),
  },
  {
    who: 'ledger (service)',
    task: '–',
    request: 'POST /api/refunds',
    expected: denied('approval_required'),
    play: as(LEDGER, { method: 'POST', path: '/api/refunds' }),
  },
  {
    who: 'ledger (service)',
    task: '–',
    request: `${INVOICE} as WebSocket`,
    expected: { status: 101, reason: null },
    play: as(LEDGER, { ...invoice, headers: websocketHeaders }),
  },
  {
    who: 'reader (service)',
    task: '–',
    request: `${INVOICE} as WebSocket`,
    expected: denied('policy_no_permit'),
    play: as(READER, { ...invoice, headers: websocketHeaders }),
  },
  {
    who: 'ledger (service)',
    task: '–',
    request: `DELETE ${invoice.path} as WebSocket`,
    expected: denied('request_upgrade_method', 400),
    play: as(LEDGER, { ...invoice, method: 'DELETE', headers: websocketHeaders }),
  },
  {
    who: 'not in the inventory',
    task: '–',
    request: INVOICE,
    expected: denied('caller_unregistered'),
    play: as('/ns/shadow/sa/forgotten', invoice),
  },
  {
    who: 'no certificate',
    task: '–',
    request: INVOICE,
    expected: denied('identity_token_missing', 401),
    play: unvalidated(() => null, invoice),
    answered: ({ headers }) => /^Bearer realm=/.test(headers['www-authenticate'] ?? ''),
  },
  {
    who: 'ledger, by another CA',
    task: '–',
    request: INVOICE,
    expected: denied('identity_svid_issuer_unknown'),
    play: unvalidated(() => TestCa.root(TRUST_DOMAIN, { subject: 'another' }).svid(workload(LEDGER)), invoice),
  },
  {
    who: 'ledger, expired',
    task: '–',
    request: INVOICE,
    expected: denied('identity_svid_expired'),
    play: unvalidated(
      ({ ca }) => ca.svid(workload(LEDGER), { notBefore: ca.now - 2 * HOUR, notAfter: ca.now - HOUR }),
      invoice,
    ),
  },
  {
    who: 'our CA, stranger’s id',
    task: '–',
    request: INVOICE,
    expected: denied('identity_trust_domain_unknown'),
    play: unvalidated(({ ca }) => ca.svid(`spiffe://stranger.example${LEDGER}`), invoice),
  },
  {
    who: 'ledger (service)',
    task: '–',
    request: `${INVOICE}, other host`,
    expected: denied('request_host_not_served', 400),
    play: unvalidated(({ ca }) => ca.svid(workload(LEDGER)), { ...invoice, host: 'other.internal' }),
  },
  {
    who: 'ledger (service)',
    task: '–',
    request: `${INVOICE}, forged x-authz-caller`,
    expected: allowed,
    play: as(LEDGER, { ...invoice, headers: { 'x-authz-caller': workload('/admin') } }),
    also: (seen) => saidCaller(seen) === workload(LEDGER),
  },
  {
    who: 'ledger (service)',
    task: '–',
    request: 'GET /api/status/..%2finvoices/42',
    expected: { status: 400, reason: null },
    play: as(LEDGER, { path: '/api/status/..%2finvoices/42' }),
  },
  {
    who: 'ledger (service)',
    task: '–',
    request: `${INVOICE}, sidecar killed`,
    expected: { status: 503, reason: null },
    play: async (stage) => {
      await stage.estate.sidecar.kill();
      return await as(LEDGER, invoice)(stage);
    },
  },
  {
    who: 'ledger (service)',
    task: '–',
    request: `${INVOICE}, sidecar back`,
    expected: allowed,
    play: async (stage) => {
      const start = performance.now();
      await stage.estate.sidecar.start();
      await stage.estate.envoy.clusterHealth('cedar-ext-authz', true);
      return { ...(await as(LEDGER, invoice)(stage)), ms: performance.now() - start };
    },
  },
];

/** The one `x-authz-caller` that reached the service; null when there is none, or more than one. */
function saidCaller(seen: Seen | undefined): string | null {
  const said = seen?.headers.filter(([name]) => name === 'x-authz-caller') ?? [];
  return said.length === 1 ? said[0]![1] : null;
}
