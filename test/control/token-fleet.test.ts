import assert from 'node:assert/strict';
import { test } from 'node:test';
import { controlFleet } from '../support/control-fleet.ts';
import { noRedis } from '../support/redis.ts';
import { AUTHZ } from '../support/tls-world.ts';
import { claimsIn, exchangeForm, startForm, startTokenWorld } from '../support/token-world.ts';
import { until } from '../support/until.ts';
import { workload } from '../support/world.ts';
import { AGENT, INVOICE, ORCHESTRATOR } from '../support/world-asks.ts';

test('a control process issues tokens for the sidecars of its store: each accepts them, and none once the task is over', {
  skip: noRedis,
}, async (t) => {
  const fleet = await controlFleet(t);
  const control = await startTokenWorld(
    fleet.control('./control.pem', (config) => {
      // It reads no task tokens but its own.
      config.task = {};
    }),
  );
  t.after(() => control.stop());
  const sidecar = await fleet.sidecar((config) => {
    config.task = { issuers: [{ kind: 'built-in', jwks: { url: `${control.control}/keys`, svid: AUTHZ } }] };
  });
  const becomes = (token: string, reason: string) =>
    until(reason, async () => {
      const ask = { svid: sidecar.svid(AGENT), path: INVOICE, headers: { 'txn-token': token } };
      return (await sidecar.send(ask)).reason === reason ? true : null;
    });

  const first = await until('a first token', () =>
    control.granted(ORCHESTRATOR, startForm(ORCHESTRATOR, { lease: 600 })).catch(() => null),
  );
  const token = await control.granted(ORCHESTRATOR, exchangeForm(first, { actor: workload(AGENT) }));
  await becomes(token, 'permitted');
  const fresh = await control.granted(AGENT, exchangeForm(token));
  await becomes(fresh, 'permitted');
  const { iss, txn } = claimsIn(token);
  const ended = await control.tasks.end({ issuer: String(iss), id: String(txn) }, 'a test', 'done', Date.now());
  assert.equal(ended.result, 'stored');
  for (const one of [token, fresh]) await becomes(one, 'task_ended');
  const { json } = await control.requestToken(control.svid(AGENT), exchangeForm(fresh));
  assert.equal(json.code, 'task_over');

  const another = await control.granted(AGENT, startForm(AGENT));
  await fleet.redis.kill();
  const refused = await until('the loss of the store', async () => {
    const { status, json } = await control.requestToken(control.svid(AGENT), exchangeForm(another));
    return status === 200 ? null : [status, json.code];
  });
  assert.deepEqual(refused, [503, 'state_unavailable']);
});
