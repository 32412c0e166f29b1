import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Reason, reasons } from '../base/outcome.ts';
import { type CheckMetrics, Metrics, type SnapshotMetrics } from './metrics.ts';
import { metricRows } from './metrics-table.ts';
import type { MetricRow } from './tables/metric-row.ts';

const NAMES = {
  trustDomains: ['a.example'],
  issuers: ['https://i'],
  caches: ['certificates'],
  sinks: ['file'],
  unsafe: ['a', 'b'],
};
const metrics = () => new Metrics(NAMES, { process: false });
const check = (change: Partial<CheckMetrics> = {}): CheckMetrics => ({
  result: 'allow',
  reason: 'permitted',
  effect: 'read',
  seconds: 0.0004,
  stages: [],
  forbids: [],
  ...change,
});

const snapshot = (change: Partial<SnapshotMetrics>): SnapshotMetrics => ({
  revision: 'sha256:01',
  label: null,
  guardrails: 13,
  guardrailsDisabled: 0,
  forbids: [],
  shadows: [],
  shadowedForbids: 0,
  ...change,
});

/** The series of a scrape with their values. */
async function series(of: Metrics): Promise<Map<string, number>> {
  const lines = (await of.scrape()).body.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

test('a check is counted by result, reason and effect, and timed as a whole and by stage', async () => {
  const all = metrics();
  all.decided(
    check({
      stages: [
        { stage: 'identity', micros: 100 },
        { stage: 'policy', micros: 200 },
      ],
    }),
  );
  all.decided(check({ result: 'deny', reason: 'policy_no_permit', effect: 'write' }));
  const found = await series(all);
  assert.equal(found.get('authz_decisions_total{result="allow",reason="permitted",effect="read"}'), 1);
  assert.equal(found.get('authz_decisions_total{result="deny",reason="policy_no_permit",effect="write"}'), 1);
  assert.equal(found.get('authz_decision_duration_seconds_count{result="allow"}'), 1);
  assert.equal(found.get('authz_decision_duration_seconds_bucket{le="0.0005",result="allow"}'), 1);
  assert.equal(found.get('authz_stage_duration_seconds_sum{stage="policy"}'), 0.0002);
});

test('policies that could not be evaluated and shed checks have counters of their own', async () => {
  const all = metrics();
  all.decided(check({ result: 'deny', reason: 'policy_error' }));
  all.decided(check({ result: 'deny', reason: 'overloaded', effect: 'none' }));
  all.decided(check({ result: 'deny', reason: 'task_proof_replayed', effect: 'read' }));
  const found = await series(all);
  assert.equal(found.get('authz_replays_total'), 1);
  assert.equal(found.get('authz_policy_errors_total'), 1);
  assert.equal(found.get('authz_shed_total'), 1);
});

test('only the snapshot that decides is shown, with its shadowed policies alone', async () => {
  const all = metrics();
  all.snapshot(snapshot({ guardrailsDisabled: 1, shadows: ['old'] }));
  all.shadowDisagreed('old');
  all.snapshot(snapshot({ revision: 'sha256:02', label: 'v2', shadows: ['new'], shadowedForbids: 1 }));
  all.shadowDisagreed('old');
  all.shadowDisagreed('new');
  const found = await series(all);
  const names = [...found.keys()].filter((name) => /snapshot_info|shadow/.test(name));
  assert.deepEqual(names, [
    'authz_shadow_disagreements_total{policy="new"}',
    'authz_policy_snapshot_info{revision="sha256:02",label="v2"}',
    'authz_shadowed_forbids',
  ]);
  assert.equal(found.get('authz_shadowed_forbids'), 1);
});

test('a shadowed policy keeps its count over a reload that keeps the policy', async () => {
  const all = metrics();
  all.snapshot(snapshot({ shadows: ['p'] }));
  all.shadowDisagreed('p');
  all.snapshot(snapshot({ revision: 'sha256:02', shadows: ['p'] }));
  assert.equal((await series(all)).get('authz_shadow_disagreements_total{policy="p"}'), 1);
});

test('ages are measured when the scrape asks for them', async () => {
  const all = metrics();
  let age = 1;
  all.beforeScrape(() => {
    all.bundleAge('a.example', age);
    all.gauges({ authz_policy_snapshot_age_seconds: age });
    all.cache('certificates', { entries: age, limit: 100, bytes: age * 10, byteLimit: 1000 });
  });
  age = 7;
  const found = await series(all);
  assert.equal(found.get('authz_trust_bundle_age_seconds{trust_domain="a.example"}'), 7);
  assert.equal(found.get('authz_policy_snapshot_age_seconds'), 7);
  assert.equal(found.get('authz_cache_entries{cache="certificates"}'), 7);
  assert.equal(found.get('authz_cache_limit{cache="certificates"}'), 100);
  assert.equal(found.get('authz_cache_bytes{cache="certificates"}'), 70);
  assert.equal(found.get('authz_cache_limit_bytes{cache="certificates"}'), 1000);
});

test('B47: 50,000 strangers make not one series, and the page stays small', async () => {
  const all = metrics();
  for (const reason of Object.keys(reasons) as Reason[]) {
    for (const effect of ['read', 'write', 'none'] as const) all.decided(check({ result: 'deny', reason, effect }));
  }
  all.decided(check());
  const before = (await series(all)).size;
  for (let at = 0; at < 50_000; at++) {
    const stranger = `spiffe://x.example/${at}`;
    all.decided(check({ result: 'deny', reason: stranger as Reason, effect: 'none' }));
    all.bundleAge(stranger, 1);
    all.bundleRead(stranger, 'refused');
    all.issuerKeysAge(stranger, 1);
    all.issuerKeysRead(stranger, 'refused');
    all.cache(stranger, { entries: 1, limit: 1, bytes: 1, byteLimit: 1 });
    all.audited(stranger, 'failed', 1);
    all.shadowDisagreed(stranger);
  }
  assert.equal((await series(all)).size, before);
  const { body } = await all.scrape();
  assert.ok(body.length < 100_000, `${body.length} bytes`);
  for (const line of body.trimEnd().split('\n')) {
    assert.match(line, /^$|^# (?:HELP|TYPE) |^[a-z_]+(?:\{[a-z_]+="[^"\n]*"(?:,[a-z_]+="[^"\n]*")*\})? [0-9.e+-]+$/);
  }
});

test('two sidecars in one process share no metric, and the process is measured', async () => {
  const [one, other] = [new Metrics(NAMES), metrics()];
  one.decided(check());
  assert.match((await one.scrape()).body, /process_cpu_seconds_total/);
  const permitted = 'authz_decisions_total{result="allow",reason="permitted",effect="read"}';
  assert.deepEqual([(await series(one)).get(permitted), (await series(other)).get(permitted)], [1, 0]);
});

test('a forbid that decides is counted once for each check, by its id and kind, as denial or as observed', async () => {
  const all = metrics();
  const forbids = [
    { id: 'mine', guardrail: false },
    { id: 'theirs', guardrail: true },
  ];
  all.snapshot(snapshot({ forbids }));
  const of = async (policy: string, kind: string, result: string) =>
    (await series(all)).get(`authz_policy_forbids_total{policy="${policy}",kind="${kind}",result="${result}"}`);
  assert.deepEqual([await of('mine', 'policy', 'deny'), await of('theirs', 'guardrail', 'deny')], [0, 0]);
  all.decided(check({ result: 'deny', reason: 'policy_forbidden', forbids: ['mine', 'mine', 'theirs'] }));
  all.decided(check({ result: 'allow', reason: 'observed', forbids: ['mine'] }));
  assert.deepEqual([await of('mine', 'policy', 'deny'), await of('theirs', 'guardrail', 'deny')], [1, 1]);
  assert.equal(await of('mine', 'policy', 'allow'), 1);
  all.snapshot(snapshot({ revision: 'sha256:02', forbids: [{ id: 'mine', guardrail: false }] }));
  assert.deepEqual([await of('mine', 'policy', 'deny'), await of('theirs', 'guardrail', 'deny')], [1, undefined]);
  all.decided(check({ result: 'deny', reason: 'policy_forbidden', forbids: ['theirs'] }));
  assert.equal(await of('other', 'policy', 'deny'), 1);
});

test('ten thousand policies have at most a thousand series, and the others share one', async () => {
  const all = metrics();
  const ids = Array.from({ length: 10_000 }, (_, at) => `p${at}`);
  all.snapshot(snapshot({ forbids: ids.map((id) => ({ id, guardrail: false })), shadows: ids }));
  all.decided(check({ result: 'deny', reason: 'policy_forbidden', forbids: ids }));
  const names = [...(await series(all)).keys()];
  assert.equal(names.filter((name) => name.startsWith('authz_policy_forbids_total')).length, 1001);
  assert.equal(names.filter((name) => name.startsWith('authz_shadow_disagreements_total')).length, 1000);
});

test('counters are there from the start, so that a first event is a rise', async () => {
  const found = await series(metrics());
  for (const reason of Object.keys(reasons)) {
    assert.equal(found.get(`authz_decisions_total{result="deny",reason="${reason}",effect="none"}`), 0, reason);
  }
  for (const name of [
    'authz_decisions_total{result="allow",reason="observed",effect="write"}',
    'authz_decision_duration_seconds_count{result="deny"}',
    'authz_stage_duration_seconds_count{stage="audit"}',
    'authz_trust_bundle_reloads_total{trust_domain="a.example",result="refused"}',
    'authz_issuer_keys_refreshes_total{issuer="https://i",result="refused"}',
    'authz_audit_records_total{sink="file",result="failed"}',
    'authz_policy_reloads_total{result="refused"}',
    'authz_tls_refused_total{cause="peer"}',
    'authz_unsafe_settings{setting="b"}',
    'authz_replays_total',
  ]) {
    assert.equal(found.get(name), 0, name);
  }
});

test('a gauge of what nobody measured is absent, and so is one whose subject is gone', async () => {
  const all = metrics();
  const gauges = Object.entries<MetricRow>(metricRows)
    .filter(([name, { type }]) => type === 'gauge' && name !== 'authz_unsafe_settings')
    .map(([name]) => name);
  const shown = async () => [...(await series(all)).keys()].filter((name) => gauges.includes(name.split('{')[0]!));
  assert.deepEqual(await shown(), []);
  all.gauges({ authz_svid_expiry_seconds: 60 });
  assert.deepEqual(await shown(), ['authz_svid_expiry_seconds']);
  all.gauges({ authz_svid_expiry_seconds: null });
  assert.deepEqual(await shown(), []);
});

test('a scrape has the metrics of the table and no others, with their labels', async () => {
  const all = metrics();
  all.snapshot(snapshot({ forbids: [{ id: 'f', guardrail: true }], shadows: ['s'] }));
  const { body } = await all.scrape();
  const types = new Map([...body.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]));
  assert.deepEqual(types, new Map(Object.entries<MetricRow>(metricRows).map(([name, { type }]) => [name, type])));
});
