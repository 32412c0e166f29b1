import type { MetricRow } from './metric-row.ts';

/** The metrics of answers: whether they come in time. */
export const answerMetricRows = {
  authz_decision_duration_limit_seconds: {
    type: 'gauge',
    help: 'Maximum time of a check, where Envoy’s own deadline is not shorter',
    labels: {},
    unit: 'seconds',
    use: 'The limit of the row above: `limits.deadline`',
  },
  authz_undelivered_total: {
    type: 'counter',
    help: 'Allows that were recorded, and that Envoy no longer waited for',
    labels: {},
    unit: 'checks',
    use: 'Alert on any: Envoy answered without the sidecar; with `failure_mode_allow` it let the request through. The audit has `undelivered` for each',
  },
} as const satisfies Readonly<Record<`authz_${string}`, MetricRow>>;

/** The metrics of the certificates that the sidecar serves with. */
export const svidMetricRows = {
  authz_svid_expiry_seconds: {
    type: 'gauge',
    help: 'Time until the sidecar’s own X.509-SVID expires, negative afterwards; absent without one',
    labels: {},
    unit: 'seconds',
    use: 'Agents renew it at half of its lifetime, cert-manager at two thirds: alert at a quarter. If it is absent with `listen.tls`, no client can connect',
  },
  authz_svid_lifetime_seconds: {
    type: 'gauge',
    help: 'Lifetime of that SVID, from its beginning to its end; absent without one',
    labels: {},
    unit: 'seconds',
    use: 'What the row above is a share of',
  },
  authz_control_svid_expiry_seconds: {
    type: 'gauge',
    help: 'Time until the first certificate of control port and console expires, negative afterwards; absent without one',
    labels: {},
    unit: 'seconds',
    use: 'The same: alert at a quarter of the row below',
  },
  authz_control_svid_lifetime_seconds: {
    type: 'gauge',
    help: 'Lifetime of that certificate; absent without one',
    labels: {},
    unit: 'seconds',
    use: 'What the row above is a share of',
  },
} as const satisfies Readonly<Record<`authz_${string}`, MetricRow>>;
