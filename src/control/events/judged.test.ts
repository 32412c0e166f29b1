import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { JudgedLately } from './judged.ts';

const ALLOWED = { allowed: true, permits: ['p'], forbids: [], errors: [] };

test('what was judged for a viewer is known to its next stream, for a minute and to no other', (t) => {
  let nowMs = 1000;
  const clock = mock.method(performance, 'now', () => nowMs);
  t.after(() => clock.mock.restore());
  const lately = new JudgedLately();
  lately.of('anna').set('a', ALLOWED);
  assert.deepEqual([lately.of('anna').get('a'), lately.of('ben').get('a')], [ALLOWED, undefined]);
  nowMs += 59_999;
  assert.equal(lately.of('anna').get('a'), ALLOWED);
  nowMs += 1;
  assert.equal(lately.of('anna').get('a'), undefined);
});

test('so many viewers are remembered, and of each so much', () => {
  const lately = new JudgedLately();
  lately.of('first').set('a', ALLOWED);
  for (let n = 0; n < 49; n++) lately.of(`other ${n}`);
  assert.equal(lately.of('first').get('a'), ALLOWED);
  lately.of('one more');
  assert.equal(lately.of('first').get('a'), undefined);
  const one = lately.of('first');
  for (let n = 0; n < 10_000; n++) one.set(`workload ${n}`, ALLOWED);
  assert.deepEqual([one.get('workload 0'), one.get('workload 9999')], [undefined, ALLOWED]);
});
