import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { bothForms } from '../support/check-request.ts';
import { decodeResponse } from '../support/golden-wire.ts';
import { oidcToken } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import { type Answer, type Ask, World, workload } from '../support/world.ts';
import {
  AGENT,
  agentByTxn,
  bearer,
  CI,
  deployByToken,
  INVOICE,
  LEDGER,
  ledgerReads,
  ledgerShows,
  READER,
} from '../support/world-asks.ts';

/** Faults in the reading of requests, each as the request that showed it, on a connection that goes on. */

let world: World;

before(async () => {
  world = await World.start();
});
after(() => world?.stop());
afterEach(async () => {
  assert.equal((await ledger()).reason, 'permitted', 'the next request on the same connection');
});

const ledger = (over: Partial<Ask> = {}): Promise<Answer> => world.send(ledgerReads(over)(world));
const reason = async (over: Partial<Ask>): Promise<string> => (await ledger(over)).reason;

const declared = { 'x-task-id': 't-1', 'x-task-purpose': 'reconcile-invoices' };

test('B02: raw headers are the same request', async () => {
  const secret = { 'x-data-class': 'secret' };
  for (const form of bothForms) {
    assert.equal(await reason({ form, headers: declared }), 'permitted');
    assert.equal(await reason({ form, headers: { ...declared, ...secret } }), 'policy_forbidden');
    const twice = { authorization: ['Bearer a', 'Bearer b'] };
    assert.equal(await reason({ form, headers: twice }), 'request_header_repeated');
  }
});

test('B03: bytes that are no text refuse where they decide, and nowhere else', async () => {
  const broken = Buffer.from([0x74, 0x2d, 0x31, 0xf1]);
  for (const form of bothForms) {
    for (const name of ['x-task-id', 'x-data-class', 'authorization', 'txn-token']) {
      const headers = { ...declared, [name]: broken };
      assert.equal(await reason({ form, headers }), 'request_header_unclean', `${name} in ${form}`);
    }
    assert.equal(await reason({ form, headers: { ...declared, 'x-comment': broken } }), 'permitted');
  }
  assert.equal(
    await reason({ form: 'headers', headers: { ...declared, 'x-task-id': 't-1!' } }),
    'request_header_unclean',
  );
});

test('B05: a check without an HTTP request is refused, and so are CONNECT and the target *', async () => {
  const empty = decodeResponse(await world.call(new Uint8Array()));
  assert.equal(empty.status?.message, 'request_without_http');
  assert.equal(await reason({ attributes: { request: {} } }), 'request_without_http');
  assert.equal(await reason({ method: 'CONNECT', path: '' }), 'request_connect');
  assert.equal(await reason({ method: 'OPTIONS', path: '*' }), 'request_path_asterisk');
});

test('B06: a bad escape in the path is refused, and one in the query is the application’s business', async () => {
  assert.equal(await reason({ path: '/%zz' }), 'request_path_malformed');
  assert.equal(await reason({ path: '/50%' }), 'request_path_malformed');
  assert.equal(await reason({ path: '/api/invoices/42%0A' }), 'request_path_ambiguous');
  assert.equal(await reason({ path: `${INVOICE}?q=%0A` }), 'permitted');
  assert.equal(await reason({ path: `${INVOICE}?q=%zz` }), 'permitted');
});

test('B09: a caller is who he proves to be, whatever he says in headers', async () => {
  const said = {
    'x-agent-id': workload(LEDGER),
    'x-authz-caller': workload(LEDGER),
    'x-authz-task': 't-42',
    'x-forwarded-client-cert': `URI=${workload(LEDGER)}`,
  };
  const ask = { svid: world.svid(READER), path: INVOICE, headers: said };
  const answer = await world.send(ask);
  assert.equal(answer.audit.caller?.id, workload(READER));
  const { headers, remove } = answer.wire.ok!;
  assert.deepEqual(
    headers.filter(({ key }) => key === 'x-authz-caller').map(({ value }) => value),
    [workload(READER)],
  );
  assert.ok(remove.includes('x-authz-task'), 'there is no task, so the header is taken away');
  assert.equal((await world.send({ ...ask, method: 'DELETE' })).reason, 'policy_no_permit');
});

test('B09: a real task of another agent is of no use', async () => {
  const thief = { svid: world.svid('/ns/agents/sa/triage-agent') };
  assert.equal((await world.send(agentByTxn()(world))).reason, 'permitted');
  assert.equal((await world.send(agentByTxn({}, thief)(world))).reason, 'task_of_another');
  const named = { claims: { req_wl: workload('/ns/agents/sa/triage-agent'), sub: workload(AGENT) } };
  assert.equal((await world.send(agentByTxn(named, thief)(world))).reason, 'task_of_another');
});

