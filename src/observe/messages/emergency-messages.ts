import type { MessageRow } from './message-row.ts';

/** What becomes of emergency forbids. */
export const emergencyMessages = {
  'emergency forbids in force': {
    level: 'warn',
    fields: ['policies'],
    use: 'The forbids of `emergency/` that hold from now on, each with its end; an empty list: none',
  },
  'emergency forbids refused': {
    level: 'error',
    fields: ['problems'],
    use: 'Of a file with a problem, what it held before stays in force: correct it',
  },
  'emergency forbid ends within a day': {
    level: 'warn',
    fields: ['policy', 'until'],
    use: 'Move it to the other policies if it has to stay, or write a later `@until`',
  },
  'emergency forbid ended': {
    level: 'warn',
    fields: ['policy'],
    use: 'It forbids nothing any more: remove its file',
  },
} as const satisfies Readonly<Record<string, MessageRow>>;
