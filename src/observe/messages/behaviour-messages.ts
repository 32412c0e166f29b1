import type { MessageRow } from './message-row.ts';

/** What is noticed about callers, and what is kept of it. */
export const behaviourMessages = {
  'workload quarantined': {
    level: 'warn',
    fields: ['workload', 'until', 'reason'],
    use: 'Its credential looks stolen: it is refused until then. `reason` has what was noticed; where that is normal, lift the revocation',
  },
  'quarantine not ordered': {
    level: 'error',
    fields: ['revocation', 'subject', 'detail'],
    use: 'This sidecar refuses what goes on looking stolen, and orders again every second; others do not know of it',
  },
  'too many workloads look stolen': {
    level: 'error',
    fields: ['workload'],
    use: 'At most 5 an hour, and 2 % at once, are quarantined: look whether credentials are stolen or what is usual is wrong. Policies that read risk still refuse them',
  },
  'behaviour file not written': {
    level: 'error',
    fields: ['file', 'cause'],
    use: 'What is usual for workloads is kept in memory alone: a restart forgets it. It is tried again after five minutes',
  },
} as const satisfies Readonly<Record<string, MessageRow>>;
