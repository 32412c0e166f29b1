import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exercise } from '../soak/connections.ts';

test('S6: connections come and go, idle ones ping, others are ended under load, and no check fails', async (t) => {
  const { line, faults } = await exercise({ connections: 200, pings: 1000, ends: 2 });
  assert.deepEqual(faults, []);
  t.diagnostic(line);
});
