import type { MessageRow } from './message-row.ts';

/** What is said of legacy accounts. */
export const legacyMessages = {
  'API keys must be rotated': {
    level: 'warn',
    fields: ['count', 'accounts'],
    use: 'The keys of these legacy accounts end within 14 days, or have ended: make new ones with `key new`, and give them to the accounts. One line a day',
  },
} as const satisfies Readonly<Record<string, MessageRow>>;
