import { urlEncodedPem } from '../../support/ca.ts';
import { startTlsWorld } from '../../support/tls-world.ts';
import { type Answer, type Ask, workload } from '../../support/world.ts';
import { agentByTxn, ledgerReads, readerBehindGateway } from '../../support/world-asks.ts';
import { type Family, type Pair, pair, type Scene } from './case.ts';

const REPORT = { host: 'reports.internal', path: '/q3', route: { host: 'reports.internal' } };

/** The ledger reads an invoice; this is wrong about the request. */
const wrong = (over: Partial<Ask>): Pair => pair(ledgerReads(), ledgerReads(over));

const declared = { 'x-task-id': 't-42', 'x-task-purpose': 'reconcile-invoices' };
/** The same with a declared task. */
const wrongHeader = (headers: NonNullable<Ask['headers']>): Pair =>
  pair(ledgerReads({ headers: declared }), ledgerReads({ headers: { ...declared, ...headers } }));

/** What x-forwarded-client-cert says behind a trusted proxy, where it would be believed. */
const wrongXfcc = (xfcc: string): Pair =>
  pair(
    readerBehindGateway((gateway) => `Cert="${urlEncodedPem(gateway)}"`),
    readerBehindGateway(() => xfcc),
  );

const PAYMENTS_ENVOY = '/ns/payments/sa/envoy';
const REPORTS_ENVOY = '/ns/reports/sa/envoy';

/** Two Envoys ask about one host: the one that is bound to it, and another. */
const unbound: Scene = {
  play: async () => {
    const peers = [workload(PAYMENTS_ENVOY), { id: workload(REPORTS_ENVOY), hosts: ['reports.internal'] }];
    const world = await startTlsWorld({ peers });
    const send = async (envoy: string): Promise<Answer> => {
      const port = world.as(world.svid(envoy));
      try {
        return await port.send(agentByTxn({}, REPORT)(world));
      } finally {
        port.close();
      }
    };
    try {
      return { good: await send(REPORTS_ENVOY), bad: await send(PAYMENTS_ENVOY) };
    } finally {
      await world.stop();
    }
  },
};

export const request: Family<'request'> = {
  request_malformed: wrong({ wire: (message) => message.subarray(0, -1) }),
  request_without_http: wrong({ attributes: { request: {} } }),
  request_method_malformed: wrong({ method: 'get' }),
  request_connect: wrong({ method: 'CONNECT' }),
  request_scheme_unknown: wrong({ scheme: 'ftp' }),
  request_host_malformed: wrong({ host: 'user@payments.internal' }),
  request_path_asterisk: wrong({ method: 'OPTIONS', path: '*' }),
  request_path_not_absolute: wrong({ path: 'api/invoices/42' }),
  request_path_malformed: wrong({ path: '/api/invoices/%zz' }),
  request_path_ambiguous: wrong({ path: '/api/status/..%2finvoices/42' }),
  request_target_ambiguous: wrong({ headers: { ':path': '/api/status' } }),
  request_headers_malformed: wrong({ headers: { 'X-Upper': '1' } }),
  request_headers_filtered: wrong({ http: { header_map: { headers: [] } } }),
  request_headers_too_large: wrong({ headers: { 'x-long': 'a'.repeat(128 * 1024) } }),
  request_too_large: wrong({ http: { body: 'a'.repeat(256 * 1024) } }),
  request_header_override: wrong({ headers: { 'x-http-method-override': 'DELETE' } }),
  request_query_override: wrong({ path: '/api/invoices/42?_method=DELETE' }),
  request_header_underscore: wrongHeader({ x_task_id: 't-1' }),
  request_header_repeated: wrongHeader({ 'x-task-id': ['t-42', 't-42'] }),
  request_header_unclean: wrongHeader({ 'x-task-id': Buffer.from([0x74, 0x2d, 0x31, 0xf1]) }),
  request_header_not_a_number: pair(
    ledgerReads({ headers: { 'x-amount': '16' } }),
    ledgerReads({ headers: { 'x-amount': '0x10' } }),
  ),
  request_xfcc_malformed: wrongXfcc('Subject="CN=gateway'),
  request_xfcc_json: wrongXfcc('[{"uri":"spiffe://prod.example/ns/edge/sa/gateway"}]'),
  request_xfcc_mode: pair(
    readerBehindGateway((gateway) => `Cert="${urlEncodedPem(gateway)}"`),
    readerBehindGateway((gateway) => `URI=spiffe://prod.example/admin,Cert="${urlEncodedPem(gateway)}"`),
  ),
  request_host_not_served: pair(agentByTxn({}, REPORT), agentByTxn({}, { host: 'reports.internal', path: '/q3' })),
  request_host_not_bound: unbound,
  request_host_unknown: pair(
    agentByTxn({}, REPORT),
    agentByTxn({}, { host: 'other.internal', path: '/q3', route: { host: 'other.internal' } }),
  ),
  request_upgrade_method: pair(
    ledgerReads({ headers: { upgrade: 'websocket' } }),
    ledgerReads({ method: 'DELETE', headers: { upgrade: 'websocket' } }),
  ),
  request_method_not_allowed: pair(
    ledgerReads({ method: 'GET', path: '/api/status' }),
    ledgerReads({ method: 'POST', path: '/api/status' }),
  ),
};
