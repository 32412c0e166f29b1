import * as z from 'zod';
import type { KnownRevocation } from '../../state/revocation-book.ts';
import { statedSubject } from './subject.ts';

const time = z.iso.datetime();

/** A revocation as answers show it: what it names stands under the name of its kind, as in a file. */
export const revocationView = z.looseObject({
  id: z.string(),
  kind: z.enum(['workload', 'under', 'owner', 'task', 'token', 'key', 'certificate', 'subject']),
  issuedUpTo: time.nullable().describe('Only credentials issued up to then are hit; null: all.'),
  until: time.describe('When it ends by itself.'),
  reason: z.string(),
  by: z.string().describe('Who ordered it.'),
  origin: z.string().describe('`file`: revocations.yaml; `store`: the shared store; `memory`: this process alone'),
  orderedAt: time.nullable().describe('When it was ordered; null: a file does not say.'),
});

const timeOf = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

/** What answers show of a revocation. */
export function shownRevocation({ revocation, origin, orderedAtMs }: KnownRevocation) {
  const { id, kind, issuedUpToMs, untilMs, reason, by } = revocation;
  return {
    id,
    kind,
    ...statedSubject(revocation),
    issuedUpTo: timeOf(issuedUpToMs),
    until: timeOf(untilMs),
    reason,
    by,
    origin,
    orderedAt: timeOf(orderedAtMs),
  };
}
