import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { dashboardText } from '../../k8s/monitoring/dashboard.ts';
import { rows } from '../../k8s/monitoring/panels.ts';
import { metricRows } from '../../src/observe/metrics-table.ts';
import { exportedIn, metricsIn, monitoring, recordings } from './rules.ts';

const file = join(monitoring, 'dashboard.json');

test('k8s/chart/monitoring/dashboard.json is what the script builds; UPDATE=1 writes it', () => {
  const text = dashboardText();
  if (process.env.UPDATE === '1') writeFileSync(file, text);
  assert.equal(existsSync(file) ? readFileSync(file, 'utf8') : '', text);
});

test('every query of the dashboard is of metrics that are exported or recorded', () => {
  const others = ['process_resident_memory_bytes', 'process_cpu_seconds_total'];
  for (const { title, queries } of rows.flatMap((row) => row.panels)) {
    for (const { expr } of queries) {
      const found = metricsIn(expr);
      assert.ok(found.length > 0, title);
      for (const name of found.filter((each) => each.startsWith('authz:'))) {
        assert.ok(
          recordings.some(({ record }) => record === name),
          `${title}: ${name} is recorded`,
        );
      }
      assert.deepEqual(
        exportedIn(expr).filter((name) => !(name in metricRows) && !others.includes(name)),
        [],
        title,
      );
    }
  }
});

test('panels have names of their own, and fit beside each other', () => {
  const { panels } = JSON.parse(dashboardText()) as { panels: { title: string; gridPos: { x: number; w: number } }[] };
  assert.equal(new Set(panels.map(({ title }) => title)).size, panels.length);
  for (const { gridPos } of panels) assert.ok(gridPos.x + gridPos.w <= 24);
});
