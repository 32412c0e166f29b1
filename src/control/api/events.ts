import * as z from 'zod';
import { canonicalJson } from '../../base/json.ts';
import type { ControlResource } from '../../policy/control/question.ts';
import { type EventKind, eventKinds } from '../events/viewer.ts';
import { ApiProblem } from '../http/problem.ts';
import { type Rights, route } from '../http/route.ts';
import { seenBy } from '../http/seen-by.ts';

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
    const kinds = of === undefined ? eventKinds : [of];
    const seen = (rights: Rights) =>
      seenBy(
        rights,
        kinds.map((kind) => ABOUT[kind]),
        parts.judged.of(keyOf(rights)),
      );
    const seeing = seen(call);
    const viewer = {
      by: call.by,
      kinds: new Set(kinds),
      after: call.lastEventId === null || named !== undefined ? (named ?? null) : UNKNOWN,
      rights: seeing,
      again: async () => {
        const rights = await call.again();
        if (rights instanceof ApiProblem) return null;
        const seeingNow = seen(rights);
        return seeingNow.verdict(0).allowed ? seeingNow : null;
      },
    };
    const run = async () => {
      const stream = parts.streams.open(viewer);
      if (stream === null) return ApiProblem.of('too_many_requests', 'too many streams at once', RETRY);
      return { status: 200 as const, body: null, stream };
    };
    return { about: {}, verdict: seeing.verdict(0), run };
  },
});

/** An id that no stream gave. */
const UNKNOWN = '';

/** What an event of each kind is about: a stream is for whoever may see such things, as the lists are. */
const ABOUT = { decisions: 'workload', approvals: 'approval' } as const satisfies Readonly<
  Record<EventKind, ControlResource['kind']>
>;

/** What rights rest on beside the time. */
const keyOf = ({ principal, revision }: Rights): string => canonicalJson({ principal, revision });
