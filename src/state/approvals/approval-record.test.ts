import assert from 'node:assert/strict';
import { test } from 'node:test';
import { approvalOrder } from '../../../test/support/approvals.ts';
import { approvalRecord, readApprovalRecord } from './approval-record.ts';
import { requestAskedFor } from './decisions.ts';
import { isTrueToDigest } from './order.ts';

const NOW = 1_800_000_000_000;
const asked = requestAskedFor('A'.repeat(22), approvalOrder(), NOW);
const NOTHING = {
  task: null,
  query: null,
  contentType: null,
  headers: [],
  declared: null,
  body: null,
  owner: null,
  sensitivity: null,
};

/** The record with another value in the place of one of its parts. */
function recordWith(at: number, value: unknown): string {
  const [, kept, json] = /^(\d+) (.*)$/s.exec(approvalRecord(asked))!;
  return `${kept} ${JSON.stringify((JSON.parse(json!) as unknown[]).with(at, value))}`;
}

test('a request is read as it was written, with all that it may say and with as little', () => {
  for (const order of [
    approvalOrder(),
    approvalOrder(NOTHING),
    approvalOrder({ query: 'a=1', headers: [['x-region', 'eu']], declared: { id: 'd', purpose: 'p' } }),
  ]) {
    const request = requestAskedFor('A'.repeat(22), order, NOW);
    assert.deepEqual(readApprovalRecord(approvalRecord(request)), request);
  }
});

const task = ['https://tts.prod.example', 't-42', 'issue-refunds', 'carol'];
const { sha256, bytes, shown } = asked.order.body!;
const PARTS: readonly (readonly [name: string, at: number, values: readonly unknown[]])[] = [
  ['id', 0, [5, '', 'x', 'A'.repeat(21), `${'A'.repeat(21)}!`]],
  ['time', 1, [`${NOW}`, -1, 1.5, null]],
  ['approvals', 2, ['resource-owner', [5], null]],
  ['caller', 3, [5, null]],
  ['chain', 4, ['x', [null]]],
  ['task', 5, [5, {}, task.slice(1), [...task, 'x'], [5, ...task.slice(1)], task.with(3, 5 as unknown as string)]],
  ['action', 6, [5]],
  ['host', 7, [5]],
  ['method', 8, [5]],
  ['path', 9, [5]],
  ['query', 10, [5]],
  ['content type', 11, [5]],
  ['headers', 12, [5, null, [5], [['x']], [['x', 5]], [['x', 'y', 'z']]]],
  ['declared task', 13, [5, ['d'], ['d', 5]]],
  [
    'body',
    14,
    [
      5,
      [sha256, bytes],
      [5, bytes, null],
      [sha256, -1, null],
      [sha256, bytes, 5],
      [sha256, bytes, '{"amount":21}'],
      [sha256, bytes + 1, shown],
      [sha256, bytes, shown, 0],
    ],
  ],
  ['owner', 15, [5]],
  ['sensitivity', 16, [5]],
];
for (const [name, at, values] of PARTS)
  test(`a record with something else as its ${name} is no request`, () => {
    for (const value of values) assert.equal(readApprovalRecord(recordWith(at, value)), null, JSON.stringify(value));
  });

test('whatever is written in another way is no request', () => {
  const text = approvalRecord(asked);
  for (const other of [
    '',
    'x',
    '1 5',
    '1 []',
    text.replace(/^\d+/, '1'),
    text.replace(',"', ', "'),
    text.replace(/\]$/, ',0]'),
    approvalRecord(requestAskedFor('A'.repeat(22), approvalOrder({ path: `/${'x'.repeat(64 * 1024)}` }), NOW)),
  ])
    assert.equal(readApprovalRecord(other), null, other.slice(0, 100));
});

test('an order is true to its digest as far as it shows what the digest is over', () => {
  const order = approvalOrder();
  assert.ok(isTrueToDigest(order));
  assert.ok(isTrueToDigest(approvalOrder({ body: { sha256, bytes: 5000, shown: null } })));
  for (const body of [
    { sha256, bytes: bytes + 1, shown },
    { sha256, bytes, shown: '{"amount":21}' },
  ])
    assert.equal(isTrueToDigest(approvalOrder({ body })), false, JSON.stringify(body));
});
