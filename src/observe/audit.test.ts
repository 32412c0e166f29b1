import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { suite, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { auditRecord } from '../../test/support/audit-observe.ts';
import { until } from '../../test/support/until.ts';
import { Refusal } from '../base/outcome.ts';
import { Audit, type AuditOptions } from './audit.ts';
import { digest } from './line.ts';
import { auditBody } from './record.ts';
import { type AuditSink, FileSink, streamSink, type Tail } from './sink.ts';
import { type AuditReport, verifyAudit } from './verify.ts';

const LONG = 60_000;
const NOW = Date.UTC(2026, 10, 25, 12);

function temporary(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'audit-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const start = (sinks: AuditSink[], change: Partial<AuditOptions> = {}) =>
  Audit.start({
    sinks,
    queue: 64,
    onFailure: 'deny',
    now: () => NOW,
    start: { version: 'test' },
    report: () => {},
    ...change,
  });

const verify = (path: string, wanted: string[] = []): Promise<AuditReport> => verifyAudit([readFileSync(path)], wanted);
const linesOf = (path: string) => readFileSync(path, 'utf8').split('\n').slice(0, -1);
const parsed = (path: string) => linesOf(path).map((line) => JSON.parse(line));

/** Starts, records, stops. */
async function session(path: string, records: number): Promise<void> {
  const audit = await start([new FileSink(path)]);
  await Promise.all(
    Array.from({ length: records }, (_, at) => audit.record(auditRecord({ decision: `d-${at}` }), LONG)),
  );
  await audit.close(LONG);
}

/** A sink in memory whose writes are let through, held or failed by hand. */
class HandSink implements AuditSink {
  readonly name = 'hand';
  text = '';
  opened = 0;
  mode: 'pass' | 'fail' | 'hold' = 'pass';
  #held: (() => void)[] = [];
  #arrival = Promise.withResolvers<void>();

  async open(): Promise<Tail> {
    this.opened += 1;
    const lines = this.text.split('\n').slice(0, -1);
    const last = lines.at(-1);
    if (last === undefined) return { last: null, torn: null, open: false };
    const { boot, seq } = JSON.parse(last);
    return { last: { boot, seq, digest: digest(last) }, torn: null, open: false };
  }

  async append(bytes: string): Promise<void> {
    if (this.mode === 'fail') throw new Error('no space left');
    if (this.mode === 'hold') {
      this.#arrival.resolve();
      await new Promise<void>((resolve) => this.#held.push(resolve));
    }
    this.text += bytes;
  }

  /** Resolves when a write is being held. */
  get holding(): Promise<void> {
    return this.#arrival.promise;
  }

  release(): void {
    this.mode = 'pass';
    for (const go of this.#held.splice(0)) go();
  }

  async rotated(): Promise<null> {
    return null;
  }

  async close(): Promise<void> {}

  report(): Promise<AuditReport> {
    return verifyAudit([Buffer.from(this.text)]);
  }
}

test('each check is one line, numbered without a gap, and names the hash of the line before it', async (t) => {
  const path = join(temporary(t), 'audit.log');
  await session(path, 50);
  const lines = linesOf(path);
  assert.equal(lines.length, 51);
  for (const [at, line] of lines.entries()) {
    const { seq, prev } = JSON.parse(line);
    assert.equal(seq, at + 1);
    assert.equal(prev, at === 0 ? null : digest(lines[at - 1]!));
  }
  assert.equal(JSON.parse(lines[0]!).event, 'boot');
  assert.equal(JSON.parse(lines[0]!).version, 'test');
  assert.deepEqual((await verify(path)).faults, []);
});

test('a record says where its line is, and that line can be asked for', async (t) => {
  const path = join(temporary(t), 'audit.log');
  const audit = await start([new FileSink(path)]);
  const written = await audit.record(auditRecord({ decision: 'wanted' }), LONG);
  await audit.close(LONG);
  assert.ok(written !== null && !(written instanceof Refusal));
  const line = linesOf(path)[written.seq - 1]!;
  assert.equal(JSON.parse(line).decision, 'wanted');
  assert.equal(digest(line), written.hash);
  assert.deepEqual((await verify(path, [written.hash])).missing, []);
  assert.deepEqual((await verify(path, ['sha256:00'])).missing, ['sha256:00']);
});

test('the line has the members of the design in their order', async (t) => {
  const path = join(temporary(t), 'audit.log');
  await session(path, 1);
  const members = Object.keys(parsed(path)[1]);
  const wanted =
    'time boot seq prev decision result reason detail caller task hops action resource facts request policy micros';
  assert.deepEqual(members, wanted.split(' '));
  assert.equal(parsed(path)[1].time, '2026-11-25T10:00:00.123Z');
});

test('the file is for its owner alone', async (t) => {
  const path = join(temporary(t), 'audit.log');
  await session(path, 1);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('a restart goes on with the chain under a new boot id', async (t) => {
  const path = join(temporary(t), 'audit.log');
  await session(path, 3);
  await session(path, 2);
  const [first, , , last, second] = parsed(path);
  assert.notEqual(second.boot, first.boot);
  assert.deepEqual(second.last, { boot: last.boot, seq: 4 });
  const report = await verify(path);
  assert.deepEqual(report.faults, []);
  assert.deepEqual([report.boots, report.records, report.unlinked], [2, 5, 0]);
});

for (const [name, kind, line, change] of [
  ['a byte changed', 'changed', 4, (lines: string[]) => lines.with(2, lines[2]!.replace('"allow"', '"Allow"'))],
  ['a result turned around', 'changed', 4, (lines: string[]) => lines.with(2, lines[2]!.replace('allow', 'deny'))],
  ['a line taken out', 'gap', 3, (lines: string[]) => lines.toSpliced(2, 1)],
  ['two lines swapped', 'gap', 3, (lines: string[]) => lines.with(2, lines[3]!).with(3, lines[2]!)],
  ['a line repeated', 'order', 4, (lines: string[]) => lines.toSpliced(3, 0, lines[2]!)],
  ['the end cut before a restart', 'cut', 4, (lines: string[]) => lines.toSpliced(3, 1)],
  ['the first line of a start taken out', 'start', 5, (lines: string[]) => lines.toSpliced(4, 1)],
  ['a line of an earlier start', 'writers', 6, (lines: string[]) => lines.toSpliced(5, 0, lines[3]!)],
  ['a start repeated', 'order', 6, (lines: string[]) => lines.toSpliced(5, 0, lines[4]!)],
  [
    'a start with another number',
    'order',
    5,
    (lines: string[]) => lines.with(4, lines[4]!.replace('"seq":1', '"seq":2')),
  ],
  [
    'a number that is none',
    'unreadable',
    3,
    (lines: string[]) => lines.with(2, lines[2]!.replace('"seq":3', '"seq":0')),
  ],
  ['a stranger’s line', 'unreadable', 3, (lines: string[]) => lines.toSpliced(2, 0, 'hello')],
  ['a stranger’s line before a restart', 'unreadable', 5, (lines: string[]) => lines.toSpliced(4, 0, 'hello')],
  ['an empty line', 'unreadable', 3, (lines: string[]) => lines.toSpliced(2, 0, '')],
  [
    'a line that is no UTF-8',
    'unreadable',
    3,
    (lines: string[]) => lines.with(2, lines[2]!.replace('allow', '\u00ff')),
  ],
] as const) {
  test(`verification sees ${name}, and where`, async (t) => {
    const path = join(temporary(t), 'audit.log');
    await session(path, 3);
    await session(path, 2);
    assert.deepEqual((await verify(path)).faults, []);
    const report = await verifyAudit([Buffer.from(`${change(linesOf(path)).join('\n')}\n`, 'latin1')]);
    assert.deepEqual([report.faults[0]?.kind, report.faults[0]?.line], [kind, line], JSON.stringify(report.faults));
  });
}

test('verification sees a cut end when a hash from elsewhere is asked for', async (t) => {
  const path = join(temporary(t), 'audit.log');
  await session(path, 3);
  const lines = linesOf(path);
  const cut = [Buffer.from(`${lines.slice(0, 3).join('\n')}\n`)];
  assert.deepEqual((await verifyAudit(cut, [digest(lines[2]!)])).missing, []);
  assert.deepEqual((await verifyAudit(cut, [digest(lines[3]!)])).missing, [digest(lines[3]!)]);
});

test('verification does not depend on how the file is cut into chunks', async (t) => {
  const path = join(temporary(t), 'audit.log');
  await session(path, 3);
  const bytes = readFileSync(path);
  const whole = await verifyAudit([bytes]);
  for (const size of [1, 7, 1000]) {
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
      bytes.subarray(at * size, (at + 1) * size),
    );
    assert.deepEqual(await verifyAudit(chunks), whole);
  }
});

test('a line of many megabytes is a fault, not a matter of memory', async () => {
  const chunk = Buffer.alloc(1024 * 1024, 'x');
  const report = await verifyAudit(Array.from({ length: 20 }, () => chunk));
  assert.equal(report.faults[0]?.kind, 'unreadable');
  assert.equal(report.faults.length, 1);
});

test('a torn end is a fault; the next start admits it, and the chain goes on', async (t) => {
  const path = join(temporary(t), 'audit.log');
  await session(path, 3);
  writeFileSync(path, readFileSync(path).subarray(0, -10));
  const torn = await verify(path);
  assert.deepEqual([torn.faults[0]?.kind, torn.faults[0]?.line, torn.lines], ['torn', 4, 3]);
  await session(path, 1);
  const report = await verify(path);
  assert.deepEqual([report.faults, report.torn, report.boots], [[], 1, 2]);
  const forged = readFileSync(path, 'utf8').replace('"d-2"', '"d-9"');
  assert.equal((await verifyAudit([Buffer.from(forged)])).faults[0]?.kind, 'unreadable');
});

test('a line that lacks nothing but its line feed is whole', async (t) => {
  const path = join(temporary(t), 'audit.log');
  await session(path, 3);
  writeFileSync(path, readFileSync(path).subarray(0, -1));
  assert.deepEqual((await verify(path)).faults, []);
  await session(path, 1);
  const report = await verify(path);
  assert.deepEqual([report.faults, report.torn, report.records], [[], 0, 4]);
});

test('a start that was cut off in its very first line does not stop the next one', async (t) => {
  const path = join(temporary(t), 'audit.log');
  writeFileSync(path, '{"time":"2026-11-2');
  await session(path, 1);
  const report = await verify(path);
  assert.deepEqual([report.faults, report.torn, report.records], [[], 1, 1]);
});

test('the last line is found behind any amount of torn bytes', async (t) => {
  const path = join(temporary(t), 'audit.log');
  await session(path, 1);
  appendFileSync(path, `${'x'.repeat(200_000)}\n${'x'.repeat(100_000)}`);
  await session(path, 1);
  const report = await verify(path);
  assert.deepEqual([report.faults, report.torn, report.records], [[], 1, 2]);
});

test('a file that is no audit, or no file, is not written to', async (t) => {
  const folder = temporary(t);
  const other = join(folder, 'policy.cedar');
  writeFileSync(other, 'permit(principal, action, resource);\n');
  await assert.rejects(start([new FileSink(other)]), /does not end with lines of an audit/);
  assert.equal(readFileSync(other, 'utf8'), 'permit(principal, action, resource);\n');
  await assert.rejects(start([new FileSink(folder)]), /EISDIR/);
  await assert.rejects(start([new FileSink('/dev/null')]), /not a regular file/);
});

test('a file that was moved away is followed by a new one that continues the chain', async (t) => {
  const path = join(temporary(t), 'audit.log');
  const audit = await start([new FileSink(path)]);
  await audit.record(auditRecord(), LONG);
  renameSync(path, `${path}.1`);
  // The next line may still go to the old file. No further one is needed for the sink to notice.
  await audit.record(auditRecord(), LONG);
  await until('the new file', () => (existsSync(path) ? true : null));
  await audit.record(auditRecord(), LONG);
  await audit.close(LONG);
  const [old, fresh] = [readFileSync(`${path}.1`), readFileSync(path)];
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const both = await verifyAudit([old, fresh]);
  assert.deepEqual([both.faults, both.records], [[], 3]);
  const alone = await verifyAudit([fresh]);
  assert.deepEqual([alone.faults, alone.continues], [[], true]);
  assert.equal(alone.records, 1);
});

test('no look at the file opens it again once the audit was closed', async (t) => {
  const path = join(temporary(t), 'audit.log');
  const audit = await start([new FileSink(path)]);
  await audit.record(auditRecord(), LONG);
  await audit.close(LONG);
  // The file is closed: a look that came now would open it again.
  renameSync(path, `${path}.1`);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(existsSync(path), false);
});

test('a writer that is killed leaves whole lines and at most one torn one, and the next start goes on', async (t) => {
  const path = join(temporary(t), 'audit.log');
  const script = join(import.meta.dirname, '..', '..', 'test', 'support', 'audit-writer-observe.ts');
  const child = spawn(process.execPath, [script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  const killed = await verify(path);
  assert.ok(killed.records >= 200);
  assert.ok(killed.faults.every((fault) => fault.kind === 'torn'));
  // Wherever in the line the end fell, it is seen.
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.subarray(0, bytes.lastIndexOf('\n') - 40));
  const cut = await verify(path);
  assert.deepEqual(
    cut.faults.map((fault) => fault.kind),
    ['torn'],
  );
  await session(path, 2);
  const after = await verify(path);
  assert.deepEqual([after.faults, after.torn, after.boots], [[], 1, 2]);
});

test('an allow waits for the sink, and becomes a refusal when the sink does not answer in time', async () => {
  const sink = new HandSink();
  const audit = await start([sink]);
  sink.mode = 'hold';
  const first = audit.record(auditRecord({ decision: 'first' }), 5);
  await sink.holding;
  const second = audit.record(auditRecord({ decision: 'second' }), 5);
  const [begun, waiting] = await Promise.all([first, second]);
  assert.ok(begun instanceof Refusal && begun.reason === 'audit_unavailable');
  assert.ok(waiting instanceof Refusal && waiting.reason === 'audit_unavailable');
  sink.release();
  await audit.close(LONG);
  const lines = sink.text
    .split('\n')
    .slice(1, -1)
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ event, decision, result, reason, of }) => [event, decision, result, reason, of]),
    [
      [undefined, 'first', 'allow', 'permitted', undefined],
      [undefined, 'second', 'deny', 'audit_unavailable', undefined],
      ['withdrawn', 'first', undefined, undefined, 2],
    ],
  );
  const report = await sink.report();
  assert.deepEqual([report.faults, report.withdrawn], [[], 1]);
});

test('a denial stays a denial when it cannot be recorded in time, and is recorded later', async () => {
  const sink = new HandSink();
  const audit = await start([sink]);
  sink.mode = 'hold';
  assert.equal(await audit.record(auditRecord({ result: 'deny', reason: 'policy_no_permit' }), 1), null);
  sink.release();
  await audit.close(LONG);
  assert.equal((await sink.report()).records, 1);
});

test('a failed write refuses its allows; when the sink is well again, the chain goes on and says what was lost', async () => {
  const sink = new HandSink();
  const reports: unknown[] = [];
  const audit = await start([sink], { report: (...all) => reports.push(all) });
  assert.ok(!((await audit.record(auditRecord(), LONG)) instanceof Refusal));
  sink.mode = 'fail';
  const both = await Promise.all([audit.record(auditRecord(), LONG), audit.record(auditRecord(), LONG)]);
  assert.ok(both.every((each) => each instanceof Refusal));
  assert.ok((await audit.record(auditRecord(), LONG)) instanceof Refusal);
  sink.mode = 'pass';
  assert.ok(!((await audit.record(auditRecord(), LONG)) instanceof Refusal));
  assert.ok(!((await audit.record(auditRecord(), LONG)) instanceof Refusal));
  sink.mode = 'fail';
  assert.ok((await audit.record(auditRecord(), LONG)) instanceof Refusal);
  await audit.close(LONG);
  const report = await sink.report();
  assert.deepEqual([report.faults, report.lost, report.records, report.boots, report.unlinked], [[], 3, 3, 2, 0]);
  assert.deepEqual(reports, [
    ['hand', 'written', 1, null],
    ['hand', 'failed', 2, 'no space left'],
    ['hand', 'failed', 1, null],
    ['hand', 'written', 1, null],
    ['hand', 'written', 1, null],
    ['hand', 'failed', 1, 'no space left'],
  ]);
});

test('unsafeAllow lets an allow go out unrecorded', async () => {
  const sink = new HandSink();
  const audit = await start([sink], { onFailure: 'unsafeAllow' });
  sink.mode = 'fail';
  assert.equal(await audit.record(auditRecord(), LONG), null);
});

test('the queue is bounded: what does not fit is refused at once', async () => {
  const sink = new HandSink();
  const audit = await start([sink], { queue: 16 });
  sink.mode = 'hold';
  const begun = audit.record(auditRecord(), LONG);
  await sink.holding;
  const waiting = Array.from({ length: 16 }, () => audit.record(auditRecord(), LONG));
  assert.ok((await audit.record(auditRecord(), LONG)) instanceof Refusal);
  sink.release();
  const written = await Promise.all([begun, ...waiting]);
  assert.ok(written.every((each) => each !== null && !(each instanceof Refusal)));
  await audit.close(LONG);
  assert.equal((await sink.report()).records, 17);
});

test('the queue is bounded in characters too, and long records share no write beyond a mebibyte', async () => {
  const sink = new HandSink();
  const sizes: number[] = [];
  const append = sink.append.bind(sink);
  sink.append = (bytes) => {
    sizes.push(bytes.length);
    return append(bytes);
  };
  const audit = await start([sink], { queue: 10_000 });
  const long = auditRecord({ detail: `${'x'.repeat(30_000)} ` });
  sink.mode = 'hold';
  const begun = audit.record(long, LONG);
  await sink.holding;
  const waiting = Array.from({ length: 1500 }, () => audit.record(long, LONG));
  sink.release();
  const written = await Promise.all([begun, ...waiting]);
  const refused = written.filter((each) => each instanceof Refusal).length;
  assert.ok(refused > 300 && refused < 500, `${refused} refused`);
  assert.ok(Math.max(...sizes) < 1_100_000, `${Math.max(...sizes)} characters in one write`);
  assert.ok(!((await audit.record(long, LONG)) instanceof Refusal));
  await audit.close(LONG);
});

test('with two sinks an allow needs both, and the one that has it takes it back', async () => {
  const [well, ill] = [new HandSink(), new HandSink()];
  const audit = await start([well, ill]);
  ill.mode = 'fail';
  assert.ok((await audit.record(auditRecord(), LONG)) instanceof Refusal);
  await audit.close(LONG);
  const report = await well.report();
  assert.deepEqual([report.records, report.withdrawn, report.faults], [1, 1, []]);
});

test('all checks of one turn share one write', async () => {
  let writes = 0;
  const sink = new HandSink();
  const append = sink.append.bind(sink);
  sink.append = (bytes) => {
    writes += 1;
    return append(bytes);
  };
  const audit = await start([sink]);
  await Promise.all(Array.from({ length: 50 }, () => audit.record(auditRecord(), LONG)));
  assert.equal(writes, 2);
});

test('a sink that cannot be opened stops the start', async () => {
  const sink = new HandSink();
  sink.mode = 'fail';
  await assert.rejects(start([sink]), /no space left/);
});

test('a stream counts a line only when it is written, and a broken stream refuses', async () => {
  const texts: string[] = [];
  let broken = false;
  const stream = new Writable({
    write(chunk, _, done) {
      if (broken) return done(new Error('EPIPE'));
      texts.push(String(chunk));
      return done();
    },
  });
  const audit = await start([streamSink('stdout', stream)]);
  assert.ok(!((await audit.record(auditRecord(), LONG)) instanceof Refusal));
  broken = true;
  assert.ok((await audit.record(auditRecord(), LONG)) instanceof Refusal);
  assert.ok((await audit.record(auditRecord(), LONG)) instanceof Refusal);
  assert.deepEqual((await verifyAudit([Buffer.from(texts.join(''))])).faults, []);
});

test('a pipe that nobody reads refuses within the time, and the process lives', async (t) => {
  const script = `
    import { Audit } from ${JSON.stringify(join(import.meta.dirname, 'audit.ts'))};
    import { streamSink } from ${JSON.stringify(join(import.meta.dirname, 'sink.ts'))};
    import { auditRecord } from ${JSON.stringify(join(import.meta.dirname, '../../test/support/audit-observe.ts'))};
    const audit = await Audit.start({ sinks: [streamSink('stdout', process.stdout)], queue: 100, onFailure: 'deny', now: Date.now, start: {}, report: () => {} });
    let last;
    for (let i = 0; i < 2000 && last?.reason === undefined; i++) last = await audit.record(auditRecord(), 300);
    process.stderr.write(String(last?.reason));
    process.exit(0);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  child.stdout.pause();
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  await once(child, 'exit');
  assert.equal(said, 'audit_unavailable');
});

test('no record makes a line that holds a control or an invisible character, and each reads back as it was', async () => {
  const hostile = fc.string({
    unit: fc.oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
      fc.constantFrom(
        '\n',
        '\r',
        '\u0000',
        '\u001b',
        '\u007f',
        '\u0085',
        '\u2028',
        '\u2029',
        '\u202e',
        '\ufeff',
        '\ud800',
        '\udfff',
        '"',
        '\\',
      ),
    ),
  });
  fc.assert(
    fc.property(hostile, hostile, (path, detail) => {
      const { json } = auditBody(
        auditRecord({
          detail,
          request: { id: null, peer: null, from: null, method: null, host: null, path, traceparent: null },
        }),
      );
      assert.doesNotMatch(json, /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\ufeff]/);
      assert.ok(json.isWellFormed());
      const back = JSON.parse(json);
      assert.equal(back.detail, detail);
      assert.equal(back.request.path, path);
    }),
    { numRuns: 300 },
  );
});

test('DEL is escaped in a line that is otherwise plain', () => {
  assert.match(auditBody(auditRecord({ detail: 'a\u007fb' })).json, /"detail":"a\\u007fb"/);
});

test('a token never stands in the audit, wherever it came from', () => {
  const token = `${Buffer.from('{"alg":"ES256"}').toString('base64url')}.${Buffer.from('{"sub":"x"}').toString('base64url')}.c2ln`;
  const request = {
    id: null,
    peer: null,
    from: null,
    method: 'GET',
    host: 'a.example',
    path: `/x/${token}`,
    traceparent: null,
  };
  const { json } = auditBody(auditRecord({ detail: `bad token ${token}`, request }));
  assert.ok(!json.includes(token));
  assert.match(JSON.parse(json).detail, /^bad token jwt:sha256:[0-9a-f]{64}$/);
});

test('a record is bounded, whatever it holds', () => {
  const text = '\u0001'.repeat(5000);
  const headers = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`h${at}${text}`, text]));
  const facts = { ...auditRecord().facts!, query: text, headers, signals: Array.from({ length: 500 }, () => text) };
  const huge = auditBody(auditRecord({ facts, decision: text }));
  assert.ok(huge.json.length <= 32 * 1024);
  assert.deepEqual([JSON.parse(huge.json).result, JSON.parse(huge.json).clipped], ['allow', true]);
  const long = JSON.parse(auditBody(auditRecord({ detail: 'x'.repeat(40_000) })).json);
  assert.match(long.detail, /^x{2048}… \(40000 characters\)$/);
  assert.deepEqual([long.clipped, long.caller.owner], [true, 'payments']);
});

test('a file that was copied and truncated goes on with the chain, and lines between the two show as a gap', async (t) => {
  const path = join(temporary(t), 'audit.log');
  const audit = await start([new FileSink(path)]);
  for (let at = 0; at < 3; at++) await audit.record(auditRecord(), LONG);
  const copy = readFileSync(path);
  truncateSync(path);
  for (let at = 0; at < 2; at++) await audit.record(auditRecord(), LONG);
  const second = readFileSync(path);
  await audit.record(auditRecord(), LONG);
  truncateSync(path);
  await audit.record(auditRecord(), LONG);
  await audit.close(LONG);
  const whole = await verifyAudit([copy, second]);
  assert.deepEqual([whole.faults, whole.records], [[], 5]);
  const alone = await verifyAudit([second]);
  assert.deepEqual([alone.faults, alone.continues, alone.records], [[], true, 2]);
  const gap = await verifyAudit([copy, second, readFileSync(path)]);
  assert.deepEqual(
    gap.faults.map(({ kind }) => kind),
    ['gap'],
  );
});

suite('an audit among other lines', () => {
  const others = ['{"time":"2026-11-25T00:00:00.000Z","level":"info","message":"serving"}', 'plain text', ''];
  const among = (lines: readonly string[], each: (line: string) => string = (line) => line) =>
    Buffer.from(
      lines
        .flatMap((line) => [...others, line].map(each))
        .join('\n')
        .concat('\n'),
    );
  const skip = (bytes: Buffer, wanted: string[] = []) => verifyAudit([bytes], wanted, { skipForeign: true });
  const written = async (t: TestContext, records = 3) => {
    const path = join(temporary(t), 'audit.log');
    await session(path, records);
    return linesOf(path);
  };

  test('is verified when the others are to be skipped, and they are counted', async (t) => {
    const lines = await written(t);
    assert.equal((await verifyAudit([among(lines)])).faults[0]?.kind, 'unreadable');
    const report = await skip(among(lines));
    assert.deepEqual([report.faults, report.records, report.foreign], [[], 3, 8]);
  });

  test('is verified as a node keeps it, with long lines in pieces, and as kubectl prints it with times', async (t) => {
    const lines = await written(t);
    const time = '2026-11-25T10:00:00.123456789Z';
    const pieces = (line: string) => {
      const cut = Math.floor(line.length / 2);
      return `${time} stdout P ${line.slice(0, cut)}\n${time} stderr F {"level":"info"}\n${time} stdout F ${line.slice(cut)}`;
    };
    for (const each of [pieces, (line: string) => `${time} ${line}`, (line: string) => `${time} stdout F ${line}`]) {
      const report = await skip(among(lines, each), [digest(lines.at(-1)!)]);
      assert.deepEqual([report.faults, report.records, report.missing], [[], 3, []]);
    }
  });

  test('shows a line that was removed, moved, changed, or changed beyond recognition', async (t) => {
    const lines = await written(t, 4);
    const kinds = async (change: (lines: string[]) => string[]) =>
      (await skip(among(change([...lines])))).faults.map(({ kind }) => kind);
    assert.deepEqual(await kinds((all) => all.toSpliced(2, 1)), ['gap']);
    assert.deepEqual(await kinds((all) => all.with(2, all[2]!.replace('"allow"', '"deny"'))), ['changed']);
    assert.deepEqual(await kinds((all) => all.with(2, `x${all[2]}`)), ['gap']);
    assert.deepEqual(await kinds((all) => [all[0]!, all[2]!, all[1]!, ...all.slice(3)]), ['gap', 'order', 'gap']);
  });

  test('pieces without an end take no memory', async () => {
    const piece = Buffer.from(`2026-11-25T10:00:00Z stdout P ${'x'.repeat(65_000)}\n`);
    const report = await verifyAudit(
      Array.from({ length: 500 }, () => piece),
      [],
      { skipForeign: true },
    );
    assert.deepEqual([report.lines, report.faults], [0, []]);
  });
});

test('changes of what decides are lines of the same chain, counted apart, and bounded whatever they hold', async (t) => {
  const path = join(temporary(t), 'audit.log');
  const audit = await start([new FileSink(path)]);
  await audit.record(auditRecord(), LONG);
  const problems = Array.from({ length: 10_000 }, () => 'x'.repeat(10_000));
  audit.change({ event: 'policy-refused', revision: null, problems });
  audit.change({ event: 'bundle-changed', trustDomain: 'a.example', revision: 'sha256:01' });
  await audit.record(auditRecord(), LONG);
  await audit.close(LONG);
  const report = await verify(path);
  assert.deepEqual([report.faults, report.lines, report.records, report.changes], [[], 5, 2, 2]);
  const [, , refused, changed] = parsed(path);
  assert.equal(refused.problems.length, 17);
  assert.ok(linesOf(path)[2]!.length < 16_384);
  assert.equal(changed.trustDomain, 'a.example');
});

test('changes do not grow a queue beyond its limit while a sink hangs, and count as lost', async () => {
  const sink = new HandSink();
  const audit = await start([sink], { queue: 4 });
  sink.mode = 'hold';
  void audit.record(auditRecord(), LONG);
  await sink.holding;
  for (let at = 0; at < 100; at++) audit.change({ event: 'bundle-changed', trustDomain: 'a.example', revision: null });
  assert.deepEqual([...audit.waiting()], [['hand', 4]]);
  sink.mode = 'pass';
  sink.release();
  await audit.close(LONG);
  const report = await sink.report();
  assert.deepEqual([report.faults, report.changes, report.lost], [[], 4, 96]);
});
