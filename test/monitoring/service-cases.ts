import { type AlertCases, early, FLEET, flat, labelled, late, rising } from './alert-case.ts';

const build = 'authz_build_info{version="0.1.0",node="v24"}';
const bundle = (what: string) => `authz_trust_bundle_${what}_seconds{trust_domain="prod.example"}`;
const keys = (what: string) => `authz_issuer_keys_${what}_seconds{issuer="https://as.example"}`;
const bucket = (le: string) => `authz_decision_duration_seconds_bucket{result="allow",le="${le}"}`;
const count = 'authz_decision_duration_seconds_count{result="allow"}';

export const serviceCases: AlertCases = {
  AuthzBundleAgeing: {
    series: { [bundle('age')]: flat(1300), [bundle('max_stale')]: flat(3600) },
    labels: labelled({ trust_domain: 'prod.example' }),
    summary: 'authz-1: the bundle of prod.example was not read for 21m 40s',
    quiet: { [bundle('age')]: flat(1100) },
  },
  AuthzBundleMissing: [
    {
      series: { [bundle('max_stale')]: flat(3600) },
      labels: labelled({ trust_domain: 'prod.example' }),
      summary: 'authz-1: there is no bundle of prod.example that is good',
      quiet: { [bundle('age')]: flat(10) },
    },
    {
      series: { [bundle('age')]: flat(3700), [bundle('max_stale')]: flat(3600) },
      labels: labelled({ trust_domain: 'prod.example' }),
      summary: 'authz-1: there is no bundle of prod.example that is good',
      quiet: { [bundle('age')]: flat(3500) },
    },
  ],
  AuthzIssuerKeysAgeing: {
    series: { [keys('age')]: flat(1300), [keys('max_stale')]: flat(3600) },
    labels: labelled({ issuer: 'https://as.example' }),
    summary: 'authz-1: the keys of https://as.example were not read for 21m 40s',
    quiet: { [keys('age')]: flat(1100) },
  },
  AuthzIssuerKeysMissing: [
    {
      series: { [keys('max_stale')]: flat(3600) },
      labels: labelled({ issuer: 'https://as.example' }),
      summary: 'authz-1: there are no keys of https://as.example that are good',
      quiet: { [keys('age')]: flat(10) },
    },
    {
      series: { [keys('age')]: flat(3700), [keys('max_stale')]: flat(3600) },
      labels: labelled({ issuer: 'https://as.example' }),
      summary: 'authz-1: there are no keys of https://as.example that are good',
      quiet: { [keys('age')]: flat(3500) },
    },
  ],
  AuthzSvidExpiring: ['', '_control'].map((port) => ({
    series: { [`authz${port}_svid_expiry_seconds`]: flat(800), [`authz${port}_svid_lifetime_seconds`]: flat(3600) },
    summary: 'authz-1: its own certificate expires in 13m 20s',
    quiet: { [`authz${port}_svid_expiry_seconds`]: flat(1000) },
  })),
  AuthzDown: {
    series: { up: '1+0x20 0+0x600', [build]: '1+0x20 stale' },
    summary: 'authz-1: the sidecar cannot be scraped',
    // A target that is no sidecar.
    quiet: { [build]: '_x600' },
  },
  AuthzNotReady: {
    series: { authz_ready: flat(0) },
    summary: 'authz-1: the sidecar is not ready',
    quiet: { authz_ready: '0+0x40 1+0x600' },
  },
  AuthzRestarting: {
    series: { [build]: flat(1), process_start_time_seconds: '0+0x20 100+0x5 200+0x5 300+0x600' },
    summary: 'authz-1: it started 3 times within 15 minutes',
    quiet: { process_start_time_seconds: '0+0x20 100+0x5 200+0x600' },
  },
  AuthzAuditFailing: {
    series: { 'authz_audit_records_total{sink="file",result="failed"}': late },
    labels: labelled({ sink: 'file' }),
    summary: 'authz-1: decisions cannot be recorded (file)',
    quiet: {
      'authz_audit_records_total{sink="file",result="failed"}': flat(2),
      'authz_audit_records_total{sink="file",result="written"}': late,
    },
  },
  AuthzAuditQueueFilling: {
    series: { 'authz_audit_queue_entries{sink="stdout"}': flat(4100), authz_audit_queue_limit: flat(8192) },
    labels: labelled({ sink: 'stdout' }),
    summary: 'authz-1: 4100 audit lines wait for stdout',
    quiet: { 'authz_audit_queue_entries{sink="stdout"}': flat(4000) },
  },
  AuthzLatencyBudgetSpent: {
    series: { [bucket('0.05')]: rising(98), [bucket('+Inf')]: rising(100), [count]: rising(100) },
    labels: FLEET,
    summary: 'authz: 2% of the checks take longer than 50 ms',
    quiet: { [bucket('0.05')]: '0+99.5x600' },
  },
  AuthzDeadlineNear: [
    {
      series: { [bucket('0.1')]: rising(90), [bucket('0.2')]: rising(100), [bucket('+Inf')]: rising(100) },
      labels: FLEET,
      summary: 'authz: 1 check in 100 takes longer than 190ms',
      quiet: { [bucket('0.1')]: rising(100) },
    },
    {
      series: {
        [bucket('0.05')]: rising(90),
        [bucket('0.1')]: rising(100),
        [bucket('+Inf')]: rising(100),
        authz_decision_duration_limit_seconds: flat(0.1),
      },
      labels: FLEET,
      summary: 'authz: 1 check in 100 takes longer than 95ms',
      quiet: { authz_decision_duration_limit_seconds: flat(1) },
    },
  ],
  AuthzOverloaded: [
    {
      series: { authz_shed_total: late },
      summary: 'authz-1: it refuses checks as overloaded, or is about to',
      quiet: { authz_shed_total: flat(8) },
    },
    {
      series: { authz_inflight_checks: flat(210), authz_inflight_limit: flat(256) },
      summary: 'authz-1: it refuses checks as overloaded, or is about to',
      quiet: { authz_inflight_checks: flat(200) },
    },
  ],
  AuthzInternalErrors: {
    series: { 'authz_decisions_total{result="deny",reason="internal",effect="none"}': late },
    summary: 'authz-1: checks were refused because of a bug',
    quiet: { 'authz_decisions_total{result="deny",reason="internal",effect="none"}': flat(1) },
  },
  AuthzEngineReplaced: {
    series: { authz_engine_rebuilds_total: late },
    summary: 'authz-1: the policy engine crashed and was replaced',
    quiet: { authz_engine_rebuilds_total: flat(1) },
  },
  AuthzControlFailing: {
    series: { 'authz_control_requests_total{call="revoke",status="5xx"}': early },
    labels: { ...FLEET, call: 'revoke' },
    summary: 'authz: the control API cannot serve revoke',
    quiet: {
      'authz_control_requests_total{call="revoke",status="5xx"}': flat(1),
      'authz_control_requests_total{call="revoke",status="4xx"}': early,
    },
  },
};
