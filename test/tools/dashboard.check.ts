import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dashboardText } from '../../k8s/monitoring/dashboard.ts';
import { alerts, metricsIn } from '../monitoring/rules.ts';
import { asked, JOB, startWatched } from '../monitoring/watched.ts';
import { goTool } from '../support/go-tool.ts';
import { finish } from '../support/run.ts';
import { until } from '../support/until.ts';

/** Queries without an answer where nothing happened: no store, no certificate of its own, nobody who may grant, no theft. */
const SILENT =
  /authz_store|authz_svid|authz_control_svid|staleness|issuer_keys|check_port_out_of_date|break_glass|approvals_pending|authz_decisions_total\{|authz_tasks|policy_forbids/;

let watched: Awaited<ReturnType<typeof startWatched>>;

before(async () => {
  watched = await startWatched();
  const { prometheus, traffic } = watched;
  await until('a rate that is recorded', async () => {
    await traffic();
    const [denied] = await prometheus.query(`authz:denials:ratio10m{job="${JOB}"} > 0`);
    const [slowest] = await prometheus.query(`authz:decision_duration_seconds:p99_5m{job="${JOB}"} > 0`);
    return denied === undefined || slowest === undefined ? null : true;
  });
});
after(() => watched?.stop());

test('Grafana’s schema has every field of the dashboard, and misses none', async () => {
  const tool = await goTool('grafana-schema');
  const { code, stderr } = await finish(tool, [], { input: dashboardText() });
  assert.equal(code, 0, stderr);
  const slip = dashboardText().replace('"fieldConfig"', '"fieldConfg"');
  assert.equal((await finish(tool, [], { input: slip })).code, 1, 'a slip is found');
});

test('every query of the dashboard is answered by a real Prometheus, with data where there is traffic', async () => {
  assert.ok(asked.length > 30);
  const empty: string[] = [];
  for (const { title, query } of asked) {
    const found = await watched.prometheus.query(query);
    if (found.length === 0 && !SILENT.test(query)) empty.push(`${title}: ${query}`);
  }
  assert.deepEqual(empty, []);
});

test('every condition of an alert can be evaluated, and none holds over ordinary traffic', async () => {
  const { prometheus } = watched;
  for (const { expr } of alerts) await prometheus.query(expr);
  assert.deepEqual(await prometheus.faults(), []);
  const critical = await prometheus.query('ALERTS{severity="critical", alertstate="firing"}');
  assert.deepEqual(
    critical.map(({ metric }) => metric.alertname),
    [],
  );
});

test('what the rules read of Envoy is exported by a real one', async () => {
  const { expr = '' } = alerts.find(({ alert }) => alert === 'AuthzEnvoyFailedOpen') ?? {};
  const names = metricsIn(expr);
  assert.equal(names.length, 2);
  for (const name of names) {
    const found = await watched.prometheus.query(name);
    assert.ok(found.length > 0, name);
  }
});
