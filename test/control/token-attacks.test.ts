import assert from 'node:assert/strict';
import { request } from 'node:https';
import { json as jsonOf } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { claimsIn, exchangeForm, formText, startForm, startTokenWorld } from '../support/token-world.ts';
import { until } from '../support/until.ts';
import { workload } from '../support/world.ts';
import { AGENT, ORCHESTRATOR, READER, TOOLS } from '../support/world-asks.ts';

const TRIAGE = '/ns/agents/sa/triage-agent';
const ISSUER = 'urn:cedar-ext-authz:token-service:prod.example';

let world: Awaited<ReturnType<typeof startTokenWorld>>;
before(async () => {
  world = await startTokenWorld();
});
after(() => world?.stop());

/** Sends the head of a `POST`, and its body once that is due. */
async function slowly(by: string, path: string, type: string, body: string, due: () => Promise<unknown>) {
  const { hostname: host, port } = new URL(world.control ?? '');
  const { pem: cert, pkcs8Pem: key } = world.svid(by);
  const headers = { 'content-type': type, 'content-length': Buffer.byteLength(body) };
  const sending = request({
    host,
    port,
    cert,
    key,
    headers,
    path,
    method: 'POST',
    agent: false,
    rejectUnauthorized: false,
  });
  const answered = new Promise<Record<string, unknown>>((resolve, reject) => {
    sending.once('error', reject);
    sending.once('response', (message) => resolve(jsonOf(message) as Promise<Record<string, unknown>>));
  });
  sending.flushHeaders();
  await due();
  sending.end(body);
  return answered;
}

test('a refresh that comes whole after the lease revives nothing, whenever its head came', async () => {
  const form = 'application/x-www-form-urlencoded';
  const token = await world.granted(AGENT, startForm(AGENT, { lease: 2 }));
  const leaseUntil = () => world.tasks.lookup.find(ISSUER, String(claimsIn(token).txn))?.leaseUntilMs ?? 0;
  const first = leaseUntil();
  const nearTheEnd = () => until('the last second of the lease', async () => Date.now() > first - 1000 || null);
  await nearTheEnd();
  const late = await slowly(AGENT, '/token', form, formText(exchangeForm(token)), () =>
    until('the end of the lease', async () => Date.now() > first || null),
  );
  assert.deepEqual([late.code, late.access_token, leaseUntil()], ['task_over', undefined, first]);
});

test('who is revoked while its call comes slowly is refused as if it came at once', async () => {
  const body = JSON.stringify({
    workload: workload(TOOLS),
    reason: 'x',
    until: new Date(Date.now() + 60_000).toISOString(),
  });
  const due = async () => {
    const order = {
      id: 'slow',
      workload: workload(TRIAGE),
      reason: 'a test',
      until: new Date(Date.now() + 60_000).toISOString(),
    };
    const made = await world.ask({ method: 'POST', path: '/revocations', svid: world.svid(TOOLS), body: order });
    assert.equal(made.status, 201);
    const since = Date.now();
    await until('a while', async () => Date.now() > since + 800 || null);
  };
  const answer = await slowly(TRIAGE, '/revocations', 'application/json', body, due);
  assert.equal(answer.code, 'revoked_workload');
});

test('no lifetime is longer than policies permit, not by a part of a second', async () => {
  await world.granted(AGENT, startForm(AGENT, { lifetime: 3600 }));
  const { json } = await world.requestToken(world.svid(AGENT), startForm(AGENT, { lifetime: 3601 }));
  assert.equal(json.error, 'unauthorized_client');
});

test('whether the inventory has an actor or a purpose, only those learn who may name it', async () => {
  const trying = async (by: string, details: object, more: Record<string, string> = {}) =>
    (await world.requestToken(world.svid(by), startForm(by, details, more))).json;
  const refused = async (details: object, more?: Record<string, string>) => {
    const { decision, ...said } = await trying(READER, details, more);
    return said;
  };
  const known = await refused({});
  assert.equal(known.error, 'unauthorized_client');
  assert.deepEqual(await refused({ purpose: 'party' }), known);
  for (const actor of [workload(AGENT), workload('/nobody')]) assert.deepEqual(await refused({}, { actor }), known);
  const broad = `@id("orchestrator-may") permit (principal == Control::Workload::"${workload(ORCHESTRATOR)}",
    action in [Control::Action::"start", Control::Action::"handOn"], resource);
    @id("guests-may") permit (principal in Control::TrustDomain::"partner.example", action == Control::Action::"start", resource);`;
  const open = await startTokenWorld({ policies: broad });
  try {
    const asked = async (form: ReturnType<typeof startForm>) =>
      (await open.requestToken(open.svid(ORCHESTRATOR), form)).json.error_description;
    await open.granted(ORCHESTRATOR, startForm(ORCHESTRATOR, {}, { actor: workload(READER) }));
    const stranger = startForm(ORCHESTRATOR, {}, { actor: workload('/nobody') });
    assert.equal(await asked(stranger), 'the inventory has no such actor');
    assert.equal(await asked(startForm(ORCHESTRATOR, { purpose: 'party' })), 'the inventory has no such purpose');
    // Of another trust domain, for which no reader takes a token.
    const guest = 'spiffe://partner.example/ns/shop/sa/cart';
    const form = startForm(ORCHESTRATOR, {}, { subject_token: JSON.stringify({ sub: guest }) });
    const { json } = await open.requestToken(open.keys.partnerCa.svid(guest), form);
    assert.match(String(json.error_description), /^the certificate is of another trust domain/);
  } finally {
    await open.stop();
  }
});

test('no token goes out that no reader takes; the audit has all that is in one, and what its task may use up', async () => {
  const resources = (count: number) =>
    Array.from({ length: count }, (_, at) => ({ api: `api-${at}`, parameters: { id: 'x'.repeat(250) } }));
  const good = { resources: resources(16), lease: 60, budgets: { calls: 3 } };
  const { json, line } = await world.requestToken(world.svid(AGENT), startForm(AGENT, good));
  await world.granted(AGENT, exchangeForm(String(json.access_token)));
  const { resources: about, leaseSeconds, budgets } = line!.about as Record<string, unknown>;
  assert.deepEqual([about, leaseSeconds, budgets], [good.resources, 60, { calls: 3, writes: null, resources: null }]);
  const began = world.tasks.lookup.size;
  const many = resources(16).map(({ api }) => ({
    api,
    parameters: Object.fromEntries(Array.from({ length: 4 }, (_, at) => [`p${at}`, 'x'.repeat(250)])),
  }));
  const answer = await world.requestToken(world.svid(AGENT), startForm(AGENT, { resources: many }));
  assert.deepEqual([answer.status, answer.json.error, world.tasks.lookup.size], [400, 'invalid_request', began]);
});
