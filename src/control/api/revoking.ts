import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import type { Revocation } from '../../state/revocation.ts';
import type { OrderResult } from '../../state/revocation-book.ts';
import { revocationId } from '../../state/revocation-entry.ts';
import { digestOf } from '../http/idempotency.ts';
import { ApiProblem } from '../http/problem.ts';
import { type ApiReply, type Call, route } from '../http/route.ts';
import { type Hits, hitsInWords, hitsOf } from './hits.ts';
import { type Order, orderProblem, orderSchema } from './order.ts';
import { revocationView, shownRevocation } from './revocation-view.ts';
import { resourceOf, statedSubject } from './subject.ts';
import { notTaken } from './tasks/not-taken.ts';

const hitsSchema = z.object({
  workloads: z
    .int()
    .nullable()
    .describe(
      'Workloads of the inventory that it reaches, and those of its prefix that were seen lately; null: not known, as of a token, a key or a certificate.',
    ),
  tasks: z.int().nullable().describe('Tasks that were shown and have not ended; null: not known.'),
  known: z.boolean().describe('Whether what it names is known here.'),
});
const taken = {
  at: z.iso.datetime().describe('When the store, or this process, had it.'),
  replicas: z.int().nullable().describe('How many replicas of the store had it then; null where nobody counts.'),
  covers: z.string().describe('Whom it reaches: `this process`, or all that share the `store`.'),
};
const dryRun = z
  .enum(['true', 'false'])
  .default('false')
  .describe('true: says what the order would hit, and changes nothing.');

/** `POST /revocations`: refuses from now on what is valid otherwise, or says whom that would hit. */
export const revokeRoute = route({
  name: 'revoke',
  method: 'POST',
  path: '/revocations',
  summary: 'Revokes a workload, a prefix, a team, a task, a token, a key, a certificate or a subject',
  action: 'revoke',
  parameters: z.strictObject({ dryRun }),
  body: orderSchema,
  answers: {
    200: {
      what: 'With `dryRun=true`: what the order would hit',
      schema: z.object({ hits: hitsSchema, summary: z.string().describe('The same in words.') }),
    },
    201: {
      what: 'The revocation that is in force now',
      schema: z.object({ revocation: revocationView, ...taken, hits: hitsSchema }),
    },
  },
  problems: ['subject_unknown', 'end_past', 'confirm_missing', 'prefix_not_whole', 'key_reused', 'conflict', 'full'],
  idempotent: true,
  subject: ({ body, parameters }, { tasks }) => ({
    resource: resourceOf(body, tasks.registry.lookup),
    order: { action: 'revoke', dryRun: parameters.dryRun === 'true', untilMs: body.untilMs },
  }),
  prepare: async (call, parts) => {
    const { body: order, nowMs } = call;
    const problem = orderProblem(order, parts, nowMs);
    if (problem !== null) return problem;
    const { inventory } = parts.snapshot() ?? {};
    if (inventory === undefined) return ApiProblem.of('policy_unavailable');
    const hits = await hitsOf(order, inventory, parts, call.slices);
    if (hits instanceof ApiProblem) return hits;
    const isDry = call.parameters.dryRun === 'true';
    const revocation = revocationBy(call, order);
    const about = { dryRun: isDry, revocation: stated(revocation), hits };
    if (isDry) return { about, run: async () => ({ status: 200, body: { hits, summary: hitsInWords(hits) } }) };
    return { about, run: async () => ordered(await parts.book.revoke(revocation, nowMs), revocation, hits) };
  },
});

/**
 * The revocation of an order. An id that has to be made is made of the caller and the idempotency key, where there is one:
 * the same order is the same revocation then, whichever process it is given to.
 */
function revocationBy({ by, idempotencyKey }: Pick<Call, 'by' | 'idempotencyKey'>, order: Order): Revocation {
  const { kind, subject, issuedUpToMs, untilMs, reason } = order;
  const made = idempotencyKey === null ? randomBytes(15).toString('base64url') : digestOf(by, idempotencyKey);
  const id = order.id ?? `r-${made.slice(0, 20)}`;
  return { id, kind, subject, issuedUpToMs, untilMs, reason, by };
}

const stated = (revocation: Revocation) => {
  const { id, issuedUpToMs, untilMs, reason } = revocation;
  const issuedUpTo = issuedUpToMs === null ? null : new Date(issuedUpToMs).toISOString();
  return { id, ...statedSubject(revocation), issuedUpTo, until: new Date(untilMs).toISOString(), reason };
};

function ordered(result: OrderResult, revocation: Revocation, hits: Hits): ApiReply | ApiProblem {
  if (!('covers' in result)) return notTaken(result, words);
  const { atMs, replicas, covers } = result;
  const origin = covers === 'store' ? 'store' : 'memory';
  const shown = shownRevocation({ revocation, origin, orderedAtMs: atMs });
  return { status: 201, body: { revocation: shown, at: new Date(atMs).toISOString(), replicas, covers, hits } };
}

const words = { unknown: ['not_found', 'no revocation has this id'], unsigned: 'lift_unsigned' } as const;

/** `POST /revocations/{id}/lift`: ends a revocation before its end. */
export const liftRoute = route({
  name: 'lift',
  method: 'POST',
  path: '/revocations/{id}/lift',
  summary: 'Ends a revocation before its end',
  action: 'lift',
  parameters: z.strictObject({ id: revocationId }),
  body: z.strictObject({ reason: z.string().min(1, 'an empty text; say why').max(2048).describe('Why.') }),
  answers: { 200: { what: 'The revocation is lifted', schema: z.object({ id: z.string(), ...taken }) } },
  problems: ['key_reused', 'conflict', 'lift_unsigned', 'sign_in_too_old', 'full'],
  idempotent: true,
  freshSignIn: true,
  subject: ({ parameters }, parts) => {
    const known = parts.book.get(parameters.id);
    // Whether there is one may learn who may lift all.
    return {
      resource: known === null ? { kind: 'everything' } : resourceOf(known.revocation, parts.tasks.registry.lookup),
    };
  },
  prepare: async ({ parameters: { id }, body: { reason }, by, nowMs }, parts) => {
    const known = parts.book.get(id);
    if (known === null) return ApiProblem.of('not_found', 'no revocation has this id');
    const about = { revocation: stated(known.revocation), reason };
    const run = async (): Promise<ApiReply | ApiProblem> => {
      const result = await parts.book.lift({ id, reason, by, atMs: nowMs });
      if (!('covers' in result)) return notTaken(result, words);
      const { atMs, replicas, covers } = result;
      return { status: 200, body: { id, at: new Date(atMs).toISOString(), replicas, covers } };
    };
    return { about, run };
  },
});
