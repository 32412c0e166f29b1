import type { MetricRow } from './metric-row.ts';

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
