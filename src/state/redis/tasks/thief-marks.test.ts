import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noRedis } from '../../../../test/support/redis.ts';
import { begun, KEPT_MS, MANAGER, registration } from '../../../../test/support/registering.ts';
import { fieldFor, victims } from '../../../../test/support/thief-of-tasks.ts';
import { writeMark } from '../../tasks/task-mark.ts';
import { readRecord } from '../../tasks/task-record.ts';

const skip = noRedis;
const { issuer } = registration();
const keyOf = (id: string) => ({ issuer, id });

test('what only looks like an end keeps no end out of the store', { skip }, async (t) => {
  const { one, mark, read, recordOf, states, become } = await victims(t);
  for (const [id, text] of [
    ['t-1', '999999999999999 0 x'],
    ['t-2', `999999999999999 0 ["end",1,1,"${'x'.repeat(60_000)}","x",""]`],
    ['t-3', 'x'],
  ] as const) {
    await begun(one.registry, { id });
    await become(id, 'active');
    await mark(fieldFor(id), await recordOf(id), text);
    await read();
    assert.deepEqual(states(id), ['active', 'active'], id);
    assert.equal((await one.registry.end(keyOf(id), MANAGER, 'done', Date.now())).result, 'stored');
    await become(id, 'ended');
  }
});

test('an end that nobody signed takes no more room than one of ours, and can be shown', { skip }, async (t) => {
  const { one, mark, read, recordOf, states, become } = await victims(t);
  await begun(one.registry, { id: 't-1' });
  await become('t-1', 'active');
  const text = await recordOf('t-1');
  const record = readRecord(text)!;
  const end = { kind: 'end', atMs: Date.now(), openMs: 1, by: 'thief', reason: 'x' } as const;
  for (const bad of [
    { ...end, reason: 'x'.repeat(32_768) },
    { ...end, atMs: Number.MAX_SAFE_INTEGER },
    { ...end, openMs: Number.MAX_SAFE_INTEGER },
  ]) {
    await mark(fieldFor('t-1'), text, writeMark('test', record, bad, null));
    await read();
    assert.deepEqual(states('t-1'), ['active', 'active'], JSON.stringify(bad).slice(0, 80));
  }
  // The longest that control takes.
  const longest = { ...end, by: `spiffe://${'x'.repeat(2039)}`, reason: '\u0001'.repeat(2048) };
  await mark(fieldFor('t-1'), text, writeMark('test', record, longest, null));
  await become('t-1', 'ended');
  const { by, atMs } = one.registry.lookup.find(issuer, 't-1')!.ended!;
  assert.deepEqual([by, new Date(atMs).getTime()], [longest.by, longest.atMs]);
});

test('an end is remembered longer than a lease that another process gave at the same moment', { skip }, async (t) => {
  const { one, become } = await victims(t);
  const leaseMs = 20 * 60_000;
  const now = Date.now();
  await begun(one.registry, { id: 't-1', leaseMs }, now - leaseMs / 2);
  await become('t-1', 'active');
  assert.equal((await one.registry.end(keyOf('t-1'), MANAGER, 'done', now)).result, 'stored');
  const { keptUntilMs } = one.registry.lookup.find(issuer, 't-1')!;
  assert.ok(keptUntilMs >= now + leaseMs + KEPT_MS, String(keptUntilMs - now));
});
