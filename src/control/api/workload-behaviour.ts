import * as z from 'zod';
import { Refusal } from '../../base/outcome.ts';
import { SpiffeId } from '../../base/spiffe-id.ts';
import { ApiProblem } from '../http/problem.ts';
import { route } from '../http/route.ts';

const count = z.object({
  seconds: z.int(),
  now: z.number().describe('How many there were in so many seconds.'),
  usual: z.number().describe('The most that is usual: beyond the double it is remarkable.'),
});
const share = z.object({
  now: z.int().describe('How many of `requests` were.'),
  requests: z.int().describe('The last requests since it was all usual; 0: it is.'),
  usual: z.number().describe('The share that is usual.'),
});

const shown = z.object({
  mode: z.enum(['learn', 'observe', 'act']),
  known: z.boolean().describe('Whether enough is known for a risk.'),
  requests: z.int().describe('Requests that were counted.'),
  days: z.number().describe('For how many days it was seen.'),
  last: z.iso.datetime().describe('When it was last seen.'),
  rates: z.array(count),
  apis: count.describe('Distinct apis.'),
  novel: share.describe('Requests to apis that it never used.'),
  refused: share.describe('Refusals that a thief gets.'),
  writes: share.describe('Writes.'),
  quarantinedUntil: z.iso.datetime().nullable().describe('Until when this process ordered a quarantine.'),
  covers: z.literal('this process'),
});

/** `GET /workloads/{id}/behaviour`: what is usual for a workload, and what is now. */
export const workloadBehaviourRoute = route({
  name: 'workload-behaviour',
  method: 'GET',
  path: '/workloads/{id}/behaviour',
  summary: 'What is usual for a workload, and what is now, as this process counts it',
  action: 'view',
  parameters: z.strictObject({ id: z.string().min(1).max(2048).describe('The SPIFFE ID, percent-encoded.') }),
  body: null,
  answers: { 200: { what: 'Usual and now, side by side', schema: shown } },
  problems: [],
  idempotent: false,
  subject: ({ parameters }) => {
    const id = SpiffeId.parse(parameters.id);
    return { resource: id instanceof Refusal ? { kind: 'everything' } : { kind: 'workload', id } };
  },
  prepare: async ({ parameters, nowMs }, { behaviour }) => {
    const id = SpiffeId.parse(parameters.id);
    const found = id instanceof Refusal ? null : behaviour.show(id, nowMs);
    if (found === null) return ApiProblem.of('not_found', 'this process has not seen such a workload');
    const { lastMs, quarantinedUntilMs, ...same } = found;
    const last = new Date(lastMs).toISOString();
    const quarantinedUntil = quarantinedUntilMs === null ? null : new Date(quarantinedUntilMs).toISOString();
    const body = { ...same, last, quarantinedUntil, covers: 'this process' as const };
    return { about: {}, run: async () => ({ status: 200, body }) };
  },
});
