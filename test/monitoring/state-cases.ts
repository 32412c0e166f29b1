import { type AlertCases, early, flat, labelled, late } from './alert-case.ts';

export const stateCases: AlertCases = {
  AuthzStoreDown: {
    series: { authz_store_up: flat(0) },
    summary: 'authz-1: the store cannot be used',
    quiet: { authz_store_up: flat(1) },
  },
  AuthzStateStale: ['revocations', 'tasks', 'approvals'].map((what) => ({
    series: {
      authz_revocations_staleness_limit_seconds: flat(2),
      [`authz_${what}_staleness_seconds`]: flat(1.5),
    },
    summary: 'authz-1: what it knows of the store is 1.5s old',
    quiet: { [`authz_${what}_staleness_seconds`]: flat(0.9) },
  })),
  AuthzStoreSlow: [
    {
      series: { authz_store_answer_age_seconds: flat(1.2) },
      summary: 'authz-1: the store, or the network, hangs',
      quiet: { authz_store_answer_age_seconds: flat(0.9) },
    },
    {
      series: { authz_store_waiting_calls: flat(501), authz_store_waiting_limit: flat(1000) },
      summary: 'authz-1: the store, or the network, hangs',
      quiet: { authz_store_waiting_calls: flat(499) },
    },
  ],
  AuthzStoreClockSkew: {
    series: { authz_store_clock_skew_seconds: flat(-1.5) },
    summary: 'authz-1: its clock and that of the store differ by 1.5s',
    quiet: { authz_store_clock_skew_seconds: flat(-0.9) },
  },
  AuthzStoreReset: {
    series: { authz_store_histories_total: late },
    summary: 'authz-1: the store began a new history',
    quiet: { authz_store_histories_total: flat(1) },
  },
  AuthzStoreReconnecting: {
    series: { authz_store_connects_total: '0+0x34 1+1x20' },
    summary: 'authz-1: 14 connections to the store were made within 15 minutes',
    quiet: { authz_store_connects_total: '0+0x41 1+1x2 3+0x600' },
  },
  AuthzStoreMemoryFilling: {
    series: { authz_store_memory_bytes: flat(850), authz_store_memory_limit_bytes: flat(1000) },
    summary: 'authz-1: 85% of the memory of the store is used',
    quiet: { authz_store_memory_bytes: flat(790) },
  },
  AuthzStoreSharesFilling: [
    ...[
      ['authz_store_revocations', 'authz_store_revocations_limit'],
      ['authz_store_revocations_bytes', 'authz_store_revocations_limit_bytes'],
      ['authz_store_tasks_bytes', 'authz_store_tasks_limit_bytes'],
    ].map(([level = '', limit = '']) => ({
      series: { [level]: flat(60), [limit]: flat(100) },
      summary: 'authz-1: 60% of what may be revoked or registered is',
      quiet: { [level]: flat(40) },
    })),
    {
      series: { authz_tasks: flat(40), authz_tasks_over: flat(20), authz_tasks_limit: flat(100) },
      summary: 'authz-1: 60% of what may be revoked or registered is',
      quiet: { authz_tasks_over: flat(5) },
    },
  ],
  AuthzProofsFilling: ['proofs', 'counts', 'touched'].map((cache) => ({
    series: {
      [`authz_cache_entries{cache="${cache}"}`]: flat(90),
      [`authz_cache_limit{cache="${cache}"}`]: flat(100),
    },
    labels: labelled({ cache }),
    summary: `authz-1: 90% of the ${cache} that are remembered`,
    quiet: {
      [`authz_cache_entries{cache="${cache}"}`]: flat(70),
      // Which forgets the oldest, and is always full.
      'authz_cache_entries{cache="certificates"}': flat(100),
      'authz_cache_limit{cache="certificates"}': flat(100),
    },
  })),
  AuthzListsIncomplete: {
    series: { authz_activity_dropped_total: early },
    summary: 'authz-1: decisions are missing from the lists of the control API (about 1)',
    quiet: { authz_activity_dropped_total: flat(9) },
  },
};
