import assert from 'node:assert/strict';
import { test } from 'node:test';
import { orderOf } from '../../test/support/orders.ts';
import { OrderedRevocation } from './ordered-revocation.ts';
import { revocable, subjectKey } from './revocation.ts';
import { MAX_RECORD_BYTES } from './store-mirror.ts';

test('a record says all of an order, and is read only as it was written', () => {
  for (const kind of Object.keys(revocable) as (keyof typeof revocable)[]) {
    const order = orderOf('r-1', { kind, subject: subjectKey(kind, 'a "b"', 'c\né'), issuedUpToMs: 7 });
    const { record } = new OrderedRevocation(order, 5);
    const read = OrderedRevocation.read(record)!;
    assert.equal(read.atMs, 5);
    const { id, subject, issuedUpToMs, untilMs, reason, by } = read;
    assert.deepEqual({ id, kind: read.kind, subject, issuedUpToMs, untilMs, reason, by }, order);
  }
});

test('what is no record is read as none', () => {
  const good = new OrderedRevocation(orderOf('r-1'), 5).record;
  assert.notEqual(OrderedRevocation.read(good), null);
  for (const bad of [
    '',
    good.replace(' 5 ', ' 05 '),
    good.replace(' 5 ', ' 5.0 '),
    good.replace('[', '[ '),
    good.replace('"r-1"', '1'),
    good.replace('"r-1"', '"r 1"'),
    good.replace('null', '"x"'),
    good.replace('"workload ', '"nothing '),
    good.replace(/,"[^"]*"\]$/, ']'),
    good.replace(/\]$/, ''),
    good.replace('tested', 'x'.repeat(MAX_RECORD_BYTES)),
  ])
    assert.equal(OrderedRevocation.read(bad), null, bad.slice(0, 100));
});

test('the same order at another time has the same content and another digest', () => {
  const [one, other] = [5, 6].map((at) => new OrderedRevocation(orderOf('r-1', { untilMs: 9 }), at));
  assert.ok(one!.isSame(other!));
  assert.ok(!one!.isSame(new OrderedRevocation(orderOf('r-1', { untilMs: 10 }), 5)));
  assert.notEqual(one!.digest, other!.digest);
});
