import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { blocks, page } from '../docs/markdown.ts';
import { learnedFile } from '../support/behaviour/learned.ts';
import { pemBundle } from '../support/ca.ts';
import { controlCli } from '../support/control-cli.ts';
import { ALL_TO_OPERATOR, type ControlAsk, OPERATOR, startControlWorld } from '../support/control-world.ts';
import { AUTHZ } from '../support/tls-world.ts';
import { workload } from '../support/world.ts';

const LEDGER = '/ns/payments/sa/ledger';
const READER = '/ns/support/sa/reader';

let world: Awaited<ReturnType<typeof startControlWorld>>;
let reach: readonly string[];

before(async () => {
  const file = await learnedFile(workload(LEDGER), ['payments.internal/invoices', 'payments.internal/status']);
  world = await startControlWorld({
    over: 'tls',
    policies: ALL_TO_OPERATOR,
    edit: (config) => {
      config.behaviour = { mode: 'observe', file };
    },
  });
  const own = world.svid(OPERATOR);
  const files = { 'cli-ca.pem': pemBundle(world.keys.ca), 'cli.crt': own.pem, 'cli.key': own.pkcs8Pem };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(world.folder, name), text);
  const [ca, crt, key] = Object.keys(files).map((name) => join(world.folder, name)) as [string, string, string];
  reach = ['--control', world.control ?? '', '--cert', crt, '--key', key, '--ca', ca, '--server-id', AUTHZ];
});
after(() => world.stop());

const path = (id: string, what = 'baseline') => `/workloads/${encodeURIComponent(id)}/${what}`;
const ask = (more: ControlAsk) => world.ask({ svid: world.svid(OPERATOR), ...more });
const shown = async () => (await ask({ path: path(workload(LEDGER), 'behaviour') })).json;
const kept = async () => (await ask({ path: path(workload(LEDGER)) })).json.baseline as Record<string, string>;
const teach = (body: object, more: Partial<ControlAsk> = {}) =>
  ask({ method: 'POST', path: path(workload(LEDGER)), body: { reason: 'tested', ...body }, ...more });
const cli = (...args: readonly string[]) => controlCli(['behaviour', ...args, ...reach]);

test('what was learned is forgotten and put back as it was, each by an order with its line in the audit first', async () => {
  const before = await shown();
  assert.deepEqual([before.known, Number(before.requests) > 2000], [true, true]);
  const baseline = await kept();
  const forgotten = await teach({ order: 'forget' });
  assert.deepEqual([forgotten.status, forgotten.json.covers], [200, 'this process']);
  assert.deepEqual([forgotten.line?.call, forgotten.line?.action, forgotten.line?.result], ['teach', 'teach', 'allow']);
  assert.deepEqual(forgotten.line?.about, { parameters: { id: workload(LEDGER) }, order: 'forget', reason: 'tested' });
  const nothing = await shown();
  assert.deepEqual([nothing.known, nothing.requests, nothing.days], [false, 0, 0]);
  assert.equal((await teach({ order: 'import', baseline })).status, 200);
  const { last: _, ...again } = await shown();
  const { last: __, ...first } = before;
  assert.deepEqual(again, first);
  assert.deepEqual(await kept(), baseline);
});

test('what it did lately is said to be normal, and nothing of it is remarkable any more', async () => {
  const baseline = await kept();
  for (let n = 0; n < 6; n++) await world.send({ svid: world.svid(LEDGER), path: '/api/exports/2026-10' });
  await world.send({ svid: world.svid(LEDGER), path: '/api/search', method: 'POST' });
  const noticed = await shown();
  assert.ok((noticed.novel as { now: number }).now > 0, JSON.stringify(noticed.novel));
  assert.equal((await teach({ order: 'accept' })).status, 200);
  assert.equal(((await shown()).novel as { now: number }).now, 0);
  await teach({ order: 'import', baseline });
});

test('the same order under one key is taken once', async () => {
  const headers = { 'idempotency-key': 'forget-once' };
  const baseline = await kept();
  assert.equal((await teach({ order: 'forget' }, { headers })).status, 200);
  await teach({ order: 'import', baseline });
  assert.equal((await teach({ order: 'forget' }, { headers })).status, 200, 'the answer of before');
  assert.equal((await shown()).known, true, 'nothing was forgotten once more');
  assert.equal((await teach({ order: 'accept' }, { headers })).json.code, 'key_reused');
});

