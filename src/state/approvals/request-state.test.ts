import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANN, approvalOrder } from '../../../test/support/approvals.ts';
import { ApprovalTable } from './approval-table.ts';
import { type ApprovalRequest, ASK_MS, MAX_USE_MS, REST_MS, SHOWN_MS } from './book.ts';
import { requestAskedFor } from './decisions.ts';
import { keptUntil, stateOfRequest } from './request-state.ts';

const NOW = 1_800_000_000_000;
const asked = requestAskedFor('A'.repeat(22), approvalOrder(), NOW);
const { askUntilMs } = asked;
const { digest, approvals } = asked.order;
const granted = (untilMs: number): ApprovalRequest => ({
  ...asked,
  grant: { id: asked.id, digest, approvals, uses: 1, untilMs, grantedAtMs: NOW, by: [ANN] },
});
const closed = (request: ApprovalRequest, atMs: number): ApprovalRequest => ({
  ...request,
  closing: { kind: 'withdrawn', atMs, by: ANN, reason: 'r' },
});

test('a request waits until it ends, and a grant lets pass until it ends, whatever the other clock says', () => {
  const states = (request: ApprovalRequest, ...at: readonly number[]) => at.map((ms) => stateOfRequest(request, ms));
  assert.deepEqual(states(asked, askUntilMs - 1, askUntilMs), ['pending', 'expired']);
  assert.deepEqual(states(granted(askUntilMs + 5), askUntilMs + 4, askUntilMs + 5), ['granted', 'expired']);
  assert.deepEqual(states(granted(NOW + 5), NOW + 4, NOW + 5), ['granted', 'expired']);
  assert.deepEqual(states(closed(granted(NOW + 5), NOW + 1), NOW + 2, NOW + 9), ['withdrawn', 'withdrawn']);
});

test('a request is remembered as long as anything that was signed of it could be used', () => {
  assert.equal(keptUntil(asked), askUntilMs + SHOWN_MS);
  assert.equal(keptUntil(granted(NOW + 1)), askUntilMs + SHOWN_MS);
  assert.equal(keptUntil(granted(NOW + MAX_USE_MS)), NOW + MAX_USE_MS + SHOWN_MS);
  assert.equal(keptUntil(closed(asked, NOW)), NOW + ASK_MS + MAX_USE_MS + SHOWN_MS);
  const atTheEnd = askUntilMs + MAX_USE_MS;
  assert.equal(keptUntil(closed(asked, atTheEnd)), atTheEnd + REST_MS + SHOWN_MS);
});

test('a table forgets what nobody has to remember, and nothing else', () => {
  const table = new ApprovalTable(0);
  table.set(asked);
  table.remove('another');
  table.dropOver(keptUntil(asked) - 1);
  assert.equal(table.find(asked.id)?.id, asked.id);
  table.dropOver(keptUntil(asked));
  assert.deepEqual([table.size, table.find(asked.id), table.ofDigest(digest)], [0, null, null]);
});
