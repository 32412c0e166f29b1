import { type AlertCases, early, FLEET, flat, late, rising, step } from './alert-case.ts';

const denied = 'authz_decisions_total{result="deny",reason="policy_no_permit",effect="read"}';
const allowed = 'authz_decisions_total{result="allow",reason="permitted",effect="read"}';
const deniedFor = (reason: string) => `authz_decisions_total{result="deny",reason="${reason}",effect="none"}`;

export const misuseCases: AlertCases = {
  AuthzDenialSurge: [
    {
      series: { [denied]: rising(90), [allowed]: rising(60) },
      labels: FLEET,
      summary: 'authz: 60% of the checks are denied',
      quiet: { [denied]: rising(60), [allowed]: rising(90) },
    },
    {
      // A tenth at first; then a third, which is more than three times as many.
      series: { [denied]: '0+3x240 720+40x240', [allowed]: '0+80x480' },
      at: '145m',
      labels: FLEET,
      summary: 'authz: 33.33% of the checks are denied',
      quiet: { [denied]: '0+15x240 3600+40x240' },
    },
    {
      // So few that one client which goes wrong is most of them.
      series: { [denied]: rising(4) },
      labels: FLEET,
      summary: 'authz: 100% of the checks are denied',
      quiet: { [denied]: rising(2) },
    },
  ],
  AuthzCredentialMisused: [
    ...[
      'task_of_another',
      'task_wit_of_another',
      'task_proof_replayed',
      'task_wpt_replayed',
      'task_token_binding',
      'task_txn_binding',
      'task_proof_key',
      'task_proof_token',
      'task_wpt_token',
      'identity_token_bound',
      'identity_conflict',
    ].map((reason) => ({
      series: { [deniedFor(reason)]: late },
      labels: { ...FLEET, reason },
      summary: `authz: a credential was used by somebody else, or twice (${reason})`,
      quiet: { [deniedFor(reason)]: flat(7), [deniedFor('policy_no_permit')]: late },
    })),
  ],
  AuthzCredentialForged: [
    ...[
      'identity_svid_signature',
      'identity_token_signature',
      'identity_xfcc_mismatch',
      'identity_principal_mismatch',
      'task_token_signature',
      'task_txn_signature',
      'task_proof_signature',
      'task_wpt_signature',
    ].map((reason) => ({
      series: { [deniedFor(reason)]: late },
      labels: { ...FLEET, reason },
      summary: `authz: a credential with an invalid signature or origin (${reason})`,
      quiet: { [deniedFor(reason)]: flat(7), [deniedFor('task_token_expired')]: late },
    })),
  ],
  AuthzRevokedCredentialUsed: {
    series: { [deniedFor('revoked_task')]: late },
    labels: { ...FLEET, reason: 'revoked_task' },
    summary: 'authz: something that was revoked is still used (revoked_task)',
    quiet: { [deniedFor('revoked_task')]: flat(3) },
  },
  AuthzQuarantined: {
    series: { authz_behaviour_quarantines_total: late },
    summary: 'authz-1: a workload was put into quarantine',
    quiet: { authz_behaviour_quarantines_total: flat(1) },
  },
  AuthzQuarantinesHeldBack: {
    series: { authz_behaviour_quarantines_held_back_total: late },
    summary: 'authz-1: more credentials look stolen than are quarantined',
    quiet: { authz_behaviour_quarantines_held_back_total: flat(1), authz_behaviour_quarantines_total: late },
  },
  AuthzBreakGlassUsed: {
    series: { 'authz_break_glass_total{outcome="used"}': late },
    labels: FLEET,
    summary: 'authz: one person alone let something pass (break-glass)',
    quiet: { 'authz_break_glass_total{outcome="used"}': flat(1), 'authz_break_glass_total{outcome="refused"}': late },
  },
  AuthzBreakGlassOverdue: {
    series: { authz_break_glass_overdue: flat(2) },
    labels: FLEET,
    summary: 'authz: break-glass was not reviewed within 24 hours (2)',
    quiet: { authz_break_glass_overdue: flat(0), authz_break_glass_unreviewed: flat(2) },
  },
  AuthzStoreTampered: ['revocation_lifts', 'task_records', 'approval_grants'].map((what) => ({
    series: { [`authz_${what}_rejected_total`]: late },
    summary: 'authz-1: the store holds lifts, tasks or grants that no trusted key signed',
    quiet: { [`authz_${what}_rejected_total`]: flat(1) },
  })),
  AuthzStoreUnreadable: ['revocations', 'tasks', 'approvals'].map((what) => ({
    series: { [`authz_store_${what}_unreadable`]: flat(3) },
    summary: 'authz-1: entries of the store cannot be read (3)',
    quiet: { [`authz_store_${what}_unreadable`]: flat(0) },
  })),
  AuthzClientsRefused: {
    series: { 'authz_tls_refused_total{cause="peer"}': early },
    summary: 'authz-1: a client that is not one of the peers connects to the check port',
    quiet: { 'authz_tls_refused_total{cause="peer"}': flat(2), 'authz_tls_refused_total{cause="handshake"}': early },
  },
  AuthzControlFlooded: {
    series: { authz_control_lines_dropped_total: late },
    summary: 'authz-1: the control port is flooded with requests that it refuses',
    quiet: { authz_control_lines_dropped_total: flat(5) },
  },
  AuthzSignInsRefused: {
    series: { 'authz_control_sign_ins_total{result="refused"}': step(42, 20) },
    summary: 'authz-1: 20 sign-ins were refused within 15 minutes',
    quiet: { 'authz_control_sign_ins_total{result="refused"}': step(42, 9) },
  },
};
