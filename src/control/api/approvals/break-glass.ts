import * as z from 'zod';
import { Fault } from '../../../base/fault.ts';
import { Refusal } from '../../../base/outcome.ts';
import { SpiffeId } from '../../../base/spiffe-id.ts';
import type { Inventory } from '../../../inventory/inventory.ts';
import type { ApprovalBook, ApprovalRequest, ReviewOrder, ReviewResult } from '../../../state/approvals/book.ts';
import { BEGINNING, GLASS_USE_MS } from '../../../state/approvals/break-glass.ts';
import { subjectOf as revocableOf, subjectsOfWorkload } from '../../../state/revocation.ts';
import type { ControlParts, GlassOutcome } from '../../http/parts.ts';
import { ApiProblem } from '../../http/problem.ts';
import { type ApiReply, route, type Subject } from '../../http/route.ts';
import { approvalSubject, behindOf, decided, decidedSchema, orderAnswer, requestOf, shownTo } from './decided.ts';
import { approvalId, knownApprovals } from './read.ts';
import { askedForItself } from './separation.ts';
import { approvalView, controlApprovals, shownApproval, shownRequest } from './view.ts';

const reasonOf = (least: number) => z.string().trim().min(least, `say why, in at least ${least} characters`).max(1024);

/** `POST /approvals/{id}/break-glass`: one person alone, at once, in an emergency. */
export const breakGlassRoute = route({
  name: 'breakGlass',
  method: 'POST',
  path: '/approvals/{id}/break-glass',
  summary: 'Lets one request pass once, by one person alone; another person has to review it within 24 hours',
  action: 'breakGlass',
  parameters: z.strictObject({ id: approvalId }),
  body: z.strictObject({
    digest: z.string().min(1).max(64).describe('The `digest` of the request that was looked at.'),
    reason: reasonOf(20).describe('Why it cannot wait, and under which ticket.'),
  }),
  answers: { 200: { what: 'The request as it is now', schema: decidedSchema } },
  problems: [
    'not_found',
    'conflict',
    'own_request',
    'break_glass_unreviewed',
    'grant_unsigned',
    'sign_in_too_old',
    'full',
    'key_reused',
  ],
  idempotent: true,
  freshSignIn: true,
  subject: ({ parameters: { id } }, parts) => approvalSubject(id, parts),
  prepare: async ({ parameters: { id }, body, person, by, nowMs }, parts) => {
    const request = requestOf(id, parts);
    if (request instanceof ApiProblem) return request;
    const snapshot = parts.snapshot();
    if (person === null || snapshot === null) return ApiProblem.of('not_permitted');
    const { approvals, measures } = parts;
    const own = askedForItself(person, request.order, behindOf(parts, snapshot));
    const refused =
      own === null
        ? (askerIsOver(request, snapshot.inventory, parts, nowMs) ?? resting(approvals!, by, nowMs))
        : ApiProblem.of('own_request', own);
    if (refused !== null) {
      measures.brokeGlass(outcomeOf(refused));
      return refused;
    }
    const given = { id, digest: body.digest, by, reason: body.reason };
    const about = { ...shownTo(request, nowMs, parts), reason: body.reason, uses: 1, seconds: GLASS_USE_MS / 1000 };
    return {
      about,
      run: async (at) => {
        const reply = decided(await approvals!.breakGlass(given, at), 'break-glass', parts, at);
        measures.brokeGlass(reply instanceof ApiProblem ? outcomeOf(reply) : 'used');
        return reply;
      },
    };
  },
});

function resting({ glass }: ApprovalBook, by: string, nowMs: number): ApiProblem | null {
  const why = glass.rests(by, nowMs);
  return why === null ? null : ApiProblem.of('break_glass_unreviewed', why);
}

const outcomeOf = ({ code }: ApiProblem): GlassOutcome =>
  code === 'break_glass_unreviewed' ? 'unreviewed' : 'refused';

