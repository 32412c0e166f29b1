import { bucketHash } from '../../src/state/hash-chains.ts';
import { type Revocation, type RevocationKind, subjectKey } from '../../src/state/revocation.ts';

const HOUR_MS = 3_600_000;

/** An order to revoke a workload, or whatever `more` says. */
export function orderOf(id: string, more: Partial<Revocation> = {}): Revocation {
  const kind: RevocationKind = more.kind ?? 'workload';
  return {
    id,
    kind,
    subject: subjectKey(kind, `spiffe://prod.example/${id}`),
    issuedUpToMs: null,
    untilMs: Date.now() + HOUR_MS,
    reason: 'tested',
    by: 'security@example.com',
    ...more,
  };
}

/** What a request rests on that this order hits. */
export const hitBy = ({ subject: text }: Revocation) => [
  { subjects: [{ text, hash: bucketHash(text) }], issuedAt: null },
];
