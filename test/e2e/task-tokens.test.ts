import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { CheckResponseMessage } from '../../src/envoy/api.ts';
import { bundleDocument, urlEncodedPem } from '../support/ca.ts';
import { CheckClient } from '../support/check-client.ts';
import { checkBytes } from '../support/check-request.ts';
import { PAYMENTS, type Prepare, SidecarEstate, TRUST_DOMAIN, workload } from '../support/estate.ts';
import { proofTime, secondAfterStart } from '../support/proof-time.ts';
import { actClaim, TaskIssuer } from '../support/task-issuer.ts';
import { dpopProof, makeKey, otherSignature, thumbprint } from '../support/tokens.ts';

const AGENT = workload('/ns/agents/sa/billing-agent');
const ORCHESTRATOR = workload('/ns/agents/sa/orchestrator');
const AUDIENCE = workload('/ns/payments/sa/api');
const ORIGIN = 'https://payments.example';
const PATH = '/api/invoices/42';
const URI = ORIGIN + PATH;

const issuer = new TaskIssuer(TRUST_DOMAIN);
const holder = makeKey();
let estate: SidecarEstate;
let client: CheckClient;
let certificates: ReadonlyMap<string, string>;

const prepare: Prepare = (dir, ca) => {
  const inventory = readFileSync(join(dir, 'inventory.yaml'), 'utf8');
  const host = `  - host: ${PAYMENTS}\n`;
  assert.ok(inventory.includes(host));
  if (!inventory.includes('origin:'))
    writeFileSync(join(dir, 'inventory.yaml'), inventory.replace(host, `${host}    origin: ${ORIGIN}\n`));
  const bundle = bundleDocument([ca]);
  writeFileSync(
    join(dir, 'bundle.json'),
    JSON.stringify({ ...bundle, keys: [...bundle.keys, ...issuer.bundleKeys()] }),
  );
  // A busy machine takes its time, and none of the tests is about how long.
  return { task: { ...issuer.configure(dir), dpop: { maxAge: '10m' } } };
};

before(async () => {
  estate = await SidecarEstate.start({ prepare });
  certificates = new Map([AGENT, ORCHESTRATOR].map((id) => [id, urlEncodedPem(estate.ca.svid(id))]));
  await secondAfterStart();
  client = new CheckClient(estate.sidecar.check);
});

after(async () => {
  client.close();
  await estate.stop();
});

interface Asked {
  readonly caller?: string;
  readonly method?: string;
  readonly path?: string;
  readonly id?: string;
  readonly headers: Readonly<Record<string, string>>;
}

function message({ caller = AGENT, method = 'GET', path = PATH, id = randomUUID(), headers }: Asked): Uint8Array {
  const source = { principal: caller, certificate: certificates.get(caller) ?? '' };
  return checkBytes({ method, path, host: PAYMENTS, headers, http: { id }, attributes: { source } });
}

/** `permitted`, or the reason of the denial. */
const reasonOf = ({ status }: CheckResponseMessage): string => status.message ?? '';
const ask = async (asked: Asked) => reasonOf(await client.check(message(asked)));

test('a task token opens to its holder what a declared task does not', async () => {
  assert.equal(await ask({ headers: { 'txn-token': issuer.txnToken({ workload: AGENT }) } }), 'permitted');
  const bearer = `Bearer ${issuer.accessToken(AUDIENCE, { workload: AGENT })}`;
  assert.equal(await ask({ headers: { authorization: bearer } }), 'permitted');
  const svid = `Bearer ${issuer.jwtSvid(AUDIENCE, { workload: AGENT })}`;
  assert.equal(await ask({ headers: { authorization: svid } }), 'permitted');
  const said = { 'x-task-id': 't-42', 'x-task-purpose': 'reconcile-invoices' };
  assert.equal(await ask({ headers: said }), 'policy_forbidden');
  assert.equal(await ask({ caller: ORCHESTRATOR, headers: { authorization: bearer } }), 'task_of_another');
});

test('every hop of a chain is judged: an orchestrator causes an access, and cannot make it', async () => {
  const claims = { act: actClaim([ORCHESTRATOR, AGENT]) };
  const handedOn = issuer.txnToken({ workload: AGENT, mutation: { claims } });
  assert.equal(await ask({ headers: { 'txn-token': handedOn } }), 'permitted');
  const own = issuer.txnToken({ workload: ORCHESTRATOR });
  assert.match(await ask({ caller: ORCHESTRATOR, headers: { 'txn-token': own } }), /^policy_/);
  const ledger = workload('/ns/support/sa/reader');
  const without = issuer.txnToken({
    workload: AGENT,
    mutation: { claims: { act: actClaim([ledger, ORCHESTRATOR, AGENT]) } },
  });
  assert.match(await ask({ headers: { 'txn-token': without } }), /^policy_/);
});

test('a token with other scopes is denied, and told which would do', async () => {
  const token = issuer.accessToken(AUDIENCE, { workload: AGENT, scope: 'refunds' });
  const response = await client.check(message({ headers: { authorization: `Bearer ${token}` } }));
  assert.equal(reasonOf(response), 'policy_forbidden');
  const header = response.denied_response?.headers.find(({ header: one }) => one?.key === 'www-authenticate');
  assert.equal(header?.header?.value, 'Bearer error="insufficient_scope", scope="invoices"');
});

function dpopHeaders(uri = URI): Record<string, string> {
  const cnf = { jkt: thumbprint(holder) };
  const token = issuer.accessToken(AUDIENCE, { workload: AGENT, mutation: { claims: { cnf } } });
  return {
    authorization: `DPoP ${token}`,
    dpop: dpopProof({ key: holder, method: 'GET', uri, accessToken: token, now: proofTime() }),
  };
}

test('a proof works once, in whatever spelling; Envoy’s retry of the same Check gets the same answer', async () => {
  const headers = dpopHeaders();
  const first = message({ headers });
  assert.equal(reasonOf(await client.check(first)), 'permitted');
  assert.equal(reasonOf(await client.check(first)), 'permitted');
  assert.equal(await ask({ headers }), 'task_proof_replayed');
  assert.equal(await ask({ headers: { ...headers, dpop: otherSignature(headers.dpop ?? '') } }), 'task_proof_replayed');
});

test('a denied request uses up nothing', async () => {
  const headers = dpopHeaders(`${ORIGIN}/api/refunds`);
  for (let i = 0; i < 2; i++) assert.match(await ask({ path: '/api/refunds', headers }), /^policy_/);
});

test('of five hundred concurrent uses of one proof, one is permitted', async () => {
  const headers = { ...dpopHeaders(), 'x-request-id': 'one' };
  const outcomes: string[] = [];
  for (let round = 0; round < 5; round++)
    outcomes.push(...(await Promise.all(Array.from({ length: 100 }, () => ask({ headers })))));
  assert.equal(outcomes.filter((outcome) => outcome === 'permitted').length, 1);
  assert.equal(outcomes.filter((outcome) => outcome === 'task_proof_replayed').length, 499);
});

test('a WIT and its WPT over a Transaction Token work once', async () => {
  const txnToken = issuer.txnToken({ workload: AGENT });
  const headers = {
    'txn-token': txnToken,
    ...issuer.workloadProof({ workload: AGENT, key: holder, uri: URI, txnToken, now: proofTime() }),
  };
  assert.equal(await ask({ headers }), 'permitted');
  assert.equal(await ask({ headers }), 'task_wpt_replayed');
});
