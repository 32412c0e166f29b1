/** One query of a panel, and how its answers are called. */
export interface Query {
  readonly expr: string;
  readonly legend: string;
}

/** One panel. `step`: red from there on; `below`: red below it. */
export interface Panel {
  readonly title: string;
  readonly description: string;
  readonly kind: 'timeseries' | 'stat';
  /** A unit of Grafana. */
  readonly unit: 'ops' | 's' | 'percentunit' | 'short' | 'bytes';
  readonly queries: readonly Query[];
  readonly red?: { readonly from: number } | { readonly below: number };
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

const one = (expr: string, legend: string): readonly Query[] => [{ expr, legend }];
const JOB = 'job=~"$job"';
const ON = '{job=~"$job"}';
const theft = 'task_.*(of_another|replayed|binding)|identity_(token_bound|conflict)|.*_signature|revoked_.*';

/** The dashboard, row by row. What alerts look at is drawn by the same expressions. */
export const rows: readonly Row[] = [
  {
    title: 'Now',
    panels: [
      {
        title: 'Ready',
        description: 'Sidecars that are ready. Fewer than there are: AuthzNotReady',
        kind: 'stat',
        unit: 'short',
        queries: one(`sum(authz_ready${ON})`, 'ready'),
        red: { below: 1 },
      },
      {
        title: 'Checks',
        description: 'Checks a second',
        kind: 'stat',
        unit: 'ops',
        queries: one(`sum(authz:decisions:rate5m${ON})`, 'checks'),
      },
      {
        title: 'Denied',
        description: 'The share of denials: AuthzDenialSurge',
        kind: 'stat',
        unit: 'percentunit',
        queries: one(`max(authz:denials:ratio10m${ON})`, 'denied'),
        red: { from: 0.5 },
      },
      {
        title: '99 of 100 within',
        description: 'Time from the check to its answer: AuthzDeadlineNear',
        kind: 'stat',
        unit: 's',
        queries: one(`max(authz:decision_duration_seconds:p99_5m${ON})`, 'p99'),
        red: { from: 0.125 },
      },
      {
        title: 'Unsafe settings',
        description: 'Settings that reduce protection: AuthzUnsafeSetting',
        kind: 'stat',
        unit: 'short',
        queries: one(`sum(max by (setting) (authz_unsafe_settings${ON}))`, 'active'),
        red: { from: 1 },
      },
      {
        title: 'Guardrails',
        description: 'Guardrails in force, at the sidecar with the fewest: AuthzGuardrailsMissing',
        kind: 'stat',
        unit: 'short',
        queries: one(`min(authz_guardrails_in_force${ON})`, 'in force'),
        red: { below: 1 },
      },
    ],
  },
  {
    title: 'Decisions',
    panels: [
      {
        title: 'Checks by result',
        description: 'Checks a second',
        kind: 'timeseries',
        unit: 'ops',
        queries: one(`sum by (result) (authz:decisions:rate5m${ON})`, '{{result}}'),
      },
      {
        title: 'Denials by reason',
        description: 'docs/reasons.md says what each means',
        kind: 'timeseries',
        unit: 'ops',
        queries: one(`sum by (reason) (authz:decisions:rate5m{${JOB}, result="deny"}) > 0`, '{{reason}}'),
      },
      {
        title: 'Credentials misused, forged or revoked',
        description: 'Within five minutes: AuthzCredentialMisused, AuthzCredentialForged, AuthzRevokedCredentialUsed',
        kind: 'timeseries',
        unit: 'short',
        queries: one(
          `sum by (reason) (increase(authz_decisions_total{${JOB}, reason=~"${theft}"}[5m])) > 0`,
          '{{reason}}',
        ),
      },
      {
        title: 'Denials by policy',
        description: 'The forbids that decided, ten at most',
        kind: 'timeseries',
        unit: 'ops',
        queries: one(
          `topk(10, sum by (policy) (rate(authz_policy_forbids_total{${JOB}, result="deny"}[5m]))) > 0`,
          '{{policy}}',
        ),
      },
    ],
  },
  {
    title: 'Time',
    panels: [
      {
        title: 'Time of a check',
        description: 'From the check to its answer, including the audit',
        kind: 'timeseries',
        unit: 's',
        queries: [
          { expr: `max(authz:decision_duration_seconds:p50_5m${ON})`, legend: '50 of 100 within' },
          { expr: `max(authz:decision_duration_seconds:p99_5m${ON})`, legend: '99 of 100 within' },
        ],
      },
      {
        title: 'Time of a stage, 99 of 100 within',
        description: 'Where slow checks spend their time',
        kind: 'timeseries',
        unit: 's',
        queries: one(`max by (stage) (authz:stage_duration_seconds:p99_5m${ON})`, '{{stage}}'),
      },
      {
        title: 'Slower than 50 ms',
        description: 'The share of checks: AuthzLatencyBudgetSpent',
        kind: 'timeseries',
        unit: 'percentunit',
        queries: one(`max(authz:decisions_slow:ratio5m${ON})`, 'slow'),
        red: { from: 0.01 },
      },
      {
        title: 'Checks in flight',
        description: 'Of those that may be: AuthzOverloaded. Shed: refused as overloaded, a second',
        kind: 'timeseries',
        unit: 'percentunit',
        queries: [
          { expr: `max(authz_inflight_checks${ON} / authz_inflight_limit${ON})`, legend: 'in flight' },
          { expr: `sum(rate(authz_shed_total${ON}[5m]))`, legend: 'shed' },
        ],
        red: { from: 0.8 },
      },
    ],
  },
  {
    title: 'Policies and trust',
    panels: [
      {
        title: 'Files that are not served',
        description:
          'Sidecars with a fault in their policies, revocations or files of the check port, and teams held back',
        kind: 'timeseries',
        unit: 'short',
        queries: [
          { expr: `sum(authz_policy_out_of_date${ON})`, legend: 'policies' },
          { expr: `sum(authz_revocations_out_of_date${ON})`, legend: 'revocations' },
          { expr: `max(authz_policy_teams_held_back${ON})`, legend: 'teams held back' },
          { expr: `sum by (file) (authz_check_port_out_of_date${ON})`, legend: '{{file}}' },
        ],
        red: { from: 1 },
      },
      {
        title: 'Age of bundles and keys',
        description: 'Of the age beyond which they are refused: AuthzBundleAgeing, AuthzIssuerKeysAgeing',
        kind: 'timeseries',
        unit: 'percentunit',
        queries: [
          {
            expr: `max by (trust_domain) (authz_trust_bundle_age_seconds${ON} / authz_trust_bundle_max_stale_seconds${ON})`,
            legend: '{{trust_domain}}',
          },
          {
            expr: `max by (issuer) (authz_issuer_keys_age_seconds${ON} / authz_issuer_keys_max_stale_seconds${ON})`,
            legend: '{{issuer}}',
          },
        ],
        red: { from: 0.33 },
      },
      {
        title: 'Own certificates',
        description: 'What is left of their lifetime, at the sidecar with the least: AuthzSvidExpiring',
        kind: 'timeseries',
        unit: 'percentunit',
        queries: [
          { expr: `min(authz_svid_expiry_seconds${ON} / authz_svid_lifetime_seconds${ON})`, legend: 'check port' },
          {
            expr: `min(authz_control_svid_expiry_seconds${ON} / authz_control_svid_lifetime_seconds${ON})`,
            legend: 'control port',
          },
        ],
      },
      {
        title: 'Revisions',
        description: 'Sidecars by the revision of their policies: AuthzRevisionsDiffer',
        kind: 'timeseries',
        unit: 'short',
        queries: one(`count by (revision) (authz_policy_snapshot_info${ON})`, '{{revision}}'),
      },
    ],
  },
  {
    title: 'State and audit',
    panels: [
      {
        title: 'How full',
        description: 'What is remembered, of what may be: AuthzProofsFilling, AuthzStoreMemoryFilling',
        kind: 'timeseries',
        unit: 'percentunit',
        queries: [
          {
            expr: `max by (cache) (authz_cache_entries{${JOB}, cache=~"proofs|counts|touched"} / authz_cache_limit{${JOB}, cache=~"proofs|counts|touched"})`,
            legend: '{{cache}}',
          },
          {
            expr: `max(authz_store_memory_bytes${ON} / authz_store_memory_limit_bytes${ON})`,
            legend: 'memory of the store',
          },
          { expr: `max((authz_tasks${ON} + authz_tasks_over${ON}) / authz_tasks_limit${ON})`, legend: 'tasks' },
        ],
        red: { from: 0.8 },
      },
      {
        title: 'Age of what is known of the store',
        description: 'AuthzStateStale; AuthzStoreDown where it cannot be used. Nothing with the memory store',
        kind: 'timeseries',
        unit: 's',
        queries: [
          { expr: `max(authz_revocations_staleness_seconds${ON})`, legend: 'revocations' },
          { expr: `max(authz_tasks_staleness_seconds${ON})`, legend: 'tasks' },
          { expr: `max(authz_approvals_staleness_seconds${ON})`, legend: 'approvals' },
          { expr: `max(authz_store_answer_age_seconds${ON})`, legend: 'last answer' },
        ],
      },
      {
        title: 'Audit lines',
        description: 'Lines a second: AuthzAuditFailing',
        kind: 'timeseries',
        unit: 'ops',
        queries: one(`sum by (sink, result) (rate(authz_audit_records_total${ON}[5m]))`, '{{sink}} {{result}}'),
      },
      {
        title: 'People and quarantine',
        description: 'What waits for a person: AuthzApprovalsWaiting, AuthzBreakGlassOverdue, AuthzQuarantined',
        kind: 'timeseries',
        unit: 'short',
        queries: [
          { expr: `max(authz_approvals_pending${ON})`, legend: 'approvals' },
          { expr: `max(authz_break_glass_unreviewed${ON})`, legend: 'break-glass to review' },
          { expr: `sum(authz_behaviour_quarantined${ON})`, legend: 'quarantined' },
          { expr: `max(authz_revocations${ON})`, legend: 'revocations' },
        ],
      },
    ],
  },
  {
    title: 'Process',
    panels: [
      {
        title: 'Memory',
        description: 'Resident, by sidecar',
        kind: 'timeseries',
        unit: 'bytes',
        queries: one(`process_resident_memory_bytes${ON} and on (job, instance) authz_build_info`, '{{instance}}'),
      },
      {
        title: 'CPU',
        description: 'Cores, by sidecar',
        kind: 'timeseries',
        unit: 'short',
        queries: one(
          `rate(process_cpu_seconds_total${ON}[5m]) and on (job, instance) authz_build_info`,
          '{{instance}}',
        ),
      },
    ],
  },
];
