import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { reasons } from '../../src/base/outcome.ts';
import { metricRows } from '../../src/observe/metrics-table.ts';
import type { MetricRow } from '../../src/observe/tables/metric-row.ts';
import { anchors, page, repository } from '../docs/markdown.ts';
import { alertCases, alerts, casesOf, exportedIn, recordings } from './rules.ts';

/** What others export: Prometheus itself, prom-client, Envoy. */
const foreign = new Set([
  'up',
  'process_start_time_seconds',
  'envoy_http_ext_authz_failure_mode_allowed',
  'envoy_http_ext_authz_disabled',
]);

test('every alert is shown firing and silent, and nothing else is', () => {
  assert.deepEqual(Object.keys(alertCases).toSorted(), alerts.map(({ alert }) => alert).toSorted());
  for (const { alert } of alerts) {
    assert.ok(casesOf(alert).length > 0, alert);
    for (const { series, quiet } of casesOf(alert)) {
      assert.ok(
        Object.keys(quiet).some((name) => series[name] !== quiet[name]),
        `${alert} is silent by a change`,
      );
    }
  }
});

test('every alert says how long, how grave, what, and where to read on', () => {
  assert.equal(new Set(alerts.map(({ alert }) => alert)).size, alerts.length);
  for (const { alert, for: lasting, labels, annotations } of alerts) {
    assert.match(lasting, /^\d+[smh]$/, alert);
    assert.ok(['critical', 'warning', 'info'].includes(labels.severity), alert);
    assert.match(annotations.summary, /^\{\{ \$labels\.(instance|job) \}\}: /, alert);
    assert.ok(annotations.description.endsWith('.'), alert);
    assert.equal(annotations.runbook_url, `docs/alerts.md#${alert.toLowerCase()}`);
    const [file = '', anchor = ''] = annotations.runbook_url.split('#');
    assert.ok(existsSync(join(repository, file)) && anchors(page(file).text).has(anchor), annotations.runbook_url);
  }
});

test('docs/alerts.md is about the alerts that exist, in their order, and says where to look and what to do', () => {
  const sections = page('docs/alerts.md').text.split(/^### /m).slice(1);
  const named = sections.map((section) => section.split('\n')[0]);
  assert.deepEqual(named.toSorted(), alerts.map(({ alert }) => alert).toSorted());
  for (const section of sections) assert.match(section, /\*\*Look\*\*: [\s\S]+\*\*Do\*\*: /, section.split('\n')[0]);
});

test('every metric of a rule is exported, and every recording is of such', () => {
  for (const { alert, expr } of alerts) {
    const found = exportedIn(expr);
    assert.ok(found.length > 0, alert);
    assert.deepEqual(
      found.filter((name) => !foreign.has(name) && !(name in metricRows)),
      [],
      alert,
    );
  }
  for (const { record, expr } of recordings) {
    assert.match(record, /^authz:/);
    assert.deepEqual(
      exportedIn(expr).filter((name) => !(name in metricRows)),
      [],
      record,
    );
  }
});

test('a metric whose row speaks of an alert has one', () => {
  const watched = new Set(alerts.flatMap(({ expr }) => exportedIn(expr)));
  // Due keys are watched, and the number of replicas that should be there is known to the store alone.
  const otherwise = ['authz_legacy_key_expiry_seconds', 'authz_store_replicas'];
  const idle = Object.entries<MetricRow>(metricRows).filter(
    ([name, { use }]) => /\balert\b|Should be 0/i.test(use) && !watched.has(name) && !otherwise.includes(name),
  );
  assert.deepEqual(
    idle.map(([name]) => name),
    [],
  );
});

test('rules name reasons that there are, and whatever a thief would get is among them', () => {
  const all = Object.keys(reasons);
  const matchedBy = (alert: string): readonly string[] => {
    const { expr = '' } = alerts.find((one) => one.alert === alert) ?? {};
    const [, pattern = ''] = /reason=~"([^"]+)"/.exec(expr) ?? [];
    for (const branch of branches(pattern))
      assert.ok(
        all.some((reason) => whole(branch).test(reason)),
        branch,
      );
    return all.filter((reason) => whole(pattern).test(reason));
  };
  const stolen = all.filter((reason) => /_(replayed|of_another|binding|bound)$/.test(reason) && !/host/.test(reason));
  const misused = matchedBy('AuthzCredentialMisused');
  // A token that nobody is bound to was issued so, and refused to everybody.
  assert.deepEqual(
    stolen.filter((reason) => !misused.includes(reason) && !reason.endsWith('_unbound')),
    [],
  );
  const forged = matchedBy('AuthzCredentialForged');
  assert.deepEqual(
    all.filter((reason) => reason.endsWith('_signature') && !forged.includes(reason)),
    [],
  );
  assert.deepEqual(
    matchedBy('AuthzRevokedCredentialUsed'),
    all.filter((reason) => reason.startsWith('revoked_')),
  );
});

const whole = (pattern: string): RegExp => new RegExp(`^(?:${pattern})$`);

/** The branches of an expression at its top. */
function branches(pattern: string): readonly string[] {
  const found = [''];
  let depth = 0;
  for (const letter of pattern) {
    if (letter === '(') depth++;
    if (letter === ')') depth--;
    if (letter === '|' && depth === 0) found.push('');
    else found[found.length - 1] += letter;
  }
  return found;
}
