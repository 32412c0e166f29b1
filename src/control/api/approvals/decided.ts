import { hash } from 'node:crypto';
import * as z from 'zod';
import { canonicalJson } from '../../../base/json.ts';
import type { ApprovalRequest, GlassResult } from '../../../state/approvals/book.ts';
import type { ControlParts, ControlSnapshot } from '../../http/parts.ts';
import { ApiProblem } from '../../http/problem.ts';
import type { ApiReply, Subject } from '../../http/route.ts';
import { knownApprovals } from './read.ts';
import type { Behind } from './separation.ts';
import { approvalView, controlApprovals, shownApproval } from './view.ts';

/** What an order about a request gives. */
export const decidedSchema = z.object({
  approval: approvalView,
  at: z.iso.datetime().describe('When the store, or this process, had it.'),
  replicas: z.int().nullable().describe('How many replicas of the store had it then; null where nobody counts.'),
  covers: z.string().describe('Whom it reaches: `this process`, or all that share the `store`.'),
});

/** The request that an order names. */
export function requestOf(id: string, parts: ControlParts): ApprovalRequest | ApiProblem {
  const book = knownApprovals(parts);
  if (book instanceof ApiProblem) return book;
  return book.find(id) ?? ApiProblem.of('not_found', 'no request has this id');
}

export function approvalSubject(id: string, parts: ControlParts, order?: Subject['order']): Subject | ApiProblem {
  const request = requestOf(id, parts);
  if (request instanceof ApiProblem) return request;
  const [resource, ...more] = controlApprovals(request, parts.tasks.registry.lookup);
  if (resource === undefined) return ApiProblem.of('conflict', 'the request asks for nothing that policies can judge');
  return order === undefined ? { resource, more } : { resource, more, order };
}

/** What is known here of who stands behind requests. */
export const behindOf = ({ tasks }: ControlParts, { inventory }: ControlSnapshot): Behind => ({
  inventory,
  tasks: tasks.registry.lookup,
  subjectIssuers: tasks.subjectIssuers,
});

/** What the audit says of the request that was decided about: its digest, who asked, and the digest of all that was shown. */
export function shownTo(
  request: ApprovalRequest,
  nowMs: number,
  { approvals: book }: ControlParts,
): Readonly<Record<string, unknown>> {
  const { digest, approvals, caller } = request.order;
  // How many are like it changes with others.
  const { alike: _, ...facts } = shownApproval(request, nowMs, book!);
  const shown = hash('sha256', canonicalJson(facts), 'base64url');
  return {
    digest,
    approvals,
    asking: caller,
    shown,
    secondsSinceAsked: Math.round((nowMs - request.askedAtMs) / 1000),
  };
}

/** What an order gives whoever ordered it. */
export function orderAnswer(
  result: GlassResult,
  nowMs: number,
  { approvals: book }: ControlParts,
): ApiReply | ApiProblem {
  switch (result.result) {
    case 'stored':
    case 'unchanged': {
      const { request, atMs, replicas, covers } = result;
      const approval = shownApproval(request, nowMs, book!);
      return { status: 200, body: { approval, at: new Date(atMs).toISOString(), replicas, covers } };
    }
    case 'resting':
      return ApiProblem.of('break_glass_unreviewed', result.detail);
    case 'unknown':
      return ApiProblem.of('not_found', 'no request has this id');
    case 'conflict':
      return ApiProblem.of('conflict', result.detail);
    case 'unsigned':
      return ApiProblem.of('grant_unsigned', result.detail);
    case 'full':
      return ApiProblem.of('full', result.detail);
    case 'unavailable':
      return ApiProblem.of('state_unavailable', result.detail);
  }
}

/** The same, of an order that may be the decision: measures how long whoever asked waited for it. */
export function decided(
  result: GlassResult,
  decision: Parameters<ControlParts['measures']['decided']>[0],
  parts: ControlParts,
  nowMs: number,
): ApiReply | ApiProblem {
  if (result.result === 'stored') {
    const { closing, grant, askedAtMs } = result.request;
    const isDecided = decision === 'refused' ? closing?.kind === 'refused' : grant !== null;
    if (isDecided) parts.measures.decided(decision, Math.max(0, nowMs - askedAtMs) / 1000);
  }
  return orderAnswer(result, nowMs, parts);
}
