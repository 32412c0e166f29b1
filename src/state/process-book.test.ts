import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hitBy, orderOf } from '../../test/support/orders.ts';
import { RevocationSet } from './file/revocation-set.ts';
import { JoinedBook } from './joined-book.ts';
import { ProcessBook } from './process-book.ts';

const NOW = Date.now();
const lift = (id: string) => ({ id, reason: 'over', by: 'security@example.com', atMs: NOW });

test('an order applies from its answer to its lift or its end, and each change is told', async () => {
  let changes = 0;
  const book = new ProcessBook(() => changes++);
  const order = orderOf('r-1');
  assert.equal(book.lookup.empty, true);
  assert.deepEqual(await book.revoke(order, NOW), {
    result: 'stored',
    atMs: NOW,
    replicas: null,
    covers: 'this process',
  });
  assert.equal(book.lookup.find(hitBy(order), NOW)?.id, 'r-1');
  assert.equal(book.lookup.find(hitBy(order), order.untilMs), null);
  assert.equal(book.get('r-1')?.orderedAtMs, NOW);
  assert.deepEqual(await book.lift(lift('r-2')), { result: 'unknown' });
  assert.equal((await book.lift(lift('r-1'))).result, 'stored');
  assert.equal(book.lookup.empty, true);
  assert.deepEqual([...book.all()], []);
  assert.equal(changes, 2);
});

test('the same order is taken once; an id with other content is a conflict, and changes nothing', async () => {
  const book = new ProcessBook();
  const order = orderOf('r-1');
  await book.revoke(order, NOW);
  assert.deepEqual(await book.revoke(order, NOW + 5), {
    result: 'unchanged',
    atMs: NOW,
    replicas: null,
    covers: 'this process',
  });
  assert.equal((await book.revoke({ ...order, untilMs: order.untilMs + 1 }, NOW)).result, 'conflict');
  assert.equal(book.get('r-1')?.revocation.untilMs, order.untilMs);
});

test('a full book refuses by entries, by bytes and by subject, keeps what it has, and forgets what has ended', async () => {
  const few = new ProcessBook(() => {}, { entries: 2 });
  await few.revoke(orderOf('r-1', { untilMs: NOW + 10 }), NOW);
  await few.revoke(orderOf('r-2'), NOW);
  assert.equal((await few.revoke(orderOf('r-3'), NOW)).result, 'full');
  assert.equal([...few.all()].length, 2);
  assert.equal((await few.revoke(orderOf('r-3'), NOW + 20)).result, 'stored');
  const small = new ProcessBook(() => {}, { bytes: 4096 });
  assert.equal((await small.revoke(orderOf('r-1', { reason: 'x'.repeat(4000) }), NOW)).result, 'full');
  assert.equal((await small.revoke(orderOf('r-1'), NOW)).result, 'stored');
  const crowded = new ProcessBook();
  const results = await Promise.all(
    Array.from({ length: 101 }, (_, n) => crowded.revoke(orderOf(`r-${n}`, { subject: 'workload x' }), NOW)),
  );
  assert.deepEqual([results.at(-2)?.result, results.at(-1)?.result], ['stored', 'full']);
});

test('what a file revokes applies beside what was ordered, and is changed in the file alone', async () => {
  const [ofFile, ordered] = [orderOf('file-1'), orderOf('r-1')];
  const book = new JoinedBook(() => new RevocationSet([ofFile]), new ProcessBook());
  await book.revoke(ordered, NOW);
  assert.deepEqual(
    [...book.all()].map(({ origin, revocation }) => [origin, revocation.id]),
    [
      ['file', 'file-1'],
      ['memory', 'r-1'],
    ],
  );
  for (const order of [ofFile, ordered]) assert.equal(book.lookup.find(hitBy(order), NOW)?.id, order.id);
  assert.equal(book.get('file-1')?.origin, 'file');
  assert.equal((await book.lift(lift('file-1'))).result, 'conflict');
  assert.equal((await book.revoke(ofFile, NOW)).result, 'conflict');
  assert.equal((await book.lift(lift('r-1'))).result, 'stored');
});
