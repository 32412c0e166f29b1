import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestClock } from '../../../test/support/test-clock.ts';
import { ApprovalWatch } from './approval-watch.ts';
import type { Notice } from './notice.ts';

const MINUTE = 60_000;

function watched() {
  const clock = new TestClock();
  const start = clock.now();
  const order = {
    approvals: ['refund-over-500'],
    caller: 'spiffe://prod.example/agent',
    host: 'payments.internal',
    sensitivity: 'high',
    path: '/refunds/4711',
    query: 'token=secret',
    body: { shown: 'secret' },
  };
  const request = (id: string) => ({
    ...{ id, order, askedAtMs: start, askUntilMs: start + 30 * MINUTE },
    grant: null as null | { grantedAtMs: number; untilMs: number },
    glass: null as null | object,
    closing: null as null | object,
  });
  const book = new Map<string, ReturnType<typeof request>>();
  const broken: { asked: ReturnType<typeof request>; use: { atMs: number }; review: object | null }[] = [];
  const told: Notice[] = [];
  const watch = new ApprovalWatch({ all: () => book.values(), glass: { all: () => broken } }, clock, (notice) =>
    told.push(notice),
  );
  const put = (id: string, change: Partial<ReturnType<typeof request>> = {}) =>
    book.set(id, { ...request(id), ...change });
  /** What is told in a second. */
  const look = () => {
    clock.advance(1000);
    return told.splice(0).map(({ type, data }) => `${type} ${data.id}`);
  };
  return { clock, start, book, broken, told, watch, request, put, look };
}

test('each request and each grant is told once, also where the book was away for a while', () => {
  const { start, book, put, look } = watched();
  assert.deepEqual(look(), []);
  put('a');
  put('b');
  assert.deepEqual(look(), ['approval.requested a', 'approval.requested b']);
  put('c', { grant: { grantedAtMs: start, untilMs: start + MINUTE } });
  put('a', { grant: { grantedAtMs: start, untilMs: start + MINUTE } });
  assert.deepEqual(look(), ['approval.granted a', 'approval.granted c']);
  book.delete('b');
  assert.deepEqual(look(), []);
});

test('what is closed or expired is not told', () => {
  const { clock, start, put, look } = watched();
  put('refused', { closing: {} });
  put('withdrawn', { grant: { grantedAtMs: start, untilMs: start + MINUTE }, closing: {} });
  put('used up', { grant: { grantedAtMs: start, untilMs: start + 500 } });
  put('late', { askUntilMs: start + 1000 });
  put('good');
  clock.jump(1000);
  assert.deepEqual(look(), ['approval.requested good']);
});

test('a break-glass is told in place of a grant, once, also where the request is over, until it is reviewed', () => {
  const { clock, start, book, broken, request, put, look } = watched();
  put('a', { grant: { grantedAtMs: start, untilMs: start + MINUTE }, glass: {} });
  broken.push({ asked: request('a'), use: { atMs: start }, review: null });
  broken.push({ asked: request('reviewed'), use: { atMs: start }, review: {} });
  assert.deepEqual(look(), ['break_glass.used a']);
  book.delete('a');
  assert.deepEqual(look(), []);
  broken.push({ asked: request('b'), use: { atMs: start }, review: null });
  assert.deepEqual(look(), ['break_glass.used b']);
  broken.push({ asked: request('old'), use: { atMs: start - 24 * 60 * MINUTE }, review: null });
  clock.jump(1000);
  assert.deepEqual(look(), []);
});

test('a notice holds no path, query or body, and ends with the request or the grant', () => {
  const { start, told, put, clock, watch } = watched();
  put('a');
  put('b', { grant: { grantedAtMs: start + 5, untilMs: start + MINUTE } });
  clock.advance(0);
  assert.doesNotMatch(JSON.stringify(told), /secret|4711/);
  assert.deepEqual(
    told.map(({ atMs, untilMs }) => [atMs - start, untilMs - start]),
    [
      [0, 30 * MINUTE],
      [5, MINUTE],
    ],
  );
  const [requested, granted] = told;
  assert.notEqual(requested!.id, granted!.id);
  assert.equal(granted!.data.expires, new Date(start + MINUTE).toISOString());
  watch.stop();
  assert.equal(clock.nextIn, null);
});
