import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ApprovalBook, ApprovalRequest } from '../../src/state/approvals/book.ts';
import type { Issued } from '../support/ca.ts';
import { type Answer, type Ask, ask, askHttp2 } from '../support/client.ts';
import { Estate, PAYMENTS, workload } from '../support/estate.ts';
import { noRedis, Redis } from '../support/redis.ts';
import { openApprovals } from '../support/redis-approvals.ts';
import { signs } from '../support/redis-books.ts';
import { storeOptions } from '../support/redis-states.ts';
import { consentTo } from '../support/refunds.ts';
import { until } from '../support/until.ts';

/** What a client behind a real Envoy sees of an approval, from the denial to the request that passes. */

const skip = noRedis;
const BODY = '{"invoice":42,"amount":120,"note":"b\u00fccher"}';

let redis: Redis;
let estate: Estate;
let ledger: Issued;
let people: Awaited<ReturnType<typeof openApprovals>>;

before(async () => {
  if (skip) return;
  redis = await Redis.start();
  await redis.age('default');
  people = await openApprovals(storeOptions(redis, { namespace: 'default' }), signs);
  estate = await Estate.start({
    envoy: 'uds',
    prepare: (dir) => {
      writeFileSync(join(dir, 'orders.pem'), signs.trusted[0]!.export({ type: 'spki', format: 'pem' }));
      return {
        state: { store: 'redis', url: `redis://127.0.0.1:${redis.port}`, timeout: '5s' },
        control: { trustedKeys: ['orders.pem'], url: 'https://control.internal:9443' },
      };
    },
  });
  ledger = estate.svid('/ns/payments/sa/ledger');
});
after(async () => {
  await estate?.stop();
  await people?.stop();
  await redis?.remove();
});

const refund = (over: Partial<Ask> = {}): Promise<Answer> =>
  ask({
    port: estate.envoy.port,
    svid: ledger,
    host: PAYMENTS,
    method: 'POST',
    path: '/api/refunds?dry=false',
    headers: { 'content-type': 'application/json' },
    body: BODY,
    ...over,
  });

/** The request that a denial speaks of, where people decide. */
async function requestOf(body: string, book: ApprovalBook = people.book): Promise<ApprovalRequest> {
  const { reason, approval } = JSON.parse(body) as { reason: string; approval?: { id: string } };
  assert.equal(reason, 'approval_required', body);
  assert.ok(approval, body);
  return await until('the request', () => book.find(approval.id));
}

async function grant(request: ApprovalRequest): Promise<void> {
  assert.equal((await people.book.grant(consentTo(request), Date.now())).result, 'stored');
}

test('a refund is denied, granted, and passes once: the very request, and no other', { skip }, async () => {
  const denied = await refund();
  assert.equal(denied.status, 403);
  assert.equal(denied.headers['content-type'], 'application/problem+json');
  assert.equal(denied.headers['retry-after'], '10');
  const request = await requestOf(denied.body);
  const { approval } = JSON.parse(denied.body) as { approval: Record<string, string> };
  assert.deepEqual(approval, {
    id: request.id,
    expires_at: new Date(request.askUntilMs).toISOString(),
    status_url: `https://control.internal:9443/approvals/${request.id}`,
  });
  const { caller, path, query, contentType, body } = request.order;
  assert.deepEqual(
    { caller, path, query, contentType },
    {
      caller: workload('/ns/payments/sa/ledger'),
      path: '/api/refunds',
      query: 'dry=false',
      contentType: 'application/json',
    },
  );
  assert.equal(body?.shown, BODY);
  assert.equal(estate.upstream.seen.length, 0);

  await grant(request);
  for (const over of [
    { body: BODY.replace('120', '121') },
    { path: '/api/refunds' },
    { headers: { 'content-type': 'text/plain' } },
    { svid: estate.svid('/ns/agents/sa/billing-agent') },
  ])
    assert.equal((await refund(over)).status, 403, JSON.stringify(over));
  assert.equal(estate.upstream.seen.length, 0);

  // Headers that nobody reads may change, and so may how the body is sent.
  const passed = await until('the grant', async () => {
    const answer = await refund({ headers: { 'content-type': 'application/json', 'x-request-id': 'another' } });
    return answer.status === 200 ? answer : null;
  });
  assert.equal(passed.status, 200);
  assert.equal(estate.upstream.seen.length, 1);
  const second = await requestOf((await refund()).body);
  assert.notEqual(second.id, request.id);
  assert.equal(second.order.digest, request.order.digest);
  assert.equal(estate.upstream.seen.length, 1);
});

test('a gRPC caller gets the same as a status of its own, with the id', { skip }, async () => {
  const headers = { 'content-type': 'application/grpc', te: 'trailers' };
  const { headers: denied } = await askHttp2({
    port: estate.envoy.port,
    svid: ledger,
    host: PAYMENTS,
    path: '/api/refunds',
    headers,
  });
  assert.equal(denied[':status'], 200);
  assert.equal(denied['grpc-status'], '7');
  assert.equal(denied['retry-after'], '10');
  const request = await requestOf(decodeURIComponent(String(denied['grpc-message'])));
  assert.equal(request.order.body, null);
});
