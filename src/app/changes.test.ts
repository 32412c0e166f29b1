import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileAudit } from '../../test/support/file-audit.ts';
import { removeFolder, temporaryFolder } from '../../test/support/folder.ts';
import { estate } from '../../test/support/policy.ts';
import { isConfig, loadConfig } from '../config/load.ts';
import { createLog } from '../observe/log.ts';
import { Engine } from '../policy/decide/engine.ts';
import { SnapshotHolder } from '../policy/load/holder.ts';
import { policySettings } from '../policy/text/sources.ts';
import { identityEvents, type Reporters, watchPolicy } from './changes.ts';
import { metricsFor } from './telemetry.ts';

const DAY = 86_400_000;
const CONFIG = `identity: { trustDomains: { prod.example: { local: true, bundle: { file: b.json } } } }
policy:
  guardrails: { folder: ./guardrails, disable: [{ id: g, because: a migration, until: 2026-11-25 }] }
`;

async function reporters(t: TestContext) {
  const folder = temporaryFolder();
  t.after(() => removeFolder(folder));
  const config = loadConfig(CONFIG, join(folder, 'config.yaml'), {});
  if (!isConfig(config)) throw new Error(JSON.stringify(config));
  const said: { level: string; message: string }[] = [];
  const log = createLog({ level: 'debug', write: (line) => said.push(JSON.parse(line)), now: Date.now });
  const file = join(folder, 'audit.jsonl');
  const audit = await fileAudit(file);
  const all: Reporters = { log, metrics: metricsFor(config, 'test', 'v24'), audit };
  /** The lines after the first, once everything is written. */
  const lines = async () => {
    await audit.close(60_000);
    const text = readFileSync(file, 'utf8').trimEnd();
    return text
      .split('\n')
      .slice(1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  const messages = () => said.map(({ level, message }) => `${level}: ${message}`);
  return { folder, config, all, lines, messages };
}

test('a guardrail whose time is over is reported as bound again, in log and audit, and counted as in force', async (t) => {
  const { folder, config, all, lines, messages } = await reporters(t);
  for (const name of ['policies', 'guardrails']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'inventory.yaml'), estate);
  writeFileSync(join(folder, 'guardrails', 'g.cedar'), '@id("g") forbid (principal, action, resource);');
  writeFileSync(join(folder, 'policies', 'p.cedar'), '@id("p") permit (principal, action, resource);');
  let now = Date.UTC(2026, 10, 25, 12);
  const engine = new Engine();
  const holder = await SnapshotHolder.open({
    paths: { folder: config.policy.folder, inventory: config.policy.inventory, guardrails: join(folder, 'guardrails') },
    settings: { ...policySettings(config), requiredGuardrails: ['g'] },
    engine,
    clock: () => now,
  });
  t.after(async () => {
    await holder.close();
    engine.close();
  });
  watchPolicy(holder, config, all, () => now);
  assert.match((await all.metrics.scrape()).body, /^authz_guardrails_in_force 0$[\s\S]*^authz_guardrails_disabled 1$/m);
  now += DAY;
  await holder.refresh();
  assert.match((await all.metrics.scrape()).body, /^authz_guardrails_in_force 1$[\s\S]*^authz_guardrails_disabled 0$/m);
  writeFileSync(join(folder, 'policies', 'p.cedar'), 'permit (principal');
  await holder.refresh();
  holder.events.emit('refused', holder.status().problems);
  const { revision } = holder.status();
  const [first, second, bound, refused, ...more] = await lines();
  assert.deepEqual([refused?.event, refused?.revision, more.length], ['policy-refused', revision, 0]);
  assert.deepEqual([first?.event, first?.disabled], ['policy-loaded', ['g']]);
  assert.deepEqual([second?.event, second?.previous, second?.disabled], ['policy-loaded', first?.revision, []]);
  assert.deepEqual([bound?.event, bound?.revision, bound?.guardrails], ['guardrail-bound', revision, ['g']]);
  assert.ok(messages().includes('warn: guardrails bound again'));
});

test('each change of a trust bundle is a line of the audit; reads that change nothing are none', async (t) => {
  const { all, lines, messages } = await reporters(t);
  const { onBundle } = identityEvents(all);
  const base = { trustDomain: 'prod.example', detail: '' };
  onBundle({ ...base, result: 'rejected', revision: null });
  onBundle({ ...base, result: 'updated', revision: 'sha256:01' });
  onBundle({ ...base, result: 'unchanged', revision: 'sha256:01' });
  onBundle({ ...base, result: 'rejected', revision: 'sha256:01' });
  onBundle({ ...base, result: 'withdrawn', revision: null });
  const told = (await lines()).map(({ event, trustDomain, revision }) => [event, trustDomain, revision]);
  assert.deepEqual(told, [
    ['bundle-changed', 'prod.example', 'sha256:01'],
    ['bundle-changed', 'prod.example', null],
  ]);
  assert.deepEqual(messages(), [
    'error: there is no trust bundle',
    'info: trust bundle updated',
    'error: trust bundle refresh failed, keeping the last good one',
    'warn: trust bundle withdrawn',
  ]);
});

test('a failure says that something good is kept only where there is something', async (t) => {
  const { all, messages } = await reporters(t);
  const { onKeys, onOwnSvid } = identityEvents(all);
  const keys = { issuer: 'https://i', detail: '' };
  onKeys({ ...keys, result: 'rejected' });
  onKeys({ ...keys, result: 'updated' });
  onKeys({ ...keys, result: 'rejected' });
  onOwnSvid({ result: 'rejected', id: null, notAfter: null, detail: 'x' });
  onOwnSvid({ result: 'rejected', id: 'spiffe://prod.example/a', notAfter: 1, detail: 'x' });
  assert.deepEqual(messages(), [
    'error: there are no issuer keys',
    'info: issuer keys read',
    'error: issuer keys refresh failed, keeping the last good ones',
    'error: there is no SVID',
    'error: SVID renewal failed, using the current one until it expires',
  ]);
});
