import type { MetricRow } from './metric-row.ts';

/** The metrics of the store that sidecars share, and of what is kept for lists. Those of the store are absent, or 0, with the memory store. */
export const storeMetricRows = {
  authz_store_up: {
    type: 'gauge',
    help: 'Whether the shared store can be used; absent with the memory store',
    labels: {},
    unit: '0 or 1',
    use: 'Alert on 0: checks that redeem something are refused with `state_unavailable`; `/status` has the cause under `state.fault`',
  },
  authz_store_answer_age_seconds: {
    type: 'gauge',
    help: 'Time since the store last answered; absent before the first time',
    labels: {},
    unit: 'seconds',
    use: 'Below 1 in operation; a rise is a store, or a network, that hangs',
  },
  authz_store_clock_skew_seconds: {
    type: 'gauge',
    help: 'How far the clock of the store runs ahead of the sidecar’s',
    labels: {},
    unit: 'seconds',
    use: 'Alert beyond 1: at 5 the store is no longer used until both clocks agree',
  },
  authz_store_waiting_calls: {
    type: 'gauge',
    help: 'Calls that wait for an answer of the store, late ones included',
    labels: {},
    unit: 'calls',
    use: 'At its limit, checks that redeem something are refused with `state_unavailable`',
  },
  authz_store_waiting_limit: {
    type: 'gauge',
    help: 'Maximum number of calls that wait',
    labels: {},
    unit: 'calls',
    use: 'The limit of the row above',
  },
  authz_store_memory_bytes: {
    type: 'gauge',
    help: 'Memory that the store uses',
    labels: {},
    unit: 'bytes',
    use: 'Compare with the row below; looked at every 30 s',
  },
  authz_store_memory_limit_bytes: {
    type: 'gauge',
    help: '`maxmemory` of the store; absent without one',
    labels: {},
    unit: 'bytes',
    use: 'When it is reached, every claim is refused: nothing is evicted',
  },
  authz_store_replicas: {
    type: 'gauge',
    help: 'Replicas that are connected to the store',
    labels: {},
    unit: 'replicas',
    use: 'With `state.durability: replicas`, alert below `state.replicas`',
  },
  authz_store_connects_total: {
    type: 'counter',
    help: 'Connections that were made to the store',
    labels: {},
    unit: 'connections',
    use: 'A steady rise: the store, a proxy or the network drops connections; the log has the cause',
  },
  authz_store_histories_total: {
    type: 'counter',
    help: 'Times that the store began a new history',
    labels: {},
    unit: 'times',
    use: 'Each restart, failover or flush of the store is one: proofs without a nonce are refused for some seconds',
  },
  authz_activity_waiting: {
    type: 'gauge',
    help: 'Decisions that wait to be written to the store for lists; absent with the memory store',
    labels: {},
    unit: 'decisions',
    use: 'At its limit, the oldest are dropped; checks do not wait for it',
  },
  authz_activity_waiting_limit: {
    type: 'gauge',
    help: 'Maximum number of decisions that wait',
    labels: {},
    unit: 'decisions',
    use: 'The limit of the row above',
  },
  authz_activity_omitted_total: {
    type: 'counter',
    help: 'Denials and live tasks that lists do not show, because of how many came',
    labels: {},
    unit: 'entries',
    use: 'A rise is a flood of denials: `authz_decisions_total` has the reason, the audit has all of them, and the next one that is listed has their number',
  },
  authz_activity_dropped_total: {
    type: 'counter',
    help: 'Decisions that lists do not show, because the store did not take them',
    labels: {},
    unit: 'decisions',
    use: 'A rise: the store is away, slow or full; the audit has them',
  },
  authz_activity_write_failures_total: {
    type: 'counter',
    help: 'Writes for lists that failed',
    labels: {},
    unit: 'writes',
    use: 'The log has the cause; checks are not affected',
  },
} as const satisfies Readonly<Record<`authz_${'store' | 'activity'}_${string}`, MetricRow>>;

/** The metrics of what becomes of spans; absent while `tracing` is off. */
export const tracingMetricRows = {
  authz_tracing_spans_total: {
    type: 'counter',
    help: 'What became of spans; absent while `tracing` is off',
    labels: {
      result:
        '`exported`; `dropped`: too many wait; `failed`: the collector refused them, or could not be reached for a minute; `rejected`: it took the request without them',
    },
    unit: 'spans',
    use: 'A rise of anything but `exported`: the log has the cause; checks do not wait for the collector. `dropped`: sample less, or raise `tracing.queue`',
  },
  authz_tracing_waiting: {
    type: 'gauge',
    help: 'Checks whose spans wait for the collector; absent while `tracing` is off',
    labels: {},
    unit: 'checks',
    use: 'At its limit, spans are dropped',
  },
  authz_tracing_waiting_limit: {
    type: 'gauge',
    help: 'Maximum number of checks whose spans wait',
    labels: {},
    unit: 'checks',
    use: 'The limit of the row above: `tracing.queue`',
  },
} as const satisfies Readonly<Record<`authz_tracing_${string}`, MetricRow>>;
