import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Audit } from '../../src/observe/audit.ts';
import { FileSink } from '../../src/observe/sink.ts';
import { auditRecord } from '../support/audit-observe.ts';
import { newFolder, removeFolders } from '../support/policy-cli.ts';
import { finish } from '../support/run.ts';

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const folder = newFolder();
const file = join(folder, 'audit.jsonl');
const START = Date.UTC(2026, 10, 25, 10);
const MINUTE = 60_000;
const caller = (name: string) => `spiffe://prod.example/ns/agents/sa/${name}`;

const find = (...args: readonly string[]) => finish(process.execPath, [main, 'audit', 'find', ...args]);
/** The decisions of the lines that `find --json` prints. */
async function found(...args: readonly string[]): Promise<readonly unknown[]> {
  const { code, stdout, stderr } = await find(...args, '--json');
  assert.equal(code, stdout === '' ? 1 : 0, stderr);
  const lines = stdout.split('\n').slice(0, -1);
  return lines.map((line) => {
    const { decision, event } = JSON.parse(line) as { decision?: string; event?: string };
    return decision ?? event;
  });
}

before(async () => {
  const audit = await Audit.start({
    sinks: [new FileSink(file)],
    queue: 64,
    onFailure: 'deny',
    now: () => START,
    start: {},
    report: () => {},
  });
  const { caller: agent } = auditRecord();
  const add = async (at: number, change: Parameters<typeof auditRecord>[0]) =>
    audit.record(auditRecord({ time: START + at * MINUTE, decision: `d-${at}`, ...change }), MINUTE);
  const task = {
    purpose: 'p',
    assurance: 2,
    scopes: [],
    resources: null,
    issuer: 'https://as.example',
    subject: null,
    token: 'sha256:0',
  };
  await add(1, {});
  await add(2, { result: 'deny', reason: 'policy_no_permit', detail: 'no policy permits\u202e it' });
  await add(3, { caller: { ...agent!, id: caller('other') }, task: { id: 'T-7', ...task } });
  audit.change({ event: 'revocations-changed', added: ['INC-1'], changed: [], lifted: [] });
  await add(4, { caller: null, hops: [], resource: null, result: 'deny', reason: 'identity_missing' });
  await audit.close(MINUTE);
});
after(removeFolders);

test('each filter finds its lines, several find what all match, and none finds every line in its order', async () => {
  assert.deepEqual(await found(file), ['boot', 'd-1', 'd-2', 'd-3', 'revocations-changed', 'd-4']);
  assert.deepEqual(await found(file, '--decision', 'd-3'), ['d-3']);
  assert.deepEqual(await found(file, '--caller', caller('billing-agent')), ['d-1', 'd-2']);
  assert.deepEqual(await found(file, '--caller', caller('billing-agent'), '--result', 'deny'), ['d-2']);
  assert.deepEqual(await found(file, '--task', 'T-7'), ['d-3']);
  assert.deepEqual(await found(file, '--reason', 'identity_missing'), ['d-4']);
  assert.deepEqual(await found(file, '--event', 'revocations-changed'), ['revocations-changed']);
  const minute = (at: number) => new Date(START + at * MINUTE).toISOString();
  assert.deepEqual(await found(file, '--result', 'deny', '--since', minute(2), '--until', minute(4)), ['d-2']);
  assert.deepEqual(await found(file, '--result', 'deny', '--limit', '1'), ['d-4']);
  assert.deepEqual(await found(file, '--limit', '4'), ['d-2', 'd-3', 'revocations-changed', 'd-4']);
  assert.deepEqual(await found(file, '--limit', '1000', '--result', 'deny'), ['d-2', 'd-4']);
});

