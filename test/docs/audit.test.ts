import assert from 'node:assert/strict';
import { copyFileSync, existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { changeEvents, controlEvents } from '../../src/observe/change.ts';
import { auditRecord } from '../support/audit-observe.ts';
import { fileAudit } from '../support/file-audit.ts';
import { newFolder, removeFolders } from '../support/policy-cli.ts';
import { finish } from '../support/run.ts';
import { until } from '../support/until.ts';
import { blocks, page, repository } from './markdown.ts';

const { text } = page('docs/audit.md');
const LONG = 60_000;
after(removeFolders);

/** The first cells of a table whose head begins so. */
function column(head: string): readonly string[] {
  const rows = text.split(`${head}\n`)[1]?.split('\n') ?? [];
  const end = rows.findIndex((row) => !row.startsWith('|'));
  return rows.slice(1, end).map((row) => /`([^`]+)`/.exec(row)?.[1] ?? '');
}

const task = {
  id: 't',
  purpose: 'p',
  assurance: 2,
  scopes: [],
  resources: null,
  issuer: 'i',
  subject: null,
  token: 'sha256:00',
};

/** Every member of a line, with those of `facts` and `micros` as one. */
function members(value: object, path = ''): string[] {
  return Object.entries(value).flatMap(([key, member]) => {
    const name = `${path}${key}`;
    if (name === 'facts' || name === 'micros') return [`${name}.*`];
    if (name === 'hops') return members((member as object[])[0]!, 'hops[].');
    if (Array.isArray(member) || typeof member !== 'object' || member === null) return [name];
    return members(member, `${name}.`);
  });
}

test('docs/audit.md names every member of a line, and no other', () => {
  const { time: _, ...record } = auditRecord({ task });
  const tables = text.split('| member | meaning |\n').slice(1);
  const [chain = [], rest = []] = tables.map((part) =>
    part
      .split('\n\n')[0]!
      .split('\n')
      .slice(1)
      .map((row) => /^\| `([^`]+)`/.exec(row)?.[1] ?? row),
  );
  assert.deepEqual(chain, ['time', 'boot', 'seq', 'prev']);
  assert.deepEqual(rest, members(record));
  const facts = /`facts\.\*` \|(.*)/.exec(text)?.[1] ?? '';
  for (const fact of Object.keys(record.facts!)) assert.ok(facts.includes(`\`${fact}\``), fact);
});

test('docs/audit.md names every event', () => {
  const events = column('| event | members | meaning |');
  assert.deepEqual(
    events.toSorted(),
    ['boot', 'lost', 'undelivered', 'withdrawn', ...changeEvents, ...controlEvents].toSorted(),
  );
});

test('the command lines of docs/audit.md and docs/audit-shipping.md verify and find what they say', async () => {
  const folder = newFolder();
  const file = join(folder, 'audit.jsonl');
  const audit = await fileAudit(file);
  await audit.record(auditRecord({ time: Date.now() }), LONG);
  renameSync(file, `${file}.1`);
  audit.reopen();
  await until('the new file', () => (existsSync(file) ? true : null));
  for (let at = 0; at < 3; at++)
    await audit.record(auditRecord({ time: Date.now(), result: 'deny', reason: 'policy_no_permit' }), LONG);
  await audit.close(LONG);
  const whole = (await finish('cat', [`${file}.1`, file])).stdout.trimEnd().split('\n');
  const time = '2026-11-25T10:00:00.123456789Z';
  const kept = (prefix: string) => (line: string) => `${time} stderr F {"level":"info"}\n${time} ${prefix}${line}\n`;
  writeFileSync(join(folder, 'container.log'), whole.map(kept('stdout F ')).join(''));
  writeFileSync(join(folder, 'kubectl.log'), whole.map(kept('')).join(''));
  copyFileSync(file, join(folder, 'alone.jsonl'));
  const main = join(repository, 'src', 'main.ts');
  const programs = `kubectl() { cat kubectl.log; }\ncedar-ext-authz() { '${process.execPath}' '${main}' "$@"; }\n`;
  const packed = gzipSync(whole.map((line) => `${line}\n`).join(''));
  writeFileSync(join(folder, 'audit.jsonl.2.gz'), packed);
  writeFileSync(
    join(folder, 'shipped.jsonl'),
    whole
      .toReversed()
      .map((line) => `${line}\n`)
      .join(''),
  );
  writeFileSync(join(folder, 'wrapped.jsonl'), whole.map((message) => `${JSON.stringify({ message })}\n`).join(''));
  const lines = blocks(`${text}${page('docs/audit-shipping.md').text}`).flatMap((block) =>
    block.info === 'sh' ? block.text.trim().split('\n') : [],
  );
  assert.equal(lines.length, 9);
  for (const line of lines) {
    const { code, stdout, stderr } = await finish('bash', ['-c', `${programs}${line}`], { cwd: folder });
    assert.equal(code, 0, `${line}\n${stderr}`);
    if (line.includes('audit verify'))
      assert.match(stdout, /: 5 lines unbroken(?: in 1 chains)?, 4 records, 1 starts/, line);
    else assert.equal(stdout.match(/^.*policy_no_permit.*billing-agent.*$/gm)?.length, 3, line);
  }
});
