import * as z from 'zod';
import { Refusal } from '../../base/outcome.ts';
import { SpiffeId } from '../../base/spiffe-id.ts';
import type { BehaviourBook } from '../http/parts.ts';
import { ApiProblem } from '../http/problem.ts';
import { type ApiReply, route } from '../http/route.ts';

const parameters = z.strictObject({
  id: z.string().min(1).max(2048).describe('The SPIFFE ID, percent-encoded.'),
});

/** More than the base64 of any baseline. */
const MAX_TEXT = 16_384;
const baseline = z.strictObject({
  hashes: z.string().min(1).max(64).describe('Names the hashes that it was learned with.'),
  data: z.base64().min(1).max(MAX_TEXT).describe('What was learned.'),
});
const orders = ['forget', 'accept', 'import'] as const;
type BaselineOrder = (typeof orders)[number];

const notSeen = (): ApiProblem => ApiProblem.of('not_found', 'this process has not seen such a workload');

function workloadOf(text: string): SpiffeId | ApiProblem {
  const id = SpiffeId.parse(text);
  if (!(id instanceof Refusal)) return id;
  return ApiProblem.of('parameters_invalid', null, { wrong: [{ at: '/id', message: 'is no SPIFFE ID' }] });
}

/** `GET /workloads/{id}/baseline`: what was learned of a workload, for `import`. */
export const baselineRoute = route({
  name: 'workload-baseline',
  method: 'GET',
  path: '/workloads/{id}/baseline',
  summary: 'What was learned of a workload, as it can be put back later',
  action: 'view',
  parameters,
  body: null,
  answers: { 200: { what: 'The baseline', schema: z.object({ workload: z.string(), baseline }) } },
  problems: [],
  idempotent: false,
  subject: ({ parameters: { id: text } }) => {
    const id = workloadOf(text);
    return id instanceof ApiProblem ? id : { resource: { kind: 'workload', id } };
  },
  prepare: async ({ parameters: { id: text } }, { behaviour }) => {
    const id = workloadOf(text);
    if (id instanceof ApiProblem) return id;
    const kept = behaviour.keep(id);
    if (kept === null) return notSeen();
    const shown = { hashes: kept.hashes, data: Buffer.from(kept.bytes).toString('base64') };
    return { about: {}, run: async () => ({ status: 200, body: { workload: id.text, baseline: shown } }) };
  },
});

/** `POST /workloads/{id}/baseline`: forgets it, says that what it did lately is normal, or puts back what was kept. */
export const teachRoute = route({
  name: 'teach',
  method: 'POST',
  path: '/workloads/{id}/baseline',
  summary: 'Forgets what was learned of a workload, says that what it did lately is normal, or puts back what was kept',
  action: 'teach',
  parameters,
  body: z
    .strictObject({
      order: z.enum(orders).describe('`accept`: what it did lately, and never before, is usual from now on.'),
      reason: z.string().min(1, 'an empty text; say why').max(2048).describe('Why.'),
      baseline: baseline.optional().describe('With `import`: as `GET` of the same path gave it.'),
    })
    .refine(({ order, baseline: given }) => (order === 'import') === (given !== undefined), {
      path: ['baseline'],
      message: 'belongs to import, and to nothing else',
    }),
  answers: {
    200: {
      what: 'The order is taken',
      schema: z.object({
        workload: z.string(),
        order: z.enum(orders),
        covers: z
          .enum(['this process', 'store'])
          .describe('Whom it reaches: `this process`, or all that share the `store`.'),
      }),
    },
  },
  problems: ['baseline_foreign', 'key_reused', 'conflict'],
  idempotent: true,
  subject: ({ parameters: { id: text } }) => {
    const id = workloadOf(text);
    return id instanceof ApiProblem ? id : { resource: { kind: 'workload', id } };
  },
  prepare: async ({ parameters: { id: text }, body: { order, reason, baseline: given } }, { behaviour }) => {
    const id = workloadOf(text);
    if (id instanceof ApiProblem) return id;
    if (order !== 'import' && behaviour.keep(id) === null) return notSeen();
    const run = async () => carriedOut(id, order, given, behaviour);
    return { about: { order, reason }, run };
  },
});

function carriedOut(
  id: SpiffeId,
  order: BaselineOrder,
  given: z.output<typeof baseline> | undefined,
  behaviour: BehaviourBook,
): ApiReply | ApiProblem {
  if (order === 'import') {
    const { hashes = '', data = '' } = given ?? {};
    const result = behaviour.putBack(id, { hashes, bytes: Buffer.from(data, 'base64') });
    if (result === 'other hashes')
      return ApiProblem.of('baseline_foreign', 'it says nothing here: put it back where it comes from');
    if (result === 'no baseline')
      return ApiProblem.of('body_invalid', null, { wrong: [{ at: '/baseline/data', message: 'is no baseline' }] });
  } else if (!behaviour[order](id)) return notSeen();
  return { status: 200, body: { workload: id.text, order, covers: behaviour.covers } };
}
