import assert from 'node:assert/strict';
import { request } from 'node:https';
import { json as jsonOf } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { claimsIn, exchangeForm, formText, startForm, startTokenWorld } from '../support/token-world.ts';
import { until } from '../support/until.ts';
import { workload } from '../support/world.ts';
import { AGENT, READER, TOOLS } from '../support/world-asks.ts';

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
      workload: workload(READER),
      reason: 'a test',
      until: new Date(Date.now() + 60_000).toISOString(),
    };
    const made = await world.ask({ method: 'POST', path: '/revocations', svid: world.svid(TOOLS), body: order });
    assert.equal(made.status, 201);
    const since = Date.now();
    await until('a while', async () => Date.now() > since + 800 || null);
  };
  const answer = await slowly(READER, '/revocations', 'application/json', body, due);
  assert.equal(answer.code, 'revoked_workload');
});

test('no lifetime is longer than policies permit, not by a part of a second', async () => {
  await world.granted(AGENT, startForm(AGENT, { lifetime: 3600 }));
  const { json } = await world.requestToken(world.svid(AGENT), startForm(AGENT, { lifetime: 3601 }));
  assert.equal(json.error, 'unauthorized_client');
});
