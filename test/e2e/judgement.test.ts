import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Issued, TestCa } from '../support/ca.ts';
import { type Answer, type Ask, ask, askHttp2, websocketHeaders } from '../support/client.ts';
import { Estate, PAYMENTS, TRUST_DOMAIN, workload } from '../support/estate.ts';

/**
 * The sidecar's own judgement, through a real Envoy that lets every certificate and every Host through. Each denial
 * stands beside the positive control from which it differs in one thing.
 */

const LEDGER = '/ns/payments/sa/ledger';
const AGENT = '/ns/agents/sa/billing-agent';
const INVOICE = '/api/invoices/42';
const HOUR = 3_600_000;
const declared = { 'x-task-id': 't-42', 'x-task-purpose': 'reconcile-invoices' };

let estate: Estate;
let ledger: Issued;

before(async () => {
  estate = await Estate.start({ envoy: 'test-permissive' });
  ledger = estate.svid(LEDGER);
});
after(() => estate?.stop());

test('an SVID of our CA, whose workload a policy permits, reaches the service', async () => {
  await assertAllowed({ svid: ledger, path: INVOICE });
});

test('an SVID of another CA is refused', async () => {
  const other = TestCa.root(TRUST_DOMAIN, { subject: 'another' }).svid(workload(LEDGER));
  await assertDenied({ svid: other, path: INVOICE }, 403, 'identity_svid_issuer_unknown');
  const sameName = TestCa.root(TRUST_DOMAIN).svid(workload(LEDGER));
  await assertDenied({ svid: sameName, path: INVOICE }, 403, 'identity_svid_signature');
});

test('an expired SVID is refused', async () => {
  const svid = estate.svid(LEDGER, { notBefore: estate.ca.now - 2 * HOUR, notAfter: estate.ca.now - HOUR });
  await assertDenied({ svid, path: INVOICE }, 403, 'identity_svid_expired');
});

test('an SVID of our CA with an id of another trust domain is refused', async () => {
  const svid = estate.ca.svid(`spiffe://partner.example${LEDGER}`);
  await assertDenied({ svid, path: INVOICE }, 403, 'identity_trust_domain_unknown');
});

test('an SVID with two URI names is refused', async () => {
  const svid = estate.ca.issue({ uris: [workload(LEDGER), workload(AGENT)] });
  await assertDenied({ svid, path: INVOICE }, 403, 'identity_svid_uri_count');
});

test('no certificate is refused', async () => {
  await assertDenied({ svid: null, path: INVOICE }, 401, 'identity_token_missing');
});

test('a workload that the inventory does not know is refused', async () => {
  await assertDenied({ svid: estate.svid('/ns/shadow/sa/forgotten'), path: INVOICE }, 403, 'caller_unregistered');
});

test('a declared task reaches public data, and confidential data only with proof', async () => {
  const svid = estate.svid(AGENT);
  await assertAllowed({ svid, path: '/api/status', headers: declared });
  await assertDenied({ svid, path: INVOICE, headers: declared }, 403, 'policy_forbidden');
});

test('a host that this Envoy does not serve is refused', async () => {
  await assertDenied({ svid: ledger, path: INVOICE, host: 'other.internal' }, 400, 'request_host_not_served');
});

test('a WebSocket upgrade is a write: who may only read cannot open one', async () => {
  const upgrade = { path: INVOICE, headers: websocketHeaders };
  assert.equal((await send({ svid: ledger, ...upgrade })).status, 101);
  const reader = estate.svid('/ns/support/sa/reader');
  await assertAllowed({ svid: reader, path: INVOICE });
  await assertDenied({ svid: reader, ...upgrade }, 403, 'policy_no_permit');
});

test('no other method hides behind an upgrade', async () => {
  for (const method of ['DELETE', 'POST', 'PUT', 'PATCH']) {
    const hidden = { svid: ledger, method, path: INVOICE, headers: websocketHeaders };
    await assertDenied(hidden, 400, 'request_upgrade_method');
  }
});

test('a restricted write needs an approval', async () => {
  await assertAllowed({ svid: ledger, path: '/api/refunds' });
  await assertDenied({ svid: ledger, method: 'POST', path: '/api/refunds' }, 403, 'approval_required');
});

