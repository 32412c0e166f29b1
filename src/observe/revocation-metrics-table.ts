import type { MetricRow } from './metric-row.ts';

/** The metrics of the file of revocations. */
export const revocationMetricRows = {
  authz_revocations: {
    type: 'gauge',
    help: 'Revocations in force; absent while their file could not be read once',
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
} as const satisfies Readonly<Record<string, MetricRow>>;
