import assert from 'node:assert/strict';
import { test } from 'node:test';
import { finish } from '../support/run.ts';
import { World } from '../support/world.ts';
import { AGENT, INVOICE, ledgerReads } from '../support/world-asks.ts';

/** What promtool says of names that are not ours: prom-client's metrics of the process. */
const FOREIGN = /^(nodejs|process)_/;

test('promtool reads the metrics page, and finds nothing to lint in metrics of ours', async (t) => {
  const world = await World.start();
  t.after(() => world.stop());
  await world.send(ledgerReads()(world));
  await world.send({ svid: world.svid(AGENT), path: INVOICE });
  const page = await world.status('/metrics');
  const { code, stdout, stderr } = await finish('promtool', ['check', 'metrics'], { input: page });
  assert.ok(code === 0 || code === 3, `${code}: ${stderr}`);
  const found = `${stdout}${stderr}`.split('\n').filter((line) => line !== '' && !FOREIGN.test(line));
  assert.deepEqual(found, []);
});