test('the service sees the proven caller, whatever the client wrote', async () => {
  const lies = { 'x-authz-caller': workload('/admin'), 'x-authz-task': 'forged', 'x-authz-anything': 'forged' };
  const seen = await assertAllowed({ svid: ledger, path: INVOICE, headers: lies });
  const ours = seen.headers.filter(([name]) => name.startsWith('x-authz-'));
  assert.deepEqual(ours.map(([name]) => name).sort(), ['x-authz-caller', 'x-authz-decision']);
  assert.deepEqual(
    ours.filter(([name]) => name === 'x-authz-caller'),
    [['x-authz-caller', workload(LEDGER)]],
  );
});

test('a gRPC caller gets the denial as a status of its own', async () => {
  const call = { port: estate.envoy.port, host: PAYMENTS, path: '/api/search' };
  const headers = { 'content-type': 'application/grpc', te: 'trailers' };
  const { headers: denied } = await askHttp2({ ...call, svid: estate.svid(AGENT), headers });
  assert.equal(denied[':status'], 200);
  assert.equal(denied['grpc-status'], '7');
  const { headers: allowed } = await askHttp2({ ...call, svid: ledger, headers });
  assert.equal(allowed['grpc-status'], undefined);
  assert.equal(estate.upstream.seen.at(-1)?.url, '/api/search');
});

test('a WebSocket over HTTP/2 (extended CONNECT) is a write too', async () => {
  const headers = { ':protocol': 'websocket', ':scheme': 'https' };
  const call = { port: estate.envoy.port, host: PAYMENTS, method: 'CONNECT', path: INVOICE, headers };
  const { headers: denied } = await askHttp2({ ...call, svid: estate.svid('/ns/support/sa/reader') });
  assert.equal(denied[':status'], 403);
  assert.equal(estate.sidecar.audit().at(-1)?.reason, 'policy_no_permit');
  assert.equal(estate.sidecar.audit().at(-1)?.action, 'CONNECT');
});

test('a header name with underscores never gets past Envoy', async () => {
  const answer = await send({ svid: ledger, path: INVOICE, headers: { x_authz_caller: workload('/admin') } });
  assert.equal(answer.status, 400);
});

test('an escaped slash never gets past Envoy', async () => {
  assert.equal((await send({ svid: ledger, path: '/api/status/..%2finvoices/42' })).status, 400);
});

test('the decision id of a denial finds its line in the access log and in the audit', async () => {
  const { decision } = await send({ svid: null, path: INVOICE });
  const audit = estate.sidecar.auditOf(decision);
  assert.equal(audit.reason, 'identity_token_missing');
  const access = await estate.envoy.accessLine((line) => line.decision === decision);
  assert.equal(access.details, 'ext_authz_denied');
  assert.equal(access.reason, 'identity_token_missing');
  assert.equal(access.audit_seq, audit.seq);
  assert.match(String(access.audit_hash), /^(sha256:)?[0-9a-f]{64}$/);
});

type Request = Omit<Ask, 'port' | 'host'> & { readonly host?: string };

function send(request: Request): Promise<Answer> {
  return ask({ host: PAYMENTS, ...request, port: estate.envoy.port });
}

/** Sends it; the answer is an allow, and the service saw the request once. */
async function assertAllowed(request: Request) {
  const before = estate.upstream.seen.length;
  const answer = await send(request);
  assert.equal(answer.status, 200, answer.body);
  const seen = estate.upstream.seen.slice(before);
  assert.equal(seen.length, 1);
  const decision = seen[0]!.headers.find(([name]) => name === 'x-authz-decision')?.[1] ?? null;
  assert.equal(estate.sidecar.auditOf(decision).result, 'allow');
  return seen[0]!;
}

/** Sends it; the answer is a denial with this reason, the audit says the same, and the service saw nothing. */
async function assertDenied(request: Request, status: number, reason: string): Promise<void> {
  const before = estate.upstream.seen.length;
  const answer = await send(request);
  assert.equal(answer.status, status, answer.body);
  assert.equal(answer.reason, reason);
  assert.equal(estate.sidecar.auditOf(answer.decision).reason, answer.reason);
  assert.equal(estate.upstream.seen.length, before);
}
