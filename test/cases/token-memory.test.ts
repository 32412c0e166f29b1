import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, describe, mock, test } from 'node:test';
import { bundleDocument } from '../support/ca.ts';
import { jwk, makeKey } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import { type Ask, World } from '../support/world.ts';
import { AGENT, agentTxn, bearer, INVOICE, svidToken } from '../support/world-asks.ts';

const task = { claims: { task_id: 't-42', task_purpose: 'reconcile-invoices' } };

describe('verified tokens', async () => {
  const world = await World.start();
  after(() => world.stop());
  afterEach(() => mock.restoreAll());
  const counted = () => mock.method(crypto.subtle, 'verify');
  const svid = world.svid(AGENT);
  const send = (headers: NonNullable<Ask['headers']>) => world.send({ svid, path: INVOICE, headers });
  const gauge = async (name: string) => {
    const line = (await world.status('/metrics')).split('\n').find((one) => one.startsWith(name));
    return Number(line?.split(' ')[1]);
  };

  test('a JWT-SVID that says who and why is verified once in one check, and not again in the next', async () => {
    const token = svidToken(world, AGENT, task);
    const checks = counted();
    const { audit } = await send(bearer(token));
    assert.partialDeepStrictEqual(audit, { caller: { credential: 'x509-svid' }, task: { id: 't-42' } });
    assert.equal(checks.mock.callCount(), 1);
    const alone = await world.send({ svid: null, path: INVOICE, headers: bearer(token) });
    assert.partialDeepStrictEqual(alone.audit, { caller: { credential: 'jwt-svid' } });
    assert.equal(checks.mock.callCount(), 1);
  });

  test('who sends a remembered token, and with which proof, is looked at each time', async () => {
    const token = agentTxn(world);
    assert.equal((await send({ 'txn-token': token })).reason, 'permitted');
    const thief = world.svid('/ns/support/sa/reader');
    const stolen = await world.send({ svid: thief, path: INVOICE, headers: { 'txn-token': token } });
    assert.equal(stolen.reason, 'task_of_another');
    const elsewhere = { svid, host: 'other.internal', path: INVOICE, headers: bearer(svidToken(world, AGENT, task)) };
    assert.notEqual((await world.send(elsewhere)).reason, 'permitted');
  });

  test('the gauges show what is remembered', async () => {
    await send({ 'txn-token': agentTxn(world) });
    assert.ok((await gauge('authz_cache_bytes{cache="tokens"}')) > 0);
    assert.equal(await gauge('authz_cache_limit_bytes{cache="tokens"}'), 16 * 2 ** 20);
  });

  test('a token that was good is refused once the keys of its issuer have changed', async () => {
    const token = agentTxn(world);
    assert.equal((await send({ 'txn-token': token })).reason, 'permitted');
    writeFileSync(join(world.folder, 'tts.jwks.json'), JSON.stringify({ keys: [jwk(makeKey('ES256', 'tts-2'))] }));
    const refused = await until('the next keys', async () => {
      const { reason } = await send({ 'txn-token': token });
      return reason === 'permitted' ? null : reason;
    });
    assert.equal(refused, 'task_txn_key_unknown');
  });

  test('a JWT-SVID that was good is refused once its bundle has changed', async () => {
    const token = svidToken(world, AGENT, task);
    const alone = () => world.send({ svid: null, path: INVOICE, headers: bearer(token) });
    const before = await alone();
    assert.partialDeepStrictEqual(before.audit, { caller: { credential: 'jwt-svid' } });
    const next = { ...world.keys.stranger, kid: world.keys.domain.kid };
    const { keys } = bundleDocument([world.keys.ca]);
    const document = { keys: [...keys, jwk(next, { use: 'jwt-svid' })] };
    writeFileSync(join(world.folder, 'prod.example.json'), JSON.stringify(document));
    const refused = await until('the next bundle', async () => {
      const { reason } = await alone();
      return reason === before.reason ? null : reason;
    });
    assert.equal(refused, 'identity_token_signature');
  });
});
