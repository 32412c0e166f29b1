import assert from 'node:assert/strict';
import { test } from 'node:test';
import { approvalOrder } from '../../../test/support/approvals.ts';
import { approvalRecord, readApprovalRecord } from './approval-record.ts';
import { requestAskedFor } from './decisions.ts';
import { type ApprovalOrder, isTrueToDigest } from './order.ts';

const plain = approvalOrder({ query: 'a=1', headers: [['x-amount', '20']], declared: { id: 't', purpose: 'finance' } });
const { task, body, caller } = plain;

/** One thing is different in each. */
const changes: readonly Partial<ApprovalOrder>[] = [
  { caller: `${caller}x` },
  { chain: [] },
  { chain: [caller, caller] },
  { task: null },
  { task: { ...task!, issuer: 'https://other.example' } },
  { task: { ...task!, id: 't-43' } },
  { task: { ...task!, purpose: null } },
  { task: { ...task!, subject: null } },
  { task: { ...task!, purpose: task!.subject, subject: task!.purpose } },
  { action: 'PUT' },
  { host: 'payments.internal:8443' },
  { method: 'PUT' },
  { path: '/refunds/' },
  { path: '/%72efunds' },
  { query: null },
  { query: '' },
  { path: '/refunds?a=1', query: null },
  { contentType: null },
  { contentType: 'application/JSON' },
  { headers: [] },
  { headers: [['x-amount', '21']] },
  { headers: [['x-amount20', '']] },
  { headers: [...plain.headers, ...plain.headers] },
  { declared: null },
  { declared: { id: 'finance', purpose: 't' } },
  { body: null },
  { body: { ...body!, sha256: `x${body!.sha256.slice(1)}`, shown: null } },
  { body: { ...body!, shown: null } },
  { body: { ...body!, bytes: 21, shown: null } },
  { owner: null },
  { sensitivity: 'public' },
];

test('whatever is different makes another digest, and the names of what is missing make none', () => {
  const digests = [plain, ...changes.map((change) => approvalOrder({ ...plainRequest, ...change }))].map(
    ({ digest }) => digest,
  );
  assert.equal(new Set(digests).size, changes.length + 1);
  assert.equal(approvalOrder({ ...plainRequest, approvals: ['security'] }).digest, plain.digest);
});
const { digest: _digest, ...plainRequest } = plain;

test('a record says the whole request, and one of another shape says none', () => {
  for (const change of [{}, ...changes]) {
    const order = approvalOrder({ ...plainRequest, ...change });
    const request = requestAskedFor('A'.repeat(22), order, 1_000_000_000_000);
    const isTrue = isTrueToDigest(order);
    assert.deepEqual(readApprovalRecord(approvalRecord(request)), isTrue ? request : null, JSON.stringify(change));
  }
  const text = approvalRecord(requestAskedFor('A'.repeat(22), plain, 1_000_000_000_000));
  const [kept, parts] = [text.split(' ', 1)[0]!, JSON.parse(text.slice(text.indexOf('['))) as unknown[]];
  const wrong = [null, 1, {}, 'x', [['x']], [1, 2], [['x', 1]], ['a', 'b', 'c']];
  for (const [at] of parts.entries())
    for (const other of wrong) {
      const record = `${kept} ${JSON.stringify(parts.with(at, other))}`;
      const read = readApprovalRecord(record);
      assert.ok(read === null || approvalRecord(read) === record, record);
      assert.ok(read === null || isTrueToDigest(read.order), record);
    }
  for (const at of [12, 13, 14])
    for (const other of [1, {}, 'x', [1, 2]])
      assert.equal(readApprovalRecord(`${kept} ${JSON.stringify(parts.with(at, other))}`), null);
});
