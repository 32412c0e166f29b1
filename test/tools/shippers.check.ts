import assert from 'node:assert/strict';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parse } from 'yaml';
import { MergedAudit } from '../../src/observe/merged/verify-merged.ts';
import { blocks, page } from '../docs/markdown.ts';
import { auditRecord } from '../support/audit-observe.ts';
import { runCollector } from '../support/collector.ts';
import { fileAudit } from '../support/file-audit.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { startOtlpReceiver } from '../support/otlp-receiver.ts';
import { Program } from '../support/process.ts';
import { until } from '../support/until.ts';

const { text } = page('docs/audit-shipping.md');
const LONG = 60_000;
const LINES = 60;

/** A folder with an audit file that is written to, and moved away once meanwhile; some lines are near their greatest length. */
async function writing(t: TestContext) {
  const folder = temporaryFolder();
  t.after(() => removeFolder(folder));
  const file = join(folder, 'audit.jsonl');
  const audit = await fileAudit(file);
  t.after(() => audit.close(LONG));
  const write = async () => {
    for (let at = 0; at < LINES; at++) {
      if (at === LINES / 2) {
        renameSync(file, `${file}.1`);
        audit.reopen();
      }
      const detail = at % 10 === 0 ? 'ä'.repeat(15_000) : null;
      await audit.record(auditRecord({ decision: `d-${at}`, detail }), LONG);
    }
  };
  return { folder, file, write };
}

async function assertWhole(lines: readonly string[]): Promise<void> {
  const merged = new MergedAudit([], { skipForeign: false, member: null });
  await merged.read([Buffer.from(lines.map((line) => `${line}\n`).join(''))]);
  const { faults, records } = merged.report();
  assert.deepEqual([faults, records], [[], LINES]);
}

test('what rsyslog ships, by the recipe of the page, is verified', async (t) => {
  const { folder, file, write } = await writing(t);
  const shipped = join(folder, 'shipped.jsonl');
  const recipe = blocks(text)
    .find((block) => block.text.includes('imfile'))!
    .text.replace('/var/spool/rsyslog', folder)
    .replace('/var/log/shipped/audit.jsonl', shipped)
    .replace('/var/log/cedar-ext-authz/audit.jsonl', file);
  writeFileSync(join(folder, 'rsyslog.conf'), recipe);
  const program = new Program('rsyslogd', '/usr/sbin/rsyslogd', [
    ...['-n', '-f', join(folder, 'rsyslog.conf'), '-i', join(folder, 'rsyslog.pid')],
  ]);
  t.after(() => program.stop('SIGKILL'));
  await write();
  const lines = await until('the lines', () => {
    program.assertRunning();
    const found = readFileSync(shipped, 'utf8').split('\n').slice(0, -1);
    return found.length > LINES ? found : null;
  });
  await assertWhole(lines);
});

test('what a collector ships, by the recipe of the page, is verified', async (t) => {
  const { folder, file, write } = await writing(t);
  const receiver = await startOtlpReceiver();
  t.after(() => receiver.close());
  const recipe = parse(blocks(text).find(({ info }) => info === 'yaml')!.text);
  recipe.receivers.filelog.include = [`${file}*`];
  Object.assign(recipe.exporters.otlphttp, { endpoint: receiver.url, encoding: 'json', compression: 'none' });
  const program = await runCollector(folder, recipe);
  t.after(() => program.stop());
  await write();
  const lines = await until('the lines', () => {
    program.assertRunning();
    return receiver.logs().length > LINES ? receiver.logs() : null;
  });
  await assertWhole(lines);
});
