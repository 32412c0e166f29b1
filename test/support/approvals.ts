import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import type { ApprovalBook, GlassOrder, GrantOrder, ReviewOrder } from '../../src/state/approvals/book.ts';
import { type ApprovalOrder, requestDigest } from '../../src/state/approvals/order.ts';

export const ASKING = 'spiffe://prod.example/ns/agents/sa/billing-agent';
export const ANN = 'https://idp.example ann';
export const BOB = 'https://idp.example bob';
export const CAROL = 'https://idp.example carol';

const BODY = '{"amount":20}';

/** What a denied call asks for, true to its digest unless `over` says otherwise. */
export function approvalOrder(over: Partial<ApprovalOrder> = {}): ApprovalOrder {
  const order = {
    approvals: ['resource-owner'],
    caller: ASKING,
    chain: [ASKING],
    task: { issuer: 'https://tts.prod.example', id: 't-42', purpose: 'issue-refunds', subject: 'carol' },
    action: 'POST',
    host: 'payments.internal',
    method: 'POST',
    path: '/refunds',
    query: null,
    contentType: 'application/json',
    headers: [],
    declared: null,
    body: { sha256: hash('sha256', BODY, 'base64url'), bytes: BODY.length, shown: BODY },
    owner: 'payments',
    sensitivity: 'restricted',
    ...over,
  };
  return { digest: requestDigest(order), ...order };
}

/** One person's yes to the request with this id. */
export const yes = (id: string, over: Partial<GrantOrder> = {}): GrantOrder => ({
  id,
  digest: approvalOrder().digest,
  approvals: approvalOrder().approvals,
  by: ANN,
  reason: 'it is in the contract',
  quorum: 1,
  uses: 1,
  useForMs: 600_000,
  ...over,
});

/** One person lets the request pass alone. */
export const glassBy = (by: string, id: string, { digest } = approvalOrder()): GlassOrder => ({
  ...{ id, digest, by },
  reason: 'the payments are down, INC-4711',
});

/** Another person has looked at it. */
export const reviewBy = (by: string, id: string): ReviewOrder => ({ id, by, reason: 'it was an emergency' });

/** Asks for an approval, which has to wait for a person; gives the id of the request. */
export async function askedFor(book: ApprovalBook, order = approvalOrder(), nowMs = Date.now()): Promise<string> {
  const result = await book.ask(order, nowMs);
  assert.equal(result.result, 'pending', JSON.stringify(result));
  return result.result === 'pending' ? result.id : '';
}
