import * as z from 'zod';
import type { ControlDecision } from '../../../policy/control/decide.ts';
import type { ApprovalBook, ApprovalRequest } from '../../../state/approvals/book.ts';
import { keptUntil, stateOfRequest } from '../../../state/approvals/request-state.ts';
import { cursorOf, firstBehind, listParameters, pageSchema, readCursor, visible } from '../../http/page.ts';
import type { ControlParts } from '../../http/parts.ts';
import { ApiProblem } from '../../http/problem.ts';
import { route } from '../../http/route.ts';
import { seenBy } from '../../http/seen-by.ts';
import {
  approvalStates,
  approvalStatus,
  approvalView,
  controlApprovals,
  shownApproval,
  shownRequest,
  shownRequests,
  shownStatus,
} from './view.ts';

/** Requests that one call looks at. */
const CANDIDATES = 1000;

export const approvalId = z
  .string()
  .regex(/^[A-Za-z0-9_-]{22}$/, 'write the id of a request as the list has it')
  .describe('Of the request, as the list or the denial has it.');

/** The approvals that are asked for here. */
export function knownApprovals({ approvals }: ControlParts): ApprovalBook | ApiProblem {
  return (
    approvals ?? ApiProblem.of('not_found', 'nothing can be granted here: there is no control.key and no trusted one')
  );
}

const MAX_TIME = 999_999_999_999_999;
/** In which order requests are listed. */
const keyBy =
  (isNewestFirst: boolean) =>
  ({ askedAtMs, id }: ApprovalRequest): string =>
    `${String(isNewestFirst ? MAX_TIME - askedAtMs : askedAtMs).padStart(15, '0')} ${id}`;

/** `GET /approvals`: what waits for a person, and what became of the rest. */
export const approvalsRoute = route({
  name: 'approvals',
  method: 'GET',
  path: '/approvals',
  summary: 'What denied calls ask an approval for, and what became of it',
  action: 'view',
  parameters: z.strictObject({
    ...listParameters,
    state: z.enum(approvalStates).optional().describe('Only those in this state.'),
    newest: z.enum(['true', 'false']).default('false').describe('true: those that were asked last come first.'),
    review: z
      .enum(['waiting'])
      .optional()
      .describe('Only those that one person let pass alone, and that another person has to look at.'),
  }),
  body: null,
  answers: { 200: { what: 'A page of requests', schema: pageSchema(approvalView) } },
  problems: ['cursor_invalid', 'not_found'],
  idempotent: false,
  subject: () => null,
  prepare: async (call, parts) => {
    const { limit, cursor, state, newest, review } = call.parameters;
    const { nowMs } = call;
    const list = newest === 'true' ? 'newest approvals' : 'approvals';
    const keyOf = keyBy(newest === 'true');
    const at = readCursor(list, 1, cursor);
    if (at instanceof ApiProblem) return at;
    const book = knownApprovals(parts);
    if (book instanceof ApiProblem) return book;
    const wanted = (request: ApprovalRequest) => {
      const broken = book.glass.find(request.id);
      if (review !== undefined && (broken === null || broken.review !== null)) return false;
      if (broken === null && keptUntil(request) <= nowMs) return false;
      return state === undefined || stateOfRequest(request, nowMs) === state;
    };
    const first = await firstBehind(shownRequests(book), keyOf, wanted, at?.[0] ?? null, CANDIDATES, call.slices);
    if (first instanceof ApiProblem) return first;
    const seeing = seenBy(call, ['approval']);
    const { lookup } = parts.tasks.registry;
    const maySee = (request: ApprovalRequest) => {
      const about = controlApprovals(request, lookup);
      return about.length > 0 && about.every((each) => seeing.maySee(each));
    };
    const seen = await visible(first, limit, { wanted: () => true, maySee }, call.slices);
    const last = seen.last ?? (first.length === CANDIDATES ? first.at(-1)! : null);
    const next = last === null ? null : cursorOf(list, keyOf(last));
    const items = seen.items.map((request) => shownApproval(request, nowMs, book));
    const body = { items, next, covers: parts.activity.covers };
    return { about: {}, verdict: seeing.verdict(items.length), run: async () => ({ status: 200, body }) };
  },
});

const OWN: ControlDecision = { allowed: true, permits: [], forbids: [], errors: [] };

/** `GET /approvals/{id}`: whoever asked is told what became of it, and whoever may view it sees it whole; others learn nothing. */
export const approvalRoute = route({
  name: 'approval',
  method: 'GET',
  path: '/approvals/{id}',
  summary: 'One request; whoever asked sees what became of it, without a policy',
  action: 'view',
  parameters: z.strictObject({ id: approvalId }),
  body: null,
  answers: { 200: { what: 'The request', schema: z.union([approvalView, approvalStatus]) } },
  problems: ['not_found'],
  idempotent: false,
  subject: () => null,
  prepare: async (call, parts) => {
    const book = knownApprovals(parts);
    if (book instanceof ApiProblem) return book;
    const request = shownRequest(book, call.parameters.id);
    const { nowMs } = call;
    const unknown = ApiProblem.of('not_found', 'no request that you asked for or may view has this id');
    if (request === null) return unknown;
    const about = controlApprovals(request, parts.tasks.registry.lookup);
    const [resource] = about;
    const decisions = about.map((each) => call.may('view', each));
    if (resource !== undefined && decisions.every(({ allowed }) => allowed)) {
      const body = shownApproval(request, nowMs, book);
      return { about: {}, verdict: decisions[0]!, resource, run: async () => ({ status: 200, body }) };
    }
    if (call.caller?.workload.id.text !== request.order.caller) return unknown;
    const body = shownStatus(request, nowMs);
    return { about: { own: true }, verdict: OWN, run: async () => ({ status: 200, body }) };
  },
});
