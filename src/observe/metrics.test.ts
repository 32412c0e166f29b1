import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Reason, reasons } from '../outcome.ts';
import { type CheckMetrics, Metrics } from './metrics.ts';

const NAMES = { trustDomains: ['a.example'], issuers: ['https://i'], caches: ['certificates'], sinks: ['file'] };
const metrics = () => new Metrics(NAMES, { process: false });
const check = (change: Partial<CheckMetrics> = {}): CheckMetrics => ({
  result: 'allow',
  reason: 'permitted',
  effect: 'read',
  seconds: 0.0004,
  stages: {},
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
  all.decided(check({ stages: { identity: 0.0001, policy: 0.0002 } }));
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
  all.snapshot('sha256:01', 1, ['old'], 0);
  all.shadowDisagreed('old');
  all.snapshot('sha256:02', 0, ['new'], 1);
  all.shadowDisagreed('old');
  all.shadowDisagreed('new');
  const found = await series(all);
  const names = [...found.keys()].filter((name) => /snapshot_info|shadow/.test(name));
  assert.deepEqual(names, [
    'authz_shadow_disagreements_total{policy="new"}',
    'authz_policy_snapshot_info{revision="sha256:02"}',
    'authz_shadowed_forbids',
  ]);
  assert.equal(found.get('authz_shadowed_forbids'), 1);
});

test('a shadowed policy keeps its count over a reload that keeps the policy', async () => {
  const all = metrics();
  all.snapshot('sha256:01', 0, ['p'], 0);
  all.shadowDisagreed('p');
  all.snapshot('sha256:02', 0, ['p'], 0);
  assert.equal((await series(all)).get('authz_shadow_disagreements_total{policy="p"}'), 1);
});

test('ages are measured when the scrape asks for them', async () => {
  const all = metrics();
  let age = 1;
  all.beforeScrape(() => {
    all.bundleAge('a.example', age);
    all.snapshotAge(age);
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
  assert.doesNotMatch((await other.scrape()).body, /permitted/);
});
