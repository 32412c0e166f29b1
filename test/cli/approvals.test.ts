import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { approvalOrder, askedFor } from '../support/approvals.ts';
import { type ConsoleWorld, startConsoleWorld } from '../support/console-world.ts';
import { controlCli } from '../support/control-cli.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import type { Finished } from '../support/run.ts';

let world: ConsoleWorld;
const folder = temporaryFolder();
before(async () => {
  world = await startConsoleWorld();
  writeFileSync(join(folder, 'ca.pem'), world.consoleCa);
  const shown = Promise.withResolvers<string>();
  const signing = cli(['sign-in', '--no-open'], (text) => {
    const [page] = /https:\S+/.exec(text) ?? [];
    if (page !== undefined) shown.resolve(page);
  });
  const browser = world.browser();
  const asked = await browser.visit(await shown.promise);
  const last = await browser.visit(`${asked.url}?as=anna`, asked.url, (next) => next.protocol === 'http:');
  await browser.load(last.headers.location ?? '');
  assert.equal((await signing).code, 0);
});
after(async () => {
  await world.stop();
  removeFolder(folder);
});

const cli = (args: readonly string[], onText?: (text: string) => void): Promise<Finished> =>
  controlCli(
    [...args, '--control', world.url, '--ca', join(folder, 'ca.pem'), '--session-file', join(folder, 'session.json')],
    onText,
  );
const order = (path: string) => approvalOrder({ task: null, path });

test('who signed in sees what waits, approves it by its digest, and withdraws it', async () => {
  const none = await cli(['approvals']);
  assert.deepEqual([none.stdout, none.stderr], ['none\n', 'covers this process\n']);
  const of = order('/refunds/\u202e\u034f1');
  const id = await askedFor(world.approvals!, of);
  const listed = await cli(['approvals', '--state', 'pending']);
  assert.equal(listed.code, 0, listed.stderr);
  assert.match(
    listed.stdout,
    new RegExp(`^state .*\\npending +${id} +resource-owner +spiffe:\\S+ +POST payments\\.internal/refunds/`),
  );
  assert.ok(
    listed.stdout.includes('/refunds/\\u{202e}\\u{34f}1'),
    'what a caller chose hides nothing and turns no line around',
  );
  const whole = await cli(['approvals', id]);
  const [, digest = ''] = /^digest +(\S+)$/m.exec(whole.stdout) ?? [];
  assert.equal(digest, of.digest);
  assert.match(whole.stdout, /^like this +1 since 20\S+Z, 0 of them granted$/m);
  assert.match(whole.stdout, /^sent +\{"amount":20\}$/m);
  const other = await cli(['approve', id, '--digest', order('/other').digest, '--reason', 'r']);
  assert.deepEqual([other.code, /conflict/.test(other.stderr)], [1, true]);
  const many = await cli(['approve', id, '--digest', digest, '--reason', 'r', '--uses', '2']);
  assert.match(many.stderr, /grant_exceeded/);
  const granted = await cli(['approve', id, '--digest', digest, '--reason', 'in the contract', '--for', '5m']);
  assert.equal(granted.code, 0, granted.stderr);
  assert.match(
    granted.stdout,
    new RegExp(`^${id} is granted: 1 until 20\\S+Z, taken at 20\\S+Z; covers this process\\n$`),
  );
  const late = await cli(['refuse', id, '--reason', 'no']);
  assert.match(late.stderr, /conflict/);
  const withdrawn = await cli(['refuse', id, '--withdraw', '--reason', 'no']);
  assert.match(withdrawn.stdout, /is withdrawn/);
});

test('what a caller sent is told whole, and no line of it looks like a fact', async () => {
  const body = '{"amount":20,\n"digest   x":\n"state  granted"}';
  const sha256 = hash('sha256', body, 'base64url');
  const headers = [
    ['x-amount', '20'],
    ['x-data-class', 'public'],
  ] as const;
  const of = approvalOrder({
    headers,
    declared: { id: 't-1', purpose: 'finance\nstate  granted' },
    body: { sha256, bytes: body.length, shown: body },
  });
  const id = await askedFor(world.approvals!, of);
  const { stdout } = await cli(['approvals', id]);
  assert.match(stdout, /^header +x-amount: 20\nheader +x-data-class: public$/m);
  assert.match(stdout, /^claims +t-1 finance\\u\{a\}state {2}granted$/m);
  assert.match(stdout, /^sent +\{"amount":20,\n +"digest {3}x":\n +"state {2}granted"\}$/m);
  for (const name of ['state', 'digest']) assert.equal(stdout.match(new RegExp(`^${name}`, 'gm'))?.length, 1);
  assert.equal((await cli(['refuse', id, '--reason', 'no'])).code, 0);
});

test('who breaks glass says why, after somebody else has begun the record, and somebody else reviews it', async () => {
  const of = order('/refunds/emergency');
  const id = await askedFor(world.approvals!, of);
  const broken = () => cli(['break-glass', id, '--digest', of.digest, '--reason', 'the payments are down, INC-4711']);
  const early = await broken();
  assert.deepEqual([early.code, /break_glass_unreviewed/.test(early.stderr)], [1, true]);
  assert.match(
    (await cli(['review', 'beginning', '--reason', 'the audit has none'])).stdout,
    /^the beginning is reviewed, taken/,
  );
  const another = { by: 'another', reason: 'the audit has none' };
  await world.approvals!.review({ id: 'beginning', ...another }, Date.now());
  const used = await broken();
  assert.equal(used.code, 0, used.stderr);
  assert.match(used.stdout, new RegExp(`^${id} is granted: 1 until .*\nanother person reviews it until 20\\S+Z\n$`));
  assert.match((await cli(['approvals', '--review', 'waiting'])).stdout, new RegExp(`granted +${id}`));
  assert.match(
    (await cli(['approvals', id])).stdout,
    /^break-glass +by .*anna.*INC-4711\nreview +by another person until 20/m,
  );
  const own = await cli(['review', id, '--reason', 'fine']);
  assert.deepEqual([own.code, /own_request/.test(own.stderr)], [1, true]);
  assert.equal((await world.approvals!.review({ id, ...another }, Date.now())).result, 'stored');
  assert.match((await cli(['approvals', id])).stdout, /^review +by another at 20\S+: the audit has none$/m);
  assert.equal((await cli(['approvals', '--review', 'waiting'])).stdout, 'none\n');
});

test('who refuses says why, and a line that says too little is none', async () => {
  const id = await askedFor(world.approvals!, order('/refunds/2'));
  for (const args of [
    ['approvals', 'x'],
    ['approvals', '--state', 'open'],
    ['approve', id, '--reason', 'r'],
    ['approve', id, '--digest', 'd'],
    ['approve', '--digest', 'd', '--reason', 'r'],
    ['approve', id, '--digest', 'd', '--reason', 'r', '--uses', 'many'],
    ['approve', id, '--digest', 'd', '--reason', 'r', '--for', '9h'],
    ['refuse', id],
    ['break-glass', id, '--reason', 'r'],
    ['break-glass', id, '--digest', 'd'],
    ['review', id],
    ['review', 'begin', '--reason', 'r'],
    ['approvals', '--review', 'done'],
    ['refuse', 'x', '--reason', 'r'],
  ])
    assert.equal((await cli(args)).code, 64, args.join(' '));
  const refused = await cli(['refuse', id, '--reason', 'nobody knows it']);
  assert.match(refused.stdout, /is refused/);
});
