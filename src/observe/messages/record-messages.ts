import type { MessageRow } from './message-row.ts';

/** What happens to registered tasks and approvals in a store. */
export const recordMessages = {
  'task records rejected': {
    level: 'error',
    fields: ['tasks', 'count'],
    use: 'The store holds beginnings or leases of these tasks that no key of `control.trustedKeys` signed: a key that is missing here, or somebody who writes to the store without one. They open nothing',
  },
  'tasks written back to the store': {
    level: 'warn',
    fields: ['tasks'],
    use: 'The store had lost so many registered tasks, or their leases or ends: a failover, a restart without its file, or somebody who deletes them',
  },
  'tasks could not be written back to the store': {
    level: 'error',
    fields: ['detail'],
    use: 'This sidecar goes on with them, others do not know them: see `detail`. It is tried again with the next full read',
  },
  'grants rejected': {
    level: 'error',
    fields: ['approvals', 'count'],
    use: 'The store holds grants of these requests that no key of `control.trustedKeys` signed: a key that is missing here, or somebody who writes to the store without one. They let nothing pass. `break-glass` stands for one, a review of one, or the beginning of their record',
  },
  'approvals written back to the store': {
    level: 'warn',
    fields: ['approvals'],
    use: 'The store had lost so many requests for approvals, or what became of them: a failover, a restart without its file, or somebody who deletes them',
  },
  'approvals could not be written back to the store': {
    level: 'error',
    fields: ['detail'],
    use: 'This sidecar goes on with them, others do not know them: see `detail`. It is tried again with the next full read',
  },
} as const satisfies Readonly<Record<string, MessageRow>>;
