import * as z from 'zod';
import { Fault } from '../../base/fault.ts';
import { Refusal } from '../../base/outcome.ts';
import { SpiffeId } from '../../base/spiffe-id.ts';
import type { ControlResource } from '../../policy/control/question.ts';
import { BAD_CURSOR, type DecisionSummary } from '../../state/activity/model.ts';
import { listParameters, pageSchema } from '../http/page.ts';
import { ApiProblem } from '../http/problem.ts';
import { route } from '../http/route.ts';
import { seenBy } from '../http/seen-by.ts';

/** Pages of what is kept that are looked through for one page of what may be seen. */
const MAX_PAGES = 40;
const text = z.string().min(1).max(2048);
const nullable = z.string().nullable();

const decisionView = z.object({
  decision: z.string().describe('The id of the decision in the audit.'),
  time: z.iso.datetime().describe('When the check began.'),
  result: z.enum(['allow', 'deny']),
  reason: z.string().describe('`permitted`, `observed`, or a code of reasons.md.'),
  caller: z
    .object({ id: z.string(), owner: nullable, credential: nullable })
    .nullable()
    .describe('Who was proven; null where nobody was.'),
  task: z.object({ issuer: z.string(), id: z.string(), purpose: z.string() }).nullable(),
  action: nullable,
  resource: z.object({ id: z.string(), api: nullable }).nullable(),
  host: nullable.describe('As the request named it; nothing is proven.'),
  sidecar: z.string().describe('Which sidecar decided.'),
  omitted: z.int().describe('Denials before it that are not kept, since its caller has used up its share.'),
});

/** `GET /decisions`: each denial and one in some allows, the newest first. */
export const decisionsRoute = route({
  name: 'decisions',
  method: 'GET',
  path: '/decisions',
  summary: 'What was decided lately: each denial and one in some allows, the newest first',
  action: 'view',
  parameters: z.strictObject({
    ...listParameters,
    workload: text.optional().describe('Only of this caller: a SPIFFE ID.'),
    reason: text.optional().describe('Only with this reason.'),
    result: z.enum(['allow', 'deny']).optional().describe('Only with this result.'),
    since: z.iso
      .datetime({ offset: true, error: 'write a time such as 2026-11-30T12:00:00Z' })
      .optional()
      .describe('Only from then on.'),
  }),
  body: null,
  answers: { 200: { what: 'A page of decisions', schema: pageSchema(decisionView) } },
  problems: ['cursor_invalid', 'state_unavailable'],
  idempotent: false,
  subject: () => null,
  prepare: async (call, { activity }) => {
    const { limit, cursor, workload = null, reason = null, result = null, since } = call.parameters;
    const filter = { workload, reason, result, sinceMs: since === undefined ? null : Date.parse(since) };
    const seeing = seenBy(call, ['workload']);
    const items: DecisionSummary[] = [];
    let next: string | null = cursor ?? null;
    for (let page = 0; page < MAX_PAGES && items.length < limit; page++) {
      const found = await activity.decisions(filter, limit - items.length, next);
      if (found === BAD_CURSOR) return ApiProblem.of('cursor_invalid', 'write `next` of the page before');
      if (found instanceof Fault) return ApiProblem.of('state_unavailable', found.detail);
      next = found.next;
      let isOver = false;
      for (const item of found.items) {
        isOver = (call.slices.due && !(await call.slices.pause())) || isOver;
        if (seeing.maySee(resourceOfCaller(item.caller))) items.push(item);
      }
      if (next === null || isOver) break;
    }
    const body = { items: items.map(shownDecision), next, covers: activity.covers };
    return { about: {}, verdict: seeing.verdict(items.length), run: async () => ({ status: 200, body }) };
  },
});

/** Of what nobody was proven for, only who may view everything learns. */
export function resourceOfCaller(caller: string | null): ControlResource {
  const id = caller === null ? null : SpiffeId.parse(caller);
  return id === null || id instanceof Refusal ? { kind: 'everything' } : { kind: 'workload', id };
}

/** A decision as lists and events have it. */
export const shownDecision = ({ timeMs, caller, owner, credential, ...rest }: DecisionSummary) => ({
  ...rest,
  time: new Date(timeMs).toISOString(),
  caller: caller === null ? null : { id: caller, owner, credential },
});
