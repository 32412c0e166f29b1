import type { MetricRow } from './tables/metric-row.ts';
import { behaviourMetricRows, policyMetricRows } from './tables/policy-metrics-table.ts';
import { approvalMetricRows, revocationMetricRows, taskMetricRows } from './tables/revocation-metrics-table.ts';
import { answerMetricRows, svidMetricRows } from './tables/service-metrics-table.ts';
import { storeMetricRows } from './tables/store-metrics-table.ts';
import { tracingMetricRows } from './tables/tracing-metrics-table.ts';

const trustDomain = 'each key of `identity.trustDomains`';
const issuer = 'each issuer whose keys are read: `identity.oidc`, `task.issuers`';
const cache =
  '`certificates`, `tokens`, `verdicts`, `proofs`, `counts`, `touched`, `behaviour`; of `state.activity`: `denials`, `allows`, `workloads`';
const sink = '`stdout`, `file`: those under `audit.sinks`';

/**
 * The only table of metrics. A metric enters with its row; docs/metrics.md is generated from it. Label values never come
 * from a request.
 */
export const metricRows = {
  authz_decisions_total: {
    type: 'counter',
    help: 'Checks by result and reason',
    labels: {
      result: '`allow`, `deny`',
      reason:
        '`permitted`; `observed`, an allow that policies denied, with `policy.unsafeObserveOnly`; or a code of [reasons.md](reasons.md)',
      effect: '`read`, `write`; `none` if the check ended before it was known',
    },
    unit: 'checks',
    use: 'The rate of `result="deny"` by reason; [reasons.md](reasons.md) explains what to do about each. A rise of `internal` is a bug: report it',
  },
  authz_decision_duration_seconds: {
    type: 'histogram',
    help: 'Time from the check to its answer, including the audit',
    labels: { result: '`allow`, `deny`' },
    unit: 'seconds',
    use: 'Compare its 99th percentile with the `timeout` of ext_authz in Envoy and with `limits.deadline`',
  },
  ...answerMetricRows,
  authz_stage_duration_seconds: {
    type: 'histogram',
    help: 'Time of one stage of a check',
    labels: { stage: '`identity`, `task`, `facts`, `policy`, `commit`, `audit`' },
    unit: 'seconds',
    use: 'Shows where slow checks spend their time; `audit` is the disk or the reader of standard output',
  },
  ...policyMetricRows,
  ...revocationMetricRows,
  ...taskMetricRows,
  ...approvalMetricRows,
  ...behaviourMetricRows,
  authz_trust_bundle_age_seconds: {
    type: 'gauge',
    help: 'Time since the trust bundle was last read successfully; absent before the first time',
    labels: { trust_domain: trustDomain },
    unit: 'seconds',
    use: 'Beyond `authz_trust_bundle_max_stale_seconds` its workloads are refused: alert at a third of it',
  },
  authz_trust_bundle_max_stale_seconds: {
    type: 'gauge',
    help: 'Age beyond which a trust bundle is no longer trusted',
    labels: { trust_domain: trustDomain },
    unit: 'seconds',
    use: 'The limit of the row above: `maxStale` of the trust domain',
  },
  authz_trust_bundle_reloads_total: {
    type: 'counter',
    help: 'Attempts to read a trust bundle',
    labels: { trust_domain: trustDomain, result: '`loaded`, `refused`' },
    unit: 'attempts',
    use: 'If `refused` keeps rising: the log has the cause',
  },
  ...svidMetricRows,
  authz_issuer_keys_age_seconds: {
    type: 'gauge',
    help: 'Time since the keys of the issuer were last read successfully; absent before the first time',
    labels: { issuer },
    unit: 'seconds',
    use: 'Beyond `authz_issuer_keys_max_stale_seconds` its tokens are refused: alert at a third of it',
  },
  authz_issuer_keys_max_stale_seconds: {
    type: 'gauge',
    help: 'Age beyond which the keys of an issuer are no longer trusted',
    labels: { issuer },
    unit: 'seconds',
    use: 'The limit of the row above: `maxStale` of the issuer',
  },
  authz_issuer_keys_refreshes_total: {
    type: 'counter',
    help: 'Attempts to read the keys of an issuer',
    labels: { issuer, result: '`loaded`, `refused`' },
    unit: 'attempts',
    use: 'If `refused` keeps rising: the log has the cause',
  },
  authz_cache_entries: {
    type: 'gauge',
    help: 'Entries in the cache',
    labels: { cache },
    unit: 'entries',
    use: '`proofs` at its limit: proofs are refused with `state_unavailable`; raise `limits.rememberedProofs`; `counts` at its limit: what has a budget is refused with it; `touched` at its limit: what opens more is, raise `state.touched.accounts`',
  },
  authz_cache_limit: {
    type: 'gauge',
    help: 'Maximum number of entries',
    labels: { cache: 'as above, without `tokens` and `verdicts`' },
    unit: 'entries',
    use: 'The limit of the row above: `limits.rememberedCertificates`, `limits.rememberedProofs`, `state.activity`',
  },
  authz_cache_bytes: {
    type: 'gauge',
    help: 'Bytes that the entries are counted as',
    labels: { cache },
    unit: 'bytes',
    use: 'Compare with `authz_cache_limit_bytes`',
  },
  authz_cache_limit_bytes: {
    type: 'gauge',
    help: 'Maximum of `authz_cache_bytes`',
    labels: { cache },
    unit: 'bytes',
    use: 'Follows limits.rememberedCertificates, limits.rememberedTokenBytes, limits.rememberedProofs and state.activity',
  },
  authz_replays_total: {
    type: 'counter',
    help: 'Checks refused because a proof was used before',
    labels: {},
    unit: 'checks',
    use: 'A client that reuses proofs, or a thief: the audit lines name the caller and the task',
  },
  ...storeMetricRows,
  authz_audit_records_total: {
    type: 'counter',
    help: 'Audit lines of decisions and changes, by result',
    labels: { sink, result: '`written`, `failed`' },
    unit: 'lines',
    use: 'Alert on any `failed`: allows are refused with `audit_unavailable`, or go unrecorded under `unsafeAllow`',
  },
  authz_audit_queue_entries: {
    type: 'gauge',
    help: 'Audit lines that wait for the sink; of several files, the longest queue',
    labels: { sink },
    unit: 'lines',
    use: 'A queue that does not empty: the disk or the reader of standard output is too slow',
  },
  authz_audit_queue_limit: {
    type: 'gauge',
    help: 'Audit lines that may wait for a sink',
    labels: {},
    unit: 'lines',
    use: 'The limit of the row above: `audit.queue`',
  },
  authz_inflight_checks: {
    type: 'gauge',
    help: 'Checks in flight',
    labels: {},
    unit: 'checks',
    use: 'At its limit, checks are refused as `overloaded`',
  },
  authz_inflight_limit: {
    type: 'gauge',
    help: 'Maximum number of checks in flight',
    labels: {},
    unit: 'checks',
    use: 'The limit of the row above: `limits.concurrentChecks`',
  },
  authz_shed_total: {
    type: 'counter',
    help: 'Checks refused because the sidecar was overloaded',
    labels: {},
    unit: 'checks',
    use: 'Give the sidecar more CPU, or run more of them',
  },
  authz_check_port_out_of_date: {
    type: 'gauge',
    help: 'Whether a file of the check port cannot be used as it is now; absent where the configuration names none',
    labels: { file: '`certificate`, with its key; `ca`; `peers`' },
    unit: '0 or 1',
    use: 'Alert on 1 for longer than a minute: what was read last is used, and `/status` and the log have the cause',
  },
  authz_tls_refused_total: {
    type: 'counter',
    help: 'Connections to the check port that were refused',
    labels: { cause: '`handshake`: TLS failed; `timeout`: no handshake in time; `peer`: it proves none of the peers' },
    unit: 'connections',
    use: '`peer`: an Envoy that is not listed, or a stranger; the log has one line a second with address and cause',
  },
  authz_control_requests_total: {
    type: 'counter',
    help: 'Requests to the control port by call and class of status; absent while it is off',
    labels: {
      call: 'the operations of docs/openapi.json; `none`: a request that named none',
      status: '`2xx`, `4xx`, `5xx`',
    },
    unit: 'requests',
    use: 'The audit has a line for each: `event` is `control`. `5xx`: the answer says why, such as a store that cannot be used',
  },
  authz_control_tokens_issued_total: {
    type: 'counter',
    help: 'Tokens that the token service issued; absent while the control port is off',
    labels: { grant: '`start`: the first of a task; `hand-on`: for the next workload; `refresh`: for its holder' },
    unit: 'tokens',
    use: 'Compare with the `4xx` of `authz_control_requests_total{call="token"}`: refused requests',
  },
  authz_control_lines_dropped_total: {
    type: 'counter',
    help: 'Refused requests to the control port without an audit line of their own',
    labels: {},
    unit: 'requests',
    use: 'Somebody floods the control port: ten a second of strangers, fifty of known callers have a line, the others are counted by `control-dropped`',
  },
  authz_control_tls_refused_total: {
    type: 'counter',
    help: 'Connections to the control port that ended in the handshake; absent while it is off',
    labels: { cause: '`handshake`: TLS failed; `timeout`: no handshake in time' },
    unit: 'connections',
    use: 'A client without TLS, or a stranger; the log has one line a second with address and cause',
  },
  authz_control_sign_ins_total: {
    type: 'counter',
    help: 'What became of sign-ins and sessions of people; absent while nobody can sign in',
    labels: {
      result: '`signed-in`; `refused`; `signed-out`: by the person; `ended-by-provider`: by a logout token',
    },
    unit: 'sign-ins',
    use: '`refused`: the audit has `sign-in` lines with the reason, such as a provider that cannot be asked',
  },
  authz_control_streams: {
    type: 'gauge',
    help: 'Streams of events that are open; absent while the control port is off',
    labels: {},
    unit: 'streams',
    use: 'Each is a page or a program that follows decisions and approvals. At 50, a caller with fewer takes the place of one with more',
  },
  authz_control_notices_total: {
    type: 'counter',
    help: 'What became of notices; absent without `control.notices`',
    labels: {
      receiver: 'each name of `control.notices`',
      result:
        '`delivered`; `failed`: an attempt; `given-up`: expired, or all attempts failed; `dropped`: too many wait, or the receiver answered 410; `suppressed`: people were told the same a moment ago',
    },
    unit: 'notices',
    use: 'Alert on `given-up` and `dropped`: nobody was told, and the log says of what',
  },
  authz_control_notices_waiting: {
    type: 'gauge',
    help: 'Notices that wait for their receivers; absent without `control.notices`',
    labels: {},
    unit: 'notices',
    use: 'A number that stays: the log has `notice not delivered` with the cause. Of each receiver 256 wait at the most',
  },
  ...tracingMetricRows,
  authz_ready: {
    type: 'gauge',
    help: 'Whether the sidecar is ready, as /readyz reports',
    labels: {},
    unit: '0 or 1',
    use: 'Alert on 0: `/readyz` shows what is missing',
  },
  authz_unsafe_settings: {
    type: 'gauge',
    help: 'Whether an unsafe setting is active',
    labels: { setting: 'every unsafe key of [configuration.md](configuration.md)' },
    unit: '0 or 1',
    use: 'Alert on 1 in production; `check-config` explains the risk of each',
  },
  authz_build_info: {
    type: 'gauge',
    help: 'The running program',
    labels: { version: 'of this program', node: 'of Node' },
    unit: '1',
    use: 'Which versions are deployed',
  },
} as const satisfies Readonly<Record<`authz_${string}`, MetricRow>>;

export type MetricName = keyof typeof metricRows;
/** Counters that have no labels. */
export type PlainCounter = Extract<
  MetricName,
  | `authz_${'activity' | 'approval' | 'emergency' | 'engine' | 'revocation' | 'task'}_${string}_total`
  | 'authz_undelivered_total'
  | 'authz_behaviour_would_refuse_total'
  | 'authz_behaviour_would_quarantine_total'
  | 'authz_behaviour_quarantines_total'
  | 'authz_behaviour_quarantines_held_back_total'
>;
/** Counters of what can be off, which are there where it is on. */
export type ControlCounter = Extract<MetricName, `authz_${'control' | 'break_glass' | 'tracing'}${string}_total`>;
