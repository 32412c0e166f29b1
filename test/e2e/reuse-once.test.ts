import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { CheckClient } from '../support/check-client.ts';
import { checkBytes, type RequestShape } from '../support/check-request.ts';
import { PAYMENTS } from '../support/estate.ts';
import { connectionOf } from '../support/load.ts';
import { ids, places, ThiefEstate } from '../support/thief-estate.ts';
import type { Headers } from '../support/thief-tokens.ts';

/** Single use, seen from the check port: who uses one proof how often, and what Envoy's own retry gets. */

const USES = 10_000;
const CONNECTIONS = 10;
const PATIENCE_MS = 300_000;

let estate: ThiefEstate;
let clients: readonly CheckClient[];

before(async () => {
  const limits = { deadline: '60s', concurrentChecks: USES, streams: USES };
  // A proof that is still good when a busy machine comes to the last of so many uses.
  estate = await ThiefEstate.start({ limits, task: { dpop: { maxAge: '10m' } } });
  clients = Array.from({ length: CONNECTIONS }, () => new CheckClient(estate.base.sidecar.check));
});
after(async () => {
  for (const client of clients) client.close();
  await estate.stop();
});

interface Asked {
  readonly id?: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers: Headers;
}

/** The Check of a request of billing-agent, with an `http.id` of its own unless it is given. */
function message({ id = randomUUID(), path = places.payout, ...asked }: Asked): Uint8Array {
  const attributes = { ...connectionOf(ids.agent, estate.svids.agent), context_extensions: { host: PAYMENTS } };
  return checkBytes({ ...asked, path, http: { id }, attributes } as RequestShape);
}

async function outcomeOf(bytes: Uint8Array, client = clients[0]!): Promise<string> {
  return (await client.check(bytes, PATIENCE_MS)).status.message ?? '';
}

const provenByDpop = (path: string = places.payout): Headers =>
  estate.tokens.withDpop(estate.tokens.keyBound(ids.agent), path);
const provenByWpt = (path: string = places.payout): Headers =>
  estate.tokens.withWpt(ids.agent, { txnToken: estate.tokens.txn(ids.agent) }, path);

test('10,000 concurrent uses of one proof, each a request of its own under one x-request-id: exactly one is allowed', async () => {
  const headers = { ...provenByDpop(), 'x-request-id': randomUUID() };
  const messages = Array.from({ length: USES }, () => message({ headers }));
  const outcomes = await Promise.all(messages.map((bytes, n) => outcomeOf(bytes, clients[n % CONNECTIONS])));
  const counted = Object.fromEntries(
    Map.groupBy(outcomes, (one) => one)
      .entries()
      .map(([one, all]) => [one, all.length]),
  );
  assert.deepEqual(counted, { permitted: 1, task_proof_replayed: USES - 1 });
});

for (const [kind, prove, replayed] of [
  ['DPoP proof', provenByDpop, 'task_proof_replayed'],
  ['WPT', provenByWpt, 'task_wpt_replayed'],
] as const) {
  test(`${kind}: the same Check sent again, as Envoy retries it, gets the same answer, also at once`, async () => {
    const once = message({ headers: prove() });
    assert.equal(await outcomeOf(once), 'permitted');
    assert.equal(await outcomeOf(once, clients[1]), 'permitted');
    const together = message({ headers: prove() });
    const outcomes = await Promise.all(clients.map((client) => outcomeOf(together, client)));
    assert.deepEqual(new Set(outcomes), new Set(['permitted']));
  });

  test(`${kind}: a request that differs from the first in nothing but its http.id is a second use`, async () => {
    const headers = prove();
    assert.equal(await outcomeOf(message({ headers })), 'permitted');
    assert.equal(await outcomeOf(message({ headers })), replayed);
  });

  test(`${kind}: the http.id of the first use does not help a request that differs in anything else`, async () => {
    const [id, headers] = [randomUUID(), prove()];
    assert.equal(await outcomeOf(message({ id, headers })), 'permitted');
    assert.equal(await outcomeOf(message({ id, headers: { ...headers, 'x-more': '1' } })), replayed);
  });

  test(`${kind}: a denied request burns nothing`, async () => {
    const headers = prove();
    const asTunnel = { ...headers, connection: 'Upgrade', upgrade: 'websocket' };
    for (let i = 0; i < 2; i++) assert.match(await outcomeOf(message({ headers: asTunnel })), /^(policy|approval)_/);
    assert.equal(await outcomeOf(message({ headers: { ...headers, 'x-task-id': 't-42' } })), 'task_declared_malformed');
    assert.equal(await outcomeOf(message({ headers })), 'permitted');
    assert.equal(await outcomeOf(message({ headers })), replayed);
  });
}

test('of a request with two proofs, one of them used before, the other one is not burnt', async () => {
  const token = estate.tokens.keyBound(ids.agent);
  const txnToken = estate.tokens.txn(ids.agent);
  const dpop = () => estate.tokens.withDpop(token, places.payout);
  const wpt = () => estate.tokens.withWpt(ids.agent, { txnToken, accessToken: token }, places.payout);
  const [first, unused] = [dpop(), wpt()];
  assert.equal(await outcomeOf(message({ headers: { ...first, ...wpt() } })), 'permitted');
  assert.equal(await outcomeOf(message({ headers: { ...first, ...unused } })), 'task_proof_replayed');
  assert.equal(await outcomeOf(message({ headers: { ...dpop(), ...unused } })), 'permitted');
});
