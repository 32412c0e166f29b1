import type { MetricRow } from './metric-row.ts';

/** The metrics of revocations. Those of the store are absent, or 0, with the memory store. */
export const revocationMetricRows = {
  authz_revocations: {
    type: 'gauge',
    help: 'Revocations in force; absent while nobody knows',
    labels: {},
    unit: 'revocations',
    use: 'A fall is an end or a lift: the audit has a line for each lift',
  },
  authz_revocations_out_of_date: {
    type: 'gauge',
    help: '1 while the file of revocations has a fault, so that it lifts nothing; else 0',
    labels: {},
    unit: '0 or 1',
    use: 'Alert on 1: what cannot be read of the file may be a revocation that is not in force',
  },
  authz_revocations_reads_total: {
    type: 'counter',
    help: 'Reads of the file of revocations',
    labels: { result: '`loaded`, `refused`' },
    unit: 'reads',
    use: '`refused` rises while the file has a fault',
  },
  authz_revocations_staleness_seconds: {
    type: 'gauge',
    help: 'Time since the revocations of the store were known to be complete; absent before the first time',
    labels: {},
    unit: 'seconds',
    use: 'Below 1 in operation. Beyond the row below every check is refused with `state_unavailable`: alert at half of it',
  },
  authz_revocations_staleness_limit_seconds: {
    type: 'gauge',
    help: 'Age beyond which the revocations of the store are not relied on',
    labels: {},
    unit: 'seconds',
    use: 'The limit of the row above: `state.maxStale`',
  },
  authz_store_revocations: {
    type: 'gauge',
    help: 'Revocations and lifts that the store holds',
    labels: {},
    unit: 'entries',
    use: 'Compare with the row below; those that have ended are dropped within some minutes',
  },
  authz_store_revocations_limit: {
    type: 'gauge',
    help: 'Revocations and lifts that the store may hold',
    labels: {},
    unit: 'entries',
    use: 'When it is reached, orders to revoke are refused: nothing is evicted. Alert at a half',
  },
  authz_store_revocations_bytes: {
    type: 'gauge',
    help: 'Bytes that the revocations and lifts of the store count as',
    labels: {},
    unit: 'bytes',
    use: 'Compare with the row below',
  },
  authz_store_revocations_limit_bytes: {
    type: 'gauge',
    help: 'Maximum of `authz_store_revocations_bytes`',
    labels: {},
    unit: 'bytes',
    use: 'The share of revocations in the store, which no other kind of entry takes',
  },
  authz_store_revocations_unreadable: {
    type: 'gauge',
    help: 'Revocations of the store that could not be read',
    labels: {},
    unit: 'entries',
    use: 'Alert on any: they do not apply. Written by a newer version, or by somebody who may not',
  },
  authz_revocation_resyncs_total: {
    type: 'counter',
    help: 'Times that all revocations of the store were read',
    labels: {},
    unit: 'reads',
    use: 'One at the start and about one a minute; more: connections are lost, or changes were missed',
  },
  authz_revocation_lifts_rejected_total: {
    type: 'counter',
    help: 'Lifts in the store that no trusted key signed',
    labels: {},
    unit: 'lifts',
    use: 'Alert on any: `control.trustedKeys` lacks a key, or somebody writes to the store without one; they lift nothing',
  },
} as const satisfies Readonly<Record<string, MetricRow>>;
