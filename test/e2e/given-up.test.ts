import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask } from '../support/client.ts';
import { connectionManager } from '../support/envoy.ts';
import { Estate, PAYMENTS } from '../support/estate.ts';
import { until } from '../support/until.ts';
import { World, type WorldOptions } from '../support/world.ts';
import { agentByDpop } from '../support/world-asks.ts';
import { HeldOutput } from '../support/world-sink.ts';

test('an allow that becomes audit_unavailable uses no proof up', async () => {
  const output = new HeldOutput();
  const edit: WorldOptions['edit'] = (config) => {
    Object.assign(config.limits, { deadline: '1s' });
    Object.assign(config.audit, { sinks: [{ stdout: {} }, { file: { path: './audit.jsonl' } }] });
  };
  const world = await World.start({ edit, stdout: output });
  try {
    const asked = agentByDpop()(world);
    output.hold();
    assert.equal((await world.send(asked)).reason, 'audit_unavailable');
    output.release();
    await until('the withdrawal', () => world.audit().find(({ event }) => event === 'withdrawn'));
    assert.equal((await world.send(asked)).reason, 'permitted');
  } finally {
    output.release();
    await world.stop();
  }
});

test('what Envoy gave up on before the sidecar came to it is recorded as no allow', async () => {
  const estate = await Estate.start({
    envoy: 'uds',
    edit: (tree) => {
      const filter = connectionManager(tree).http_filters.find(({ name }) => name === 'envoy.filters.http.ext_authz');
      filter!.typed_config.grpc_service!.timeout = '0.25s';
    },
  });
  try {
    const svid = estate.svid('/ns/payments/sa/ledger');
    const read = (path: string) => ask({ port: estate.envoy.port, svid, host: PAYMENTS, path });
    await until('an allow within the deadline', async () =>
      (await read('/api/invoices/1')).status === 200 ? true : null,
    );
    const { pid } = estate.sidecar;
    process.kill(pid, 'SIGSTOP');
    try {
      assert.equal((await read('/api/invoices/4711')).status, 503);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    const line = await until('its line', () =>
      estate.sidecar.audit().find(({ request }) => (request as { path?: string } | undefined)?.path?.endsWith('/4711')),
    );
    if (line.result === 'allow') {
      // It was recorded before it was known that Envoy is gone: then the next line says so.
      await until('the mark', () =>
        estate.sidecar.audit().find(({ event, decision }) => event === 'undelivered' && decision === line.decision),
      );
    } else assert.equal(line.reason, 'overloaded');
  } finally {
    await estate.stop();
  }
});