test('only whom a policy lets may teach, and a token never', async () => {
  const other = await teach({ order: 'forget' }, { svid: world.svid(READER) });
  assert.deepEqual([other.status, other.json.code], [403, 'not_permitted']);
  const token = await world.ask({
    method: 'POST',
    path: path(workload(LEDGER)),
    token: world.token(OPERATOR),
    body: { order: 'forget', reason: 'tested' },
  });
  assert.deepEqual([token.status, token.json.code], [403, 'not_permitted']);
  assert.equal((await shown()).known, true);
});

test('what is no order, no baseline, or one of other hashes changes nothing', async () => {
  const baseline = await kept();
  const { data = '' } = baseline;
  const bytes = Buffer.from(data, 'base64');
  const negative = Buffer.from(bytes);
  negative.writeDoubleLE(-1, 16);
  for (const [body, status, code] of [
    [{ order: 'import', baseline: { ...baseline, hashes: 'others' } }, 422, 'baseline_foreign'],
    [{ order: 'import', baseline: { ...baseline, data: bytes.subarray(1).toString('base64') } }, 422, 'body_invalid'],
    [{ order: 'import', baseline: { ...baseline, data: negative.toString('base64') } }, 422, 'body_invalid'],
    [{ order: 'import', baseline: { ...baseline, data: 'A'.repeat(20_000) } }, 422, 'body_invalid'],
    [{ order: 'import' }, 422, 'body_invalid'],
    [{ order: 'forget', baseline }, 422, 'body_invalid'],
    [{ order: 'burn' }, 422, 'body_invalid'],
    [{ order: 'forget', reason: '' }, 422, 'body_invalid'],
  ] as const) {
    const { status: got, json } = await teach(body);
    assert.deepEqual([got, json.code], [status, code], JSON.stringify(body).slice(0, 80));
  }
  assert.deepEqual(await kept(), baseline);
  for (const id of [workload('/ns/payments/sa/nobody'), 'spiffe://other.example/a']) {
    const { status, json } = await ask({ method: 'POST', path: path(id), body: { order: 'forget', reason: 'x' } });
    assert.deepEqual([status, json.code], [404, 'not_found'], id);
  }
  assert.equal((await ask({ path: path('x') })).json.code, 'parameters_invalid');
});

test('the command line shows, exports, forgets, accepts and imports', async () => {
  const id = workload(LEDGER);
  const exported = await cli('export', id);
  assert.equal(exported.code, 0, exported.stderr);
  const file = join(world.folder, 'ledger.json');
  writeFileSync(file, exported.stdout);
  const before = await cli('show', id);
  assert.match(
    before.stdout,
    /^mode observe; known: \d+ requests in 10\.\d days\n +now +usual\nrequests in 1 s +0 +10\n/,
  );
  assert.match(before.stdout, /\nnew apis +\d+ of \d+ +\d+\.\d\d %\n/);
  for (const order of ['accept', 'forget'] as const) {
    const { code, stdout } = await cli(order, id, '--reason', 'tested');
    assert.deepEqual(
      [code, stdout],
      [0, `${order === 'forget' ? 'forgotten' : 'accepted'}: ${id}; covers this process\n`],
    );
  }
  assert.match((await cli('show', id)).stdout, /^mode observe; not known yet: 0 requests in 0\.0 days\n/);
  const put = await cli('import', id, file, '--reason', 'tested');
  assert.deepEqual([put.code, put.stdout], [0, `put back: ${id}; covers this process\n`]);
  assert.match((await cli('show', id)).stdout, /known: \d+ requests in 10\.\d days/);
  writeFileSync(file, '{"baseline":3}');
  const wrong = await cli('import', id, file, '--reason', 'tested');
  assert.deepEqual([wrong.code, wrong.stderr], [2, `${file}: is not what behaviour export gave\n`]);
  for (const args of [['show'], ['export', id, 'x'], ['forget', id], ['import', id, '--reason', 'x']])
    assert.equal((await cli(...args)).code, 64, args.join(' '));
});

test('the commands of docs/behaviour.md do what they say', async () => {
  const lines = blocks(page('docs/behaviour.md').text).find(({ info }) => info === 'sh behaviour-orders')!.text;
  const file = join(world.folder, 'ledger.json');
  const said: string[] = [];
  for (const line of lines.trim().split('\n')) {
    const [command, into] = line.replace(/^cedar-ext-authz behaviour /, '').split(' > ');
    const words = [...command!.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word!);
    const { code, stdout, stderr } = await cli(...words.map((word) => (word === 'ledger.json' ? file : word)));
    assert.equal(code, 0, stderr);
    if (into === undefined) said.push(stdout.split(/[:;]/)[0]!);
    else writeFileSync(file, stdout);
  }
  assert.deepEqual(said, ['mode observe', 'accepted', 'forgotten', 'put back']);
});
