import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { type AlertCase, SIDECAR } from '../monitoring/alert-case.ts';
import { type Alert, alerts, casesOf, inputSeries, ruleFiles } from '../monitoring/rules.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { finish } from '../support/run.ts';

const dir = temporaryFolder();
after(() => removeFolder(dir));
let files = 0;

test('promtool takes every file of rules', async () => {
  const { code, stdout, stderr } = await finish('promtool', ['check', 'rules', '--lint-fatal', ...ruleFiles]);
  assert.equal(code, 0, `${stdout}${stderr}`);
});

suite('each alert fires when it should, says what happened, and is silent after one change', () => {
  for (const alert of alerts) {
    test(alert.alert, async () => {
      const tests = casesOf(alert.alert).flatMap((one) => [firing(alert, one), silent(alert, one)]);
      assert.ok(tests.length > 0);
      const whole = { rule_files: ruleFiles, evaluation_interval: '30s', tests };
      const file = join(dir, `${++files}.json`);
      // JSON is YAML.
      writeFileSync(file, JSON.stringify(whole));
      const { code, stdout, stderr } = await finish('promtool', ['test', 'rules', file]);
      assert.equal(code, 0, `${stdout}${stderr}`);
    });
  }
});

const looking = (alert: Alert, { at = '24m' }: AlertCase, expected: readonly object[]) => ({
  alert_rule_test: [{ eval_time: at, alertname: alert.alert, exp_alerts: expected }],
});

function firing(alert: Alert, one: AlertCase) {
  const { series, summary, labels = SIDECAR } = one;
  const expected = {
    exp_labels: { ...labels, ...alert.labels },
    exp_annotations: { ...alert.annotations, summary },
  };
  return { interval: '30s', input_series: inputSeries(series), ...looking(alert, one, [expected]) };
}

const silent = (alert: Alert, one: AlertCase) => ({
  interval: '30s',
  input_series: inputSeries({ ...one.series, ...one.quiet }),
  ...looking(alert, one, []),
});
