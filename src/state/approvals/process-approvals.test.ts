import assert from 'node:assert/strict';
import { test } from 'node:test';
import { approvalSuite } from '../../../test/support/approval-suite.ts';
import { ANN, ASKING, approvalOrder, askedFor } from '../../../test/support/approvals.ts';
import { glassSuite } from '../../../test/support/glass-suite.ts';
import { ASK_MS, MAX_APPROVALS, SHOWN_MS } from './book.ts';
import { newApprovalId, ProcessApprovals } from './process-approvals.ts';

approvalSuite({ name: 'memory', covers: 'this process', make: async () => [new ProcessApprovals(Date.now())] });
glassSuite('memory', async () => [new ProcessApprovals(Date.now())]);

test('memory: when so many are remembered nothing else is asked, until they are forgotten', async () => {
  const book = new ProcessApprovals(Date.now());
  const now = Date.now();
  const order = (n: number) => approvalOrder({ path: `/${n}`, caller: `${ASKING}-${n % 40}` });
  for (let n = 0; n < MAX_APPROVALS; n++) {
    const id = await askedFor(book, order(n), now);
    if (n > 0) await book.close({ id, kind: 'refused', by: ANN, reason: 'no' }, now);
  }
  assert.deepEqual(await book.ask(order(MAX_APPROVALS), now), {
    result: 'full',
    detail: '1000 requests are remembered',
  });
  const again = await book.ask(order(0), now + ASK_MS);
  assert.equal(again.result, 'pending', 'it takes the place of the one that expired');
  assert.equal([...book.all()].length, MAX_APPROVALS);
  assert.equal((await book.ask(order(MAX_APPROVALS), now + 24 * 60 * 60_000 + SHOWN_MS)).result, 'pending');
  assert.equal([...book.all()].length, 1);
});

test('memory: what was refused says when it may be asked again', async () => {
  const book = new ProcessApprovals(Date.now());
  const now = Date.UTC(2030, 0, 1);
  const id = await askedFor(book, approvalOrder(), now);
  await book.close({ id, kind: 'refused', by: ANN, reason: 'no' }, now);
  assert.deepEqual(await book.ask(approvalOrder(), now + 1), {
    result: 'refused',
    detail: 'a person has refused it; it may be asked again at 2030-01-01T00:10:00.000Z',
  });
});

test('no id of a request looks like an option of a command line', () => {
  for (let n = 0; n < 2000; n++) assert.match(newApprovalId(), /^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/);
});