/** Why what asks may not pass whoever lets it: it would be refused when it comes. */
function askerIsOver(
  { order, askedAtMs }: ApprovalRequest,
  inventory: Inventory,
  { revocations, tasks }: ControlParts,
  nowMs: number,
): ApiProblem | null {
  const revoked = revocations(nowMs);
  if (revoked instanceof Fault) return ApiProblem.of('state_unavailable', revoked.detail);
  const known = tasks.current(nowMs);
  if (known instanceof Fault) return ApiProblem.of('state_unavailable', known.detail);
  const { task } = order;
  const workloads = [order.caller, ...order.chain].map((text) => SpiffeId.parse(text));
  const ids = workloads.filter((id) => id instanceof SpiffeId);
  const owners = ids.flatMap((id) => {
    const workload = inventory.workload(id);
    return workload instanceof Refusal ? [] : [revocableOf('owner', workload.owner)];
  });
  const ofTask = task === null ? [] : [revocableOf('task', task.issuer, task.id)];
  const ofSubject = task?.subject == null ? [] : [revocableOf('subject', task.issuer, task.subject)];
  const subjects = [...ids.flatMap(subjectsOfWorkload), ...owners, ...ofTask, ...ofSubject];
  // What it showed when it asked was issued before.
  const hit = revoked.find([{ subjects, issuedAt: askedAtMs / 1000 }], nowMs);
  if (hit !== null) return ApiProblem.of('conflict', `what asks is revoked by ${hit.id}`);
  const registered = task === null ? null : known.find(task.issuer, task.id);
  const state = registered === null ? 'active' : known.stateOf(registered, nowMs);
  return state === 'active' ? null : ApiProblem.of('conflict', `the task is ${state}`);
}

const reviewSchema = z.object({
  ...decidedSchema.shape,
  approval: approvalView.nullable().describe(`The request; null for the \`${BEGINNING}\`.`),
});

/** `POST /approvals/{id}/review`: a second person's look at a break-glass. */
export const reviewRoute = route({
  name: 'reviewBreakGlass',
  method: 'POST',
  path: '/approvals/{id}/review',
  summary: 'Says that another person has looked at a break-glass, or that none waits which the store has forgotten',
  action: 'review',
  parameters: z.strictObject({
    id: z
      .union([approvalId, z.literal(BEGINNING)])
      .describe(`Of the request that was let pass; \`${BEGINNING}\`: that the audit tells of none that waits.`),
  }),
  body: z.strictObject({ reason: reasonOf(1).describe('What was found.') }),
  answers: { 200: { what: 'The request as it is now', schema: reviewSchema } },
  problems: ['not_found', 'conflict', 'own_request', 'grant_unsigned', 'sign_in_too_old', 'full', 'key_reused'],
  idempotent: true,
  freshSignIn: true,
  subject: ({ parameters: { id } }, parts): Subject | ApiProblem => {
    const book = knownApprovals(parts);
    if (book instanceof ApiProblem) return book;
    if (id === BEGINNING) return { resource: { kind: 'everything' } };
    const broken = book.glass.find(id);
    if (broken === null) return ApiProblem.of('not_found', 'no break-glass has this id');
    const [resource, ...more] = controlApprovals(broken.asked, parts.tasks.registry.lookup);
    return resource === undefined
      ? ApiProblem.of('conflict', 'the request asks for nothing that policies can judge')
      : { resource, more };
  },
  prepare: async ({ parameters: { id }, body, person, by, nowMs }, parts) => {
    const broken = parts.approvals!.glass.find(id);
    const snapshot = parts.snapshot();
    if (person === null || snapshot === null) return ApiProblem.of('not_permitted');
    if (broken?.use.by === by) return ApiProblem.of('own_request', 'it is your own: another person reviews it');
    const own = broken === null ? null : askedForItself(person, broken.asked.order, behindOf(parts, snapshot));
    if (own !== null) return ApiProblem.of('own_request', own);
    const order = { id, by, reason: body.reason };
    const about = {
      ...(broken === null ? {} : { ...shownTo(broken.asked, nowMs, parts), brokenBy: broken.use.by }),
      reason: body.reason,
    };
    return { about, run: async (at) => reviewed(order, await parts.approvals!.review(order, at), parts, at) };
  },
});

function reviewed(
  { id }: ReviewOrder,
  result: ReviewResult,
  parts: ControlParts,
  nowMs: number,
): ApiReply | ApiProblem {
  if (result.result !== 'stored') return orderAnswer(result, nowMs, parts);
  parts.measures.brokeGlass('reviewed');
  const { broken, atMs, replicas, covers } = result;
  const book = parts.approvals!;
  const request = broken === null ? null : shownRequest(book, id);
  const approval = request === null ? null : shownApproval(request, nowMs, book);
  return { status: 200, body: { approval, at: new Date(atMs).toISOString(), replicas, covers } };
}
