import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Alert, groups } from '../monitoring/rules.ts';
import { kindOf, render } from './chart.ts';

const SCENARIO = 'central-production';
const rule = 'metrics.prometheusRule';

test('the chart ships the rules as they are, and no others', async () => {
  const manifests = await render(SCENARIO, ['--set', `${rule}.runbookBase=`]);
  const { metadata, spec } = kindOf(manifests, 'PrometheusRule');
  assert.equal(metadata.labels?.release, 'prometheus');
  assert.deepEqual(spec.groups, groups);
});

test('links to what to do begin as the values say', async () => {
  const { spec } = kindOf(await render(SCENARIO), 'PrometheusRule');
  const links = (spec.groups as typeof groups).flatMap(({ rules }) =>
    rules.flatMap((each) => ('alert' in each ? [(each as Alert).annotations.runbook_url] : [])),
  );
  assert.ok(links.length > 50);
  for (const link of links)
    assert.match(link, /^https:\/\/git\.prod\.example\/cedar-ext-authz\/docs\/alerts\.md#authz/);
});

test('rules are shipped where they are asked for alone', async () => {
  const manifests = await render(SCENARIO, ['--set', `${rule}.enabled=false`]);
  assert.deepEqual(
    manifests.filter(({ kind }) => kind === 'PrometheusRule'),
    [],
  );
  for (const other of ['central-spire', 'sidecar-injected-spire']) {
    assert.ok(
      (await render(other)).every(({ kind }) => kind !== 'PrometheusRule'),
      other,
    );
  }
});
