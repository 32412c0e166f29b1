import { hash } from 'node:crypto';
import * as z from 'zod';
import { type Revocation, subjectParts } from '../../state/revocation.ts';
import type { KnownRevocation } from '../../state/revocation-book.ts';
import { revocationId } from '../../state/revocation-entry.ts';
import { cursorOf, firstBehind, listParameters, pageSchema, readCursor, visible } from '../http/page.ts';
import { ApiProblem } from '../http/problem.ts';
import { route } from '../http/route.ts';
import { seenBy } from '../http/seen-by.ts';
import { revocationView, shownRevocation } from './revocation-view.ts';
import { resourceOf } from './subject.ts';

/** `GET /revocations`: those that apply or will apply, in the order of digests, so that no cursor names what may not be viewed. */
export const revocationsRoute = route({
  name: 'revocations',
  method: 'GET',
  path: '/revocations',
  summary: 'The revocations that apply or will apply',
  action: 'view',
  parameters: z.strictObject({
    ...listParameters,
    kind: revocationView.shape.kind.optional().describe('Only those of this kind.'),
    subject: z
      .string()
      .min(1)
      .max(4096)
      .optional()
      .describe('Only those that name this: the whole of it, or one part.'),
  }),
  body: null,
  answers: { 200: { what: 'A page of revocations', schema: pageSchema(revocationView) } },
  problems: ['cursor_invalid'],
  idempotent: false,
  subject: () => null,
  prepare: async (call, { book, activity, tasks }) => {
    const { limit, cursor, kind, subject } = call.parameters;
    const at = readCursor('revocations', 1, cursor);
    if (at instanceof ApiProblem) return at;
    const wanted = ({ revocation }: KnownRevocation) =>
      call.nowMs < revocation.untilMs && matches(revocation, kind, subject);
    const first = await firstBehind(book.all(), placeOf, wanted, at?.[0] ?? null, CANDIDATES, call.slices);
    if (first instanceof ApiProblem) return first;
    const seeing = seenBy(call, ['workload', 'path', 'team', 'trustDomain', 'task', 'credential']);
    const maySee = ({ revocation }: KnownRevocation) => seeing.maySee(resourceOf(revocation, tasks.registry.lookup));
    const seen = await visible(first, limit, { wanted: () => true, maySee }, call.slices);
    const last = seen.last ?? (first.length === CANDIDATES ? first.at(-1)! : null);
    const next = last === null ? null : cursorOf('revocations', placeOf(last));
    const body = { items: seen.items.map(shownRevocation), next, covers: activity.covers };
    return { about: {}, verdict: seeing.verdict(seen.items.length), run: async () => ({ status: 200, body }) };
  },
});

const placeOf = ({ revocation }: KnownRevocation): string => hash('sha256', revocation.id, 'base64url');

/** Revocations that one call looks at. */
const CANDIDATES = 1000;

function matches(revocation: Revocation, kind: string | undefined, subject: string | undefined): boolean {
  if (kind !== undefined && revocation.kind !== kind) return false;
  if (subject === undefined) return true;
  const parts = subjectParts(revocation.subject);
  return parts.includes(subject) || parts.join(' ') === subject;
}

/** `GET /revocations/{id}`. */
export const revocationRoute = route({
  name: 'revocation',
  method: 'GET',
  path: '/revocations/{id}',
  summary: 'One revocation',
  action: 'view',
  parameters: z.strictObject({ id: revocationId }),
  body: null,
  answers: { 200: { what: 'The revocation', schema: revocationView } },
  problems: [],
  idempotent: false,
  subject: ({ parameters }, { book, tasks }) => {
    const known = book.get(parameters.id);
    return { resource: known === null ? { kind: 'everything' } : resourceOf(known.revocation, tasks.registry.lookup) };
  },
  prepare: async ({ parameters }, { book }) => {
    const known = book.get(parameters.id);
    if (known === null) return ApiProblem.of('not_found', 'no revocation has this id');
    return { about: {}, run: async () => ({ status: 200, body: shownRevocation(known) }) };
  },
});
