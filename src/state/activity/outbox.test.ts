import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_WAITING_DECISIONS, Outbox } from './outbox.ts';
import { Uses } from './uses.ts';

function outbox() {
  const dropped = { decisions: 0 };
  const box = new Outbox((decisions) => {
    dropped.decisions += decisions;
  });
  return { box, dropped };
}

/** Everything that waits, as it is taken. */
function taken(box: Outbox) {
  const batches: ReturnType<Outbox['take']>[] = [];
  while (!box.isEmpty) batches.push(box.take());
  return batches;
}

test('what waits is taken in its order, in batches of bounded number and size, denials apart from allows', () => {
  const { box } = outbox();
  for (let n = 0; n < 450; n++) box.add(n % 3 === 0 ? 'allow' : 'deny', String(n));
  assert.ok(box.isLarge);
  const batches = taken(box);
  assert.deepEqual(
    batches.map(({ denials, allows }) => denials.length + allows.length),
    [200, 200, 50],
  );
  const numbers = Array.from({ length: 450 }, (_, n) => String(n));
  assert.deepEqual(
    batches.flatMap(({ denials }) => denials),
    numbers.filter((n) => Number(n) % 3 !== 0),
  );
  assert.deepEqual(
    batches.flatMap(({ allows }) => allows),
    numbers.filter((n) => Number(n) % 3 === 0),
  );
  for (let n = 0; n < 100; n++) box.add('deny', 'x'.repeat(2000));
  assert.ok(box.isLarge);
  assert.deepEqual(
    taken(box).map(({ denials }) => denials.length),
    [33, 33, 33, 1],
  );
  assert.ok(!box.isLarge);
});

test('the oldest are dropped where too many wait, or too much', () => {
  const { box, dropped } = outbox();
  for (let round = 0; round < 3; round++) {
    for (let n = 0; n < 3 * MAX_WAITING_DECISIONS; n++) box.add('deny', String(n));
    assert.equal(box.size, MAX_WAITING_DECISIONS);
    assert.equal(box.take().denials[0], String(2 * MAX_WAITING_DECISIONS));
    taken(box);
  }
  assert.equal(dropped.decisions, 6 * MAX_WAITING_DECISIONS);
  for (let n = 0; n < MAX_WAITING_DECISIONS; n++) box.add('deny', `${n}-${'x'.repeat(2000)}`);
  assert.ok(box.size > 900 && box.size < 1100, String(box.size));
});

test('a use is taken once, as it is then, and no more of them wait than there is room for', () => {
  const { box } = outbox();
  const uses = new Uses({ workloads: 20_000, oneAllowIn: 1 });
  const first = uses.seen('spiffe://prod.example/first', 'team', 'x509-svid', 1000);
  for (let n = 0; n < 3; n++) box.addUse(first);
  for (let n = 0; n < 15_000; n++) box.addUse(uses.seen(`spiffe://prod.example/${n}`, 'team', 'x509-svid', 1000));
  uses.seen('spiffe://prod.example/first', 'team', 'jwt-svid', 2000);
  const batches = taken(box);
  assert.ok(batches.every((batch) => batch.uses.length <= 50));
  const all = batches.flatMap((batch) => batch.uses);
  assert.equal(all.length, 10_000);
  assert.deepEqual([all[0]?.lastMs, all[0]?.credentials], [2000, ['x509-svid', 'jwt-svid']]);
});
