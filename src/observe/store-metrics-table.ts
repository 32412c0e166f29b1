import type { MetricRow } from './metric-row.ts';

/** The metrics of the store that sidecars share. All of them are absent, or 0, with the memory store. */
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
} as const satisfies Readonly<Record<`authz_store_${string}`, MetricRow>>;
