import assert from 'node:assert/strict';
import { test } from 'node:test';
import { approvalOrder } from '../../../test/support/approvals.ts';
import type { ApprovalOrder } from './order.ts';

const plain = approvalOrder({ query: 'a=1', headers: [['x-amount', '20']], declared: { id: 't', purpose: 'finance' } });
const { task, body, caller } = plain;

const { digest: _digest, ...request } = plain;

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
  const digests = [plain, ...changes.map((change) => approvalOrder({ ...request, ...change }))].map(
    ({ digest }) => digest,
  );
  assert.equal(new Set(digests).size, changes.length + 1);
  assert.equal(approvalOrder({ ...request, approvals: ['security'] }).digest, plain.digest);
});
