import type { Issued, TestCa } from '../support/ca.ts';
import { checkBytes, type RequestShape } from '../support/check-request.ts';
import { PAYMENTS, workload } from '../support/estate.ts';
import { connectionOf, usualHeaders } from '../support/load.ts';
import type { TaskIssuer } from '../support/task-issuer.ts';
import { dpopProof, makeKey, thumbprint } from '../support/tokens.ts';

export const LEDGER = workload('/ns/payments/sa/ledger');
export const AGENT = workload('/ns/agents/sa/billing-agent');
export const INVOICE = '/api/invoices/42';
export const ORIGIN = `https://${PAYMENTS}`;
const AUDIENCE = workload('/ns/payments/sa/api');

/** The headers that a browserless client sends through Envoy, beside its credentials. */
const headersOf = (more: Readonly<Record<string, string>>) => ({
  ...usualHeaders,
  'x-request-id': '5d9f3b0e-7a53-4f0e-9b6b-0a8f3b5b2f10',
  'x-forwarded-for': '10.1.2.3',
  'x-envoy-external-address': '10.1.2.3',
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  'content-type': 'application/json',
  ...more,
});

/** The CheckRequest of a read by a workload. */
export function request(
  id: string,
  svid: Issued,
  headers: Readonly<Record<string, string>> = {},
  shape: RequestShape = {},
): Uint8Array {
  return checkBytes({ path: INVOICE, headers: headersOf(headers), attributes: connectionOf(id, svid), ...shape });
}

/** How a request is written: Heimdall reads headers in the map only. */
type Form = Pick<RequestShape, 'form'>;

/** Makes the messages of every shape; what they prove is made when they are asked for. */
export function messages(ca: TestCa, issuer: TaskIssuer) {
  const [ledger, agent] = [ca.svid(LEDGER), ca.svid(AGENT)];
  const holder = makeKey();
  const token = (mutation = {}): string => issuer.txnToken({ workload: AGENT, mutation });
  return {
    byCertificate: (shape: RequestShape = {}) => request(LEDGER, ledger, {}, shape),
    /** The cost of a new key is the client's, and no certificate is like another without one. */
    byNewCertificate: () => request(LEDGER, ca.svid(LEDGER, { keys: ledger.keys })),
    inTask: (shape: Form = {}) => request(AGENT, agent, { 'txn-token': token() }, shape),
    /** Its signature is another key's. */
    inForgedTask: (shape: Form = {}) =>
      request(AGENT, agent, { 'txn-token': token({ signWith: makeKey('ES256', issuer.keys.tts.kid) }) }, shape),
    /** One access token that is bound to a key, and with each message a new proof by that key. */
    byProofs: (): (() => Uint8Array) => {
      const claims = { cnf: { jkt: thumbprint(holder) } };
      const access = issuer.accessToken(AUDIENCE, { workload: AGENT, scope: 'invoices', mutation: { claims } });
      return () => {
        const proof = dpopProof({
          key: holder,
          now: Date.now(),
          accessToken: access,
          method: 'GET',
          uri: ORIGIN + INVOICE,
        });
        return request(AGENT, agent, { authorization: `DPoP ${access}`, dpop: proof });
      };
    },
    /** The caller in the header in which Envoy forwards it. */
    byHeader: (host: string) =>
      request(
        LEDGER,
        ledger,
        { 'x-forwarded-client-cert': `Hash=${'0'.repeat(64)};URI=${LEDGER}` },
        {
          host,
          form: 'headers',
        },
      ),
  };
}
