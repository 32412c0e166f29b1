import type { MessageRow } from './message-row.ts';

/** What becomes of webhooks. */
export const noticeMessages = {
  'notice not delivered': {
    level: 'warn',
    fields: ['receiver', 'notice', 'type', 'attempt', 'detail'],
    use: 'It is tried again; `notice` is its `webhook-id`. Correct what `detail` names',
  },
  'notice lost': {
    level: 'error',
    fields: ['receiver', 'notice', 'type', 'attempt', 'detail'],
    use: 'It is tried no more: the receiver was not told. Look at the console, or at `approvals`',
  },
  'notice receiver cannot be told': {
    level: 'error',
    fields: ['receiver', 'detail'],
    use: 'At the start: correct the file that `detail` names; the next attempt reads it again',
  },
  'notice receiver disabled': {
    level: 'error',
    fields: ['receiver', 'detail'],
    use: 'It answered 410, and is told nothing more until the process starts again: correct or remove it under `control.notices`',
  },
} as const satisfies Readonly<Record<string, MessageRow>>;
