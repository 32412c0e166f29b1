import * as z from 'zod';
import type { CloseOrder } from '../../../state/approvals/book.ts';
import { ApiProblem } from '../../http/problem.ts';
import { type Call, route } from '../../http/route.ts';
import { approvalSubject, behindOf, decided, decidedSchema, requestOf, shownTo } from './decided.ts';
import { approvalId } from './read.ts';
import { isUnknownWho, ownRequest } from './separation.ts';

const parameters = z.strictObject({ id: approvalId });
const reason = z.string().min(1, 'an empty text; say why').max(2048).describe('Why.');

/** `POST /approvals/{id}/grant`: a person's yes. */
export const grantRoute = route({
  name: 'grantApproval',
  method: 'POST',
  path: '/approvals/{id}/grant',
  summary: 'Lets one request pass; where it takes two persons, the second one does',
  action: 'grant',
  parameters,
  body: z.strictObject({
    digest: z.string().min(1).max(64).describe('The `digest` of the request that was looked at.'),
    reason,
    uses: z.int().min(1).max(20).default(1).describe('How many of the very same request pass.'),
    seconds: z
      .int()
      .min(1)
      .max(28_800)
      .optional()
      .describe('How long after the grant; left out: as long as policies allow, at most ten minutes.'),
  }),
  answers: { 200: { what: 'The request as it is now', schema: decidedSchema } },
  problems: [
    'not_found',
    'conflict',
    'own_request',
    'grant_exceeded',
    'grant_unsigned',
    'sign_in_too_old',
    'full',
    'key_reused',
  ],
  idempotent: true,
  freshSignIn: true,
  subject: ({ parameters: { id }, body, nowMs }, parts) => {
    const seconds = body.seconds ?? 600;
    return approvalSubject(id, parts, { action: 'grant', uses: body.uses, untilMs: nowMs + seconds * 1000 });
  },
  prepare: async ({ parameters: { id }, body, person, by, nowMs }, parts) => {
    const request = requestOf(id, parts);
    if (request instanceof ApiProblem) return request;
    const snapshot = parts.snapshot();
    if (person === null || snapshot === null) return ApiProblem.of('not_permitted');
    // What policies judged is what the person looked at, and what is granted, whatever has its id by then.
    const { digest, approvals } = request.order;
    if (body.digest !== digest) return ApiProblem.of('conflict', 'it is not the request that was shown');
    const terms = snapshot.approvalTerms(approvals);
    if (terms === null) return ApiProblem.of('conflict', 'policies ask for this approval no more');
    const behind = behindOf(parts, snapshot);
    const own = ownRequest(person, request.order, behind);
    if (own !== null) return ApiProblem.of('own_request', own);
    const useForMs = body.seconds === undefined ? Math.min(600_000, terms.forMs) : body.seconds * 1000;
    if (body.uses > terms.uses || useForMs > terms.forMs)
      return ApiProblem.of('grant_exceeded', `policies allow ${terms.uses} uses within ${terms.forMs / 1000} s`);
    const quorum = isUnknownWho(request.order, behind) ? 2 : terms.quorum;
    const { reason, uses } = body;
    const given = { id, digest, approvals, by, reason, quorum, uses, useForMs } as const;
    const about = { ...shownTo(request, nowMs, parts), reason, quorum, uses, seconds: useForMs / 1000 };
    return {
      about,
      run: async (at) => decided(await parts.approvals!.grant(given, at), 'granted', parts, at),
    };
  },
});

/** `refuse` and `withdraw`: a person's no, before and after. */
const closeRoute = (kind: CloseOrder['kind'], action: 'refuse' | 'withdraw', summary: string) =>
  route({
    name: `${action}Approval`,
    method: 'POST',
    path: `/approvals/{id}/${action}`,
    summary,
    action,
    parameters,
    body: z.strictObject({ reason }),
    answers: { 200: { what: 'The request as it is now', schema: decidedSchema } },
    problems: ['not_found', 'conflict', 'full', 'key_reused'],
    idempotent: true,
    subject: ({ parameters: { id } }: Pick<Call<{ id: string }>, 'parameters'>, parts) => approvalSubject(id, parts),
    prepare: async ({ parameters: { id }, body, by, nowMs }, parts) => {
      const request = requestOf(id, parts);
      if (request instanceof ApiProblem) return request;
      const order = { id, kind, by, reason: body.reason };
      const about = { ...shownTo(request, nowMs, parts), reason: body.reason };
      return {
        about,
        run: async (at) => decided(await parts.approvals!.close(order, at), 'refused', parts, at),
      };
    },
  });

/** `POST /approvals/{id}/refuse`. */
export const refuseRoute = closeRoute(
  'refused',
  'refuse',
  'Refuses a request; the same is not asked again for ten minutes',
);
/** `POST /approvals/{id}/withdraw`. */
export const withdrawRoute = closeRoute(
  'withdrawn',
  'withdraw',
  'Ends a request or its grant; what was not used yet passes no more',
);