test('a duration counts back from now', async () => {
  const recent = join(folder, 'recent.jsonl');
  const [, line = ''] = readFileSync(file, 'utf8').split('\n');
  const at = (ms: number) => line.replace(/"time":"[^"]+"/, `"time":"${new Date(Date.now() - ms).toISOString()}"`);
  writeFileSync(recent, `${at(90 * MINUTE)}\n${at(0).replace('d-1', 'd-now')}\n`);
  assert.deepEqual(await found(recent, '--since', '1h'), ['d-now']);
  assert.deepEqual(await found(recent, '--until', '1h'), ['d-1']);
});

test('--json prints the lines as they were written; text has one line for each, and shows no control character', async () => {
  const { stdout } = await find(file, '--json');
  assert.equal(stdout, readFileSync(file, 'utf8'));
  const deny = await find(file, '--decision', 'd-2');
  assert.equal(
    deny.stdout,
    `2026-11-25T10:02:00.000Z deny policy_no_permit ${caller('billing-agent')} GET payments.internal/api/invoices/42 decision d-2\n` +
      '    no policy permits\\u{202e} it\n',
  );
  const event = await find(file, '--event', 'revocations-changed');
  assert.match(event.stdout, /^\S+ revocations-changed \{"added":\["INC-1"\],"changed":\[\],"lifted":\[\]\}\n$/);
  // What another hand wrote into a file is no less dangerous to a terminal.
  const [, line = ''] = readFileSync(file, 'utf8').split('\n');
  const tampered = join(folder, 'tampered.jsonl');
  writeFileSync(tampered, `${line.replace('"d-1"', '"d\\n\\u001b[2J\u009b\u202e"')}\n`);
  for (const json of [[], ['--json']]) {
    const shown = await find(tampered, ...json);
    assert.equal(shown.code, 0);
    assert.doesNotMatch(shown.stdout.slice(0, -1), /[\u0000-\u001f\u007f-\u009f\u202e]/);
  }
});

test('nothing found is 1; a file that cannot be read is 2 after the others were searched', async () => {
  const none = await find(file, '--decision', 'd-0');
  assert.deepEqual([none.code, none.stdout, none.stderr], [1, '', 'no line matches\n']);
  const one = await find('/nowhere', file, '--decision', 'd-1');
  assert.equal(one.code, 2);
  assert.match(one.stdout, /^\S+audit\.jsonl:2: 2026-11-25T10:01:00\.000Z allow permitted .* decision d-1\n$/);
  assert.match(one.stderr, /^\/nowhere: cannot be read \(ENOENT\)/);
  const other = await find(main);
  assert.equal(other.code, 2);
  assert.match(other.stderr, /main\.ts: holds no line of an audit/);
});

test('packed files, torn lines, endless lines and container prefixes are read through', async () => {
  const written = readFileSync(file);
  const packed = join(folder, 'audit.jsonl.1.gz');
  writeFileSync(packed, gzipSync(written));
  assert.deepEqual(await found(packed, '--task', 'T-7'), ['d-3']);
  const verified = await finish(process.execPath, [main, 'audit', 'verify', packed]);
  assert.match(verified.stdout, /audit\.jsonl\.1\.gz: 6 lines unbroken/);
  writeFileSync(packed, gzipSync(written).subarray(0, -20));
  assert.equal((await find(packed)).code, 2);

  const [first = '', second = '', third = ''] = written.toString().split('\n');
  const torn = join(folder, 'torn.jsonl');
  writeFileSync(torn, `${first}\n${second.slice(0, 90)}\n`);
  for (let at = 0; at < 40; at++) appendFileSync(torn, 'x'.repeat(100_000));
  appendFileSync(torn, `\n2026-11-25T10:00:00.123456789Z stdout F ${second}\n${third.slice(0, -1)}`);
  const read = await find(torn, '--decision', 'd-1');
  assert.equal(read.code, 0);
  assert.match(read.stdout, /^\S+ allow permitted .* decision d-1\n$/);
  assert.match(
    read.stderr,
    /torn\.jsonl: 3 lines are no whole line of an audit and passed over; the first is line 2\n/,
  );
});
