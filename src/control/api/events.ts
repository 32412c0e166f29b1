import * as z from 'zod';
import { canonicalJson } from '../../base/json.ts';
import { type EventKind, eventKinds, type ViewerRights } from '../events/viewer.ts';
import type { ControlParts } from '../http/parts.ts';
import { ApiProblem } from '../http/problem.ts';
import { type Rights, route } from '../http/route.ts';
import { type SeenBy, seenBy } from '../http/seen-by.ts';
import { controlApprovals } from './approvals/view.ts';

/** What was judged is judged again after so long, since policies may look at the time. */
const JUDGED_MS = 10_000;
const RETRY = { headers: [['retry-after', '5'] as const] };

const id = z
  .string()
  .regex(/^[a-z0-9]{16}\.\d{1,15}$/, 'write the id of an event')
  .describe('The id of the last event that was read; the header `last-event-id` says the same.');

/** `GET /events`: what happens, as server-sent events. */
export const eventsRoute = route({
  name: 'events',
  method: 'GET',
  path: '/events',
  summary: 'Decisions and approvals as they come, as server-sent events; only what the caller may view',
  action: 'view',
  parameters: z.strictObject({
    of: z.enum(eventKinds).optional().describe('Only of these.'),
    after: id.optional(),
  }),
  body: null,
  answers: {
    200: {
      what: 'Events `decisions` and `approvals`, whose data is an item of these lists; `ready` at the beginning; `reset` where some are missing, so that the list is to be asked for. Each has an `id`, behind which a stream can go on',
      schema: z.string(),
    },
  },
  problems: [],
  idempotent: false,
  isStream: true,
  subject: () => null,
  prepare: async (call, parts) => {
    const { of } = call.parameters;
    const named = call.lastEventId === null ? call.parameters.after : id.safeParse(call.lastEventId).data;
    const kinds: ReadonlySet<EventKind> = new Set(of === undefined ? eventKinds : [of]);
    const judgedFor = judge(kinds, parts);
    const seeing = seenBy(call);
    const verdict = judgedFor.verdict(seeing);
    const viewer = {
      by: call.by,
      kinds,
      after: call.lastEventId === null || named !== undefined ? (named ?? null) : UNKNOWN,
      rights: seeing,
      again: judgedFor.again(call, seeing),
    };
    const run = async () => {
      const stream = parts.streams.open(viewer);
      if (stream === null) return ApiProblem.of('too_many_requests', 'too many streams at once', RETRY);
      return { status: 200 as const, body: null, stream };
    };
    return { about: {}, verdict, run };
  },
});

/** An id that no stream gave. */
const UNKNOWN = '';

/** Whether a stream may be had, and goes on: as the lists are, it is for whoever may see everything, its own, or something there. */
function judge(kinds: ReadonlySet<EventKind>, { approvals, tasks }: ControlParts) {
  const verdict = (seeing: SeenBy) => {
    const whole = seeing.verdict(0);
    if (whole.allowed || approvals === null || !kinds.has('approvals')) return whole;
    for (const request of approvals.all()) {
      const about = controlApprovals(request, tasks.registry.lookup);
      if (about.length > 0 && about.every((each) => seeing.maySee(each))) return seeing.verdict(1);
    }
    return whole;
  };
  const again = (call: Rights & { readonly again: () => Promise<Rights | ApiProblem> }, first: SeenBy) => {
    let [seeing, key, judgedAtMs] = [first, keyOf(call), performance.now()];
    return async (): Promise<ViewerRights | null> => {
      const rights = await call.again();
      if (rights instanceof ApiProblem) return null;
      const now = performance.now();
      if (keyOf(rights) === key && now - judgedAtMs < JUDGED_MS) return seeing;
      [seeing, key, judgedAtMs] = [seenBy(rights), keyOf(rights), now];
      return verdict(seeing).allowed ? seeing : null;
    };
  };
  return { verdict, again };
}

/** What rights rest on beside the time. */
const keyOf = ({ principal, revision }: Rights): string => canonicalJson({ principal, revision });
