import type { MessageRow } from './message-row.ts';

/** What becomes of spans. */
export const tracingMessages = {
  'spans not delivered': {
    level: 'warn',
    fields: ['collector', 'detail'],
    use: 'Correct what `detail` names; spans wait, and are dropped when too many do. Checks and the audit are not affected. One line for each new cause',
  },
  'spans delivered again': {
    level: 'info',
    fields: ['collector'],
    use: 'The collector takes spans again',
  },
} as const satisfies Readonly<Record<string, MessageRow>>;