test('B20: the identity is the one URI name of the certificate, and Envoy must say the same', async () => {
  const other = 'https://ca.example/x';
  const uris = async (names: readonly string[], principal = '') => {
    const shown = ledgerShows(({ keys: { ca } }) => ({ leaf: ca.issue({ uris: names }) }))(world);
    return (await world.send({ ...shown, principal })).reason;
  };
  assert.equal(await uris([workload(LEDGER)], workload(LEDGER)), 'permitted');
  assert.equal(await uris([other, workload(LEDGER)], other), 'identity_svid_uri_count');
  assert.equal(await uris([workload(LEDGER), workload(READER)]), 'identity_svid_uri_count');
  assert.equal(await uris([other], other), 'identity_spiffe_id_malformed');
  assert.equal(await uris([workload(LEDGER)], workload(READER)), 'identity_principal_mismatch');
});

test('a name with underscores that a service may read as one that decides refuses, alone too', async () => {
  for (const twin of ['x_task_id', 'x_task-id', 'x_data_class', 'txn_token', 'x-authz_task']) {
    for (const beside of [{}, { ...declared, 'x-data-class': 'open' }]) {
      assert.equal(await reason({ headers: { ...beside, [twin]: 't-admin' } }), 'request_header_underscore', twin);
    }
  }
  assert.equal(await reason({ headers: { x_comment: 'a' } }), 'permitted');
});

test('S3: two requests that differ in anything are two decisions', async () => {
  const base = { id: 'one-and-the-same', headers: declared };
  const [first, again] = [await ledger(base), await ledger(base)];
  assert.notEqual(first.decision, again.decision);
  const facts = async (over: Partial<Ask>) =>
    (await ledger({ ...base, ...over })).audit.facts as { readonly [name: string]: unknown };
  assert.equal(
    (await facts({ path: `${INVOICE}?all` })).query,
    `sha256:${createHash('sha256').update('all').digest('hex')}`,
  );
  assert.deepEqual((await facts({ headers: { ...declared, 'x-task-id': 't-2' } })).declared, {
    id: 't-2',
    purpose: 'reconcile-invoices',
  });
  assert.equal(await reason({ ...base, headers: { ...declared, 'x-data-class': 'secret' } }), 'policy_forbidden');
  assert.equal(await reason({ ...base, method: 'POST', path: '/api/refunds' }), 'approval_required');
  assert.equal(await reason({ ...base, svid: world.svid('/ns/batch/sa/month-end') }), 'policy_no_permit');
});

test('S3: an allow does not outlive the policy that gave it', async () => {
  const own = await World.start();
  try {
    const send = async () => (await own.send({ ...ledgerReads()(own), id: 'one-and-the-same' })).reason;
    assert.equal(await send(), 'permitted');
    const all = '@id("closed") forbid (principal, action, resource);';
    writeFileSync(join(own.folder, 'policies', 'closed.cedar'), all);
    const after = await until('the new policy', async () => {
      const now = await send();
      return now === 'permitted' ? null : now;
    });
    assert.equal(after, 'policy_forbidden');
  } finally {
    await own.stop();
  }
});

test('S4: names match exactly, and are never text of a policy', async () => {
  const subject = async (sub: string) => {
    const frame = { key: world.keys.ci, now: Date.now(), iss: CI, sub, aud: 'prod.example' };
    return (await world.send({ ...deployByToken()(world), headers: bearer(oidcToken(frame)) })).reason;
  };
  assert.equal(await subject('repo:shop/deploy:ref:main'), 'permitted');
  const strange = ['" || true', '\\', '\u0000', ' ', '\u0301'].map((end) => `repo:shop/deploy:ref:main${end}`);
  for (const sub of [...strange, 'repo:shop/deploy', 'repo:shop/deploy:ref:*', 'REPO:shop/deploy:ref:main']) {
    assert.equal(await subject(sub), 'caller_unregistered', JSON.stringify(sub));
  }
  const invoice = await ledger({ path: '/api/invoices/42%22%20%7C%7C%20true' });
  assert.equal(invoice.reason, 'permitted');
  assert.equal((invoice.audit.resource as { id: string }).id, 'payments.internal/api/invoices/42" || true');
  for (const value of ['secret" || true', 'SECRET', 'secret ', 'se\u0301cret']) {
    assert.equal(await reason({ headers: { 'x-data-class': value } }), 'permitted', JSON.stringify(value));
  }
});
