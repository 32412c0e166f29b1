import { type AlertCases, FLEET, flat, labelled, late, rising } from './alert-case.ts';

const allowed = 'authz_decisions_total{result="allow",reason="permitted",effect="read"}';
const snapshot = (instance: string, revision: string) =>
  `authz_policy_snapshot_info{job="authz",instance="${instance}",revision="${revision}",label=""}`;

export const protectionCases: AlertCases = {
  AuthzEnvoyFailedOpen: ['failure_mode_allowed', 'disabled'].map((what) => ({
    series: { [`envoy_http_ext_authz_${what}`]: late },
    summary: 'authz-1: Envoy let requests pass without a check',
    quiet: { [`envoy_http_ext_authz_${what}`]: flat(4), envoy_http_ext_authz_denied: late },
  })),
  AuthzUndelivered: {
    series: { authz_undelivered_total: late },
    summary: 'authz-1: Envoy did not wait for answers (about 1)',
    quiet: { authz_undelivered_total: flat(3) },
  },
  AuthzChecksCeased: {
    // One check a second for an hour, and then none.
    series: { [allowed]: '0+30x120 3600+0x200' },
    at: '95m',
    labels: FLEET,
    summary: 'authz: no checks arrive any more',
    quiet: { [allowed]: rising(30) },
  },
  AuthzUnsafeSetting: {
    series: { 'authz_unsafe_settings{setting="policy.unsafeObserveOnly"}': flat(1) },
    labels: labelled({ setting: 'policy.unsafeObserveOnly' }),
    summary: 'authz-1: the unsafe setting policy.unsafeObserveOnly is active',
    quiet: { 'authz_unsafe_settings{setting="policy.unsafeObserveOnly"}': flat(0) },
  },
  AuthzGuardrailsMissing: [
    {
      series: { authz_guardrails_in_force: '14+0x20 12+0x600' },
      summary: 'authz-1: fewer guardrails are in force than before (12)',
      quiet: { authz_guardrails_in_force: '12+0x20 14+0x600' },
    },
    {
      series: { authz_guardrails_in_force: flat(0) },
      summary: 'authz-1: fewer guardrails are in force than before (0)',
      quiet: { authz_guardrails_in_force: flat(1) },
    },
  ],
  AuthzGuardrailsDisabled: {
    series: { authz_guardrails_disabled: flat(1) },
    at: '70m',
    summary: 'authz-1: guardrails are disabled (1)',
    quiet: { authz_guardrails_disabled: '1+0x40 0+0x600' },
  },
  AuthzNoPolicies: {
    series: { 'authz_build_info{version="0.1.0",node="v24"}': flat(1) },
    labels: labelled({ version: '0.1.0', node: 'v24' }),
    summary: 'authz-1: no policies are loaded',
    quiet: { authz_policy_snapshot_age_seconds: flat(5) },
  },
  AuthzPoliciesNotServed: {
    series: { authz_policy_out_of_date: flat(1) },
    summary: 'authz-1: the policies on disk are not those that decide',
    // An edit that is corrected within a minute.
    quiet: { authz_policy_out_of_date: '0+0x44 1+0x2 0+0x600' },
  },
  AuthzEmergencyNotServed: {
    series: { authz_emergency_out_of_date: flat(1) },
    summary: 'authz-1: emergency forbids on disk are not all in force',
    quiet: { authz_emergency_out_of_date: flat(0) },
  },
  AuthzEmergencyEnds: {
    series: { authz_emergency_end_seconds: flat(86_399) },
    summary: 'authz-1: an emergency forbid ends within a day',
    quiet: { authz_emergency_end_seconds: flat(86_400) },
  },
  AuthzTeamHeldBack: {
    series: { authz_policy_teams_held_back: flat(2) },
    summary: 'authz-1: folders of teams are not used as they are (2)',
    quiet: { authz_policy_teams_held_back: flat(0) },
  },
  AuthzRevisionsDiffer: {
    series: { [snapshot('authz-1', 'sha256:01')]: flat(1), [snapshot('authz-2', 'sha256:02')]: flat(1) },
    labels: FLEET,
    summary: 'authz: sidecars decide by 2 different revisions',
    // A rollout that takes ten minutes.
    quiet: { [snapshot('authz-2', 'sha256:02')]: '_x27 1+0x20', [snapshot('authz-1', 'sha256:01')]: flat(1) },
  },
  AuthzPolicyErrors: {
    series: { authz_policy_errors_total: late },
    summary: 'authz-1: a policy could not be evaluated',
    quiet: { authz_policy_errors_total: flat(1) },
  },
  AuthzRevocationsNotServed: {
    series: { authz_revocations_out_of_date: flat(1) },
    summary: 'authz-1: the file of revocations has a fault',
    quiet: { authz_revocations_out_of_date: flat(0) },
  },
  AuthzRevocationsUnknownNames: {
    series: { authz_revocations_unknown_names: flat(1) },
    summary: 'authz-1: revocations name what nobody has (1)',
    quiet: { authz_revocations_unknown_names: flat(0) },
  },
  AuthzCheckPortFileNotServed: {
    series: { 'authz_check_port_out_of_date{file="ca"}': flat(1) },
    labels: labelled({ file: 'ca' }),
    summary: 'authz-1: ca of the check port is not what is on disk',
    quiet: { 'authz_check_port_out_of_date{file="ca"}': flat(0) },
  },
  AuthzLegacyKeysDue: {
    series: { authz_legacy_keys_due: flat(3) },
    at: '70m',
    summary: 'authz-1: API keys end within 14 days (accounts: 3)',
    quiet: { authz_legacy_keys_due: flat(0) },
  },
  AuthzNoticesLost: ['given-up', 'dropped'].map((result) => ({
    series: { [`authz_control_notices_total{receiver="pager",result="${result}"}`]: late },
    labels: labelled({ receiver: 'pager', result }),
    summary: 'authz-1: pager was not told of something',
    quiet: {
      [`authz_control_notices_total{receiver="pager",result="${result}"}`]: flat(1),
      'authz_control_notices_total{receiver="pager",result="failed"}': late,
    },
  })),
  AuthzApprovalsWaiting: {
    series: { authz_approvals_pending: flat(25) },
    labels: FLEET,
    summary: 'authz: 25 requests wait for a person',
    quiet: { authz_approvals_pending: flat(24) },
  },
};
