import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pemBundle } from '../support/ca.ts';
import { controlCli } from '../support/control-cli.ts';
import { ALL_TO_OPERATOR, OPERATOR, startControlWorld } from '../support/control-world.ts';
import { AUTHZ } from '../support/tls-world.ts';
import { workload } from '../support/world.ts';
import { LEDGER, ledgerReads } from '../support/world-asks.ts';

type Over = 'unix' | 'tls' | 'unix-tls';

let worlds: Record<Over, Awaited<ReturnType<typeof startControlWorld>>>;
/** How the operator reaches each: by a token over the plain Unix socket, by its certificate over TLS. */
let reach: Record<Over, readonly string[]>;

before(async () => {
  const [unix, tls, unixTls] = await Promise.all([
    startControlWorld({ over: 'unix', policies: ALL_TO_OPERATOR }),
    startControlWorld({ over: 'tls', policies: ALL_TO_OPERATOR }),
    startControlWorld({ over: 'unix-tls', policies: ALL_TO_OPERATOR }),
  ]);
  worlds = { unix, tls, 'unix-tls': unixTls };
  const file = (name: string, text: string): string => {
    writeFileSync(join(tls.folder, name), text);
    return join(tls.folder, name);
  };
  const byCertificate = (name: string, { keys, svid }: typeof tls): readonly string[] => {
    const own = svid(OPERATOR);
    return [
      ...['--cert', file(`${name}.crt`, own.pem), '--key', file(`${name}.key`, own.pkcs8Pem)],
      ...['--ca', file(`${name}-ca.pem`, pemBundle(keys.ca)), '--server-id', AUTHZ],
    ];
  };
  reach = {
    unix: [
      ...['--control', `unix://${join(unix.folder, 'control.sock')}`],
      ...['--token-file', file('operator.jwt', `${unix.token(OPERATOR)}\n`)],
    ],
    tls: ['--control', tls.control ?? '', ...byCertificate('tcp', tls)],
    'unix-tls': ['--control', `unix://${join(unixTls.folder, 'control.sock')}`, ...byCertificate('socket', unixTls)],
  };
});
after(() => Promise.all(Object.values(worlds).map((world) => world.stop())));

const cli = (over: keyof typeof reach, ...args: readonly string[]) => controlCli([...args, ...reach[over]]);
const why = ['--reason', 'INC-7', '--until', '2h'];

async function json(over: keyof typeof reach, ...args: readonly string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await cli(over, ...args, '--json');
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
}

test('what a dry run says is refused after the order, and permitted after the lift, which takes a certificate', async () => {
  const { unix } = worlds;
  for (const over of ['unix', 'tls', 'unix-tls'] as const) {
    const world = worlds[over];
    const revoke = ['revoke', 'workload', workload(LEDGER), ...why, '--id', 'INC-7'];
    const dry = await cli(over, ...revoke, '--dry-run');
    assert.deepEqual([dry.code, dry.stderr], [0, '']);
    assert.equal(dry.stdout, 'nothing is changed; the order refuses 1 workload, 0 live tasks\n');
    assert.equal((await world.send(ledgerReads()(world))).reason, 'permitted');
    const taken = await cli(over, ...revoke);
    assert.deepEqual([taken.code, taken.stderr], [0, '']);
    assert.match(
      taken.stdout,
      /^revoked INC-7: workload spiffe:\S+\/ledger until 20\S+Z, taken at 20\S+Z; covers this process\nit hits 1 workload, 0 live tasks\n$/,
    );
    const refused = await world.send(ledgerReads()(world));
    assert.equal(refused.reason, 'revoked_workload');
    assert.match(String(refused.audit.detail), /INC-7/);
  }
  const byToken = await cli('unix', 'lift', 'INC-7', '--reason', 'over');
  assert.deepEqual([byToken.code, byToken.stdout], [1, '']);
  assert.match(byToken.stderr, /^No control policy permits this \(not_permitted, status 403, audit [0-9a-f-]{36}\)\n$/);
  assert.equal((await unix.send(ledgerReads()(unix))).reason, 'revoked_workload');
  for (const over of ['tls', 'unix-tls'] as const) {
    const lifted = await cli(over, 'lift', 'INC-7', '--reason', 'over');
    assert.deepEqual([lifted.code, lifted.stderr], [0, '']);
    assert.match(lifted.stdout, /^lifted INC-7, taken at 20\S+Z; covers this process\n$/);
    assert.equal((await worlds[over].send(ledgerReads()(worlds[over]))).reason, 'permitted');
  }
  const again = await cli('tls', 'lift', 'INC-7', '--reason', 'over');
  assert.equal(again.code, 1);
  assert.match(again.stderr, /no revocation has this id \(not_found, status 404/);
});

test('each kind of subject is taken, and listed as the command line writes it', async () => {
  const digest = `sha256:${'0'.repeat(64)}`;
  const domain = 'spiffe://prod.example';
  const subjects: readonly (readonly [kind: string, ...rest: string[]])[] = [
    ['under', `${domain}/ns/batch`],
    ['owner', 'support'],
    ['task', domain, 'T-1'],
    ['token', domain, 'jti-1'],
    ['token', digest],
    ['key', 'A'.repeat(43)],
    ['certificate', digest],
    ['subject', domain, `${domain}/ns/batch/sa/x`],
  ];
  for (const [at, subject] of subjects.entries()) {
    const issued = at === 0 ? ['--issued-up-to', 'now'] : [];
    const { revocation } = await json('tls', 'revoke', ...subject, ...why, '--id', `kind-${at}`, ...issued);
    assert.equal(typeof (revocation as { issuedUpTo: unknown }).issuedUpTo, at === 0 ? 'string' : 'object');
  }
  const credential = await cli('tls', 'revoke', 'key', 'B'.repeat(43), ...why, '--id', 'kind-key');
  assert.match(credential.stdout, /\nhow many workloads and live tasks it hits is not known\n$/);
  const { stdout, stderr } = await cli('tls', 'revocations');
  for (const [at, subject] of subjects.entries())
    assert.match(stdout, new RegExp(`^kind-${at} +${subject.join(' ').replaceAll('.', '\\.')} +20\\S+Z +memory `, 'm'));
  assert.equal(stderr, 'covers this process\n');
  const { items } = await json('tls', 'revocations', '--kind', 'token', '--subject', 'jti-1');
  assert.deepEqual(
    (items as { id: string; by: string }[]).map(({ id, by }) => [id, by]),
    [['kind-3', workload(OPERATOR)]],
  );
  // It is not known here, which the order does not hide.
  const unknown = await cli('tls', 'revoke', 'workload', `${domain}/ns/nobody/sa/x`, ...why);
  assert.match(unknown.stdout, /\nnote: what it names is not known here\n$/);
});

test('audit find tells of each call who gave it, by what right, and what was refused', async () => {
  const refused = await cli('unix', 'lift', 'INC-7', '--reason', 'over');
  const [, decision = ''] = /audit ([0-9a-f-]{36})/.exec(refused.stderr) ?? [];
  const file = join(worlds.unix.folder, 'audit.jsonl');
  const found = await controlCli(['find', file, '--decision', decision, '--caller', workload(OPERATOR)]);
  assert.equal(found.code, 0, found.stderr);
  assert.match(
    found.stdout,
    /^20\S+Z control \{.*"result":"deny","reason":"not_permitted".*"bearers-only-view-and-revoke"/,
  );
});

test('one key is one order, whoever repeats it; and another order under that key is refused', async () => {
  const order = ['revoke', 'owner', 'payments', '--reason', 'r', '--until', '2027-01-01T00:00:00Z'];
  const key = ['--idempotency-key', 'k-1'];
  const first = await json('unix', ...order, ...key);
  assert.deepEqual(await json('unix', ...order, ...key), first);
  const other = await cli('unix', 'revoke', 'owner', 'support', ...why, ...key);
  assert.equal(other.code, 1);
  assert.match(other.stderr, /\(key_reused, status 422/);
});

test('an order that cannot be meant is refused in a sentence, with each field that is wrong', async () => {
  const cases: readonly (readonly [args: readonly string[], said: RegExp])[] = [
    [['owner', 'payment', ...why], /no team of the inventory is called payment \(subject_unknown, status 422/],
    [['under', 'spiffe://prod.example', ...why], /confirm it with "confirm": true \(confirm_missing/],
    [['workload', workload(LEDGER), '--reason', 'r', '--until', '2020-01-01T00:00:00Z'], /\(end_past, status 422/],
    [['workload', workload(LEDGER), ...why, '--id', '-'], /\(body_invalid, .*\n {2}\/id: an id is at most 64 letters/],
  ];
  for (const [args, said] of cases) {
    const { code, stdout, stderr } = await cli('tls', 'revoke', ...args);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, said);
  }
  const told = await cli('tls', 'revoke', 'owner', 'payment', ...why, '--json');
  assert.equal((JSON.parse(told.stdout) as { code: string }).code, 'subject_unknown');
  const confirmed = await cli('tls', 'revoke', 'under', 'spiffe://prod.example', ...why, '--confirm', '--dry-run');
  assert.equal(confirmed.code, 0, confirmed.stderr);
});

test('decisions and workloads are listed with their filters', async () => {
  const { unix } = worlds;
  const { decision } = await unix.send(ledgerReads()(unix));
  const denials = await json('unix', 'decisions', '--result', 'deny', '--workload', workload(LEDGER), '--since', '1h');
  assert.ok((denials.items as { decision: string }[]).some((item) => item.decision === decision));
  const table = await cli('unix', 'decisions', '--reason', 'revoked_workload', '--limit', '1');
  assert.match(
    table.stdout,
    new RegExp(`^time .*\\n20\\S+ +deny +revoked_workload +${workload(LEDGER)} +GET \\S+ +${decision}\\n$`),
  );
  const owned = await cli('unix', 'workloads', '--owner', 'support');
  const ids = owned.stdout
    .split('\n')
    .slice(1, -1)
    .map((line) => /^spiffe:\S+/.exec(line)?.[0]);
  assert.deepEqual(
    ids,
    ['agents/sa/triage-agent', 'support/sa/reader'].map((name) => workload(`/ns/${name}`)),
  );
  const { items } = await json('unix', 'workloads', '--reach', '--limit', '1');
  assert.ok((items as { reach: unknown }[])[0]?.reach);
});

test('state says whether the process is ready, which policies are in force, and what its parts know', async () => {
  const { code, stdout, stderr } = await cli('unix', 'state');
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /^version \S+: ready\npolicies \S{8,}\n\{\n/);
  const told = await json('tls', 'state');
  assert.deepEqual([told.ready, told.missing], [true, []]);
  assert.ok(Object.keys(told.parts as object).includes('control'));
  assert.equal((await cli('unix', 'state', 'more')).code, 64);
});

test('explain says which policies decide the request of a file, to whoever shows a certificate', async () => {
  const file = (name: string, text: string): string => {
    writeFileSync(join(worlds.tls.folder, name), text);
    return join(worlds.tls.folder, name);
  };
  const request = file(
    'request.yaml',
    `caller: ${workload(LEDGER)}\nrequest: GET payments.internal/api/status\nat: 2026-11-25T10:00:00Z\n`,
  );
  const told = await cli('tls', 'explain', request);
  assert.deepEqual([told.code, told.stderr], [0, '']);
  assert.match(told.stdout, new RegExp(`^caller ${workload(LEDGER)}: allow\n  permits  \\S+  \\S+\\.cedar:\\d+\n`));
  assert.match(told.stdout, /\n\nallow\n$/);
  const { result, hops } = await json('unix-tls', 'explain', request);
  assert.deepEqual([result, (hops as unknown[]).length], ['allow', 1]);
  const denied = await cli(
    'tls',
    'explain',
    file('denied.json', JSON.stringify({ caller: workload(LEDGER), request: 'DELETE payments.internal/api/nowhere' })),
  );
  assert.match(
    denied.stdout,
    /: deny\n {2}forbids {2}\S+ {2}\S+\.cedar:\d+\n {6}when holds: resource\.sensitivity >= 3\n {8}resource\.sensitivity is 3\n/,
  );
  assert.match(denied.stdout, /\n\ndeny \(approval_required\)\n$/);
  const byToken = await cli('unix', 'explain', request);
  assert.deepEqual([byToken.code, byToken.stdout], [1, '']);
  const misspelt = await cli('tls', 'explain', file('misspelt.yaml', 'caler: x\n'));
  assert.deepEqual([misspelt.code, misspelt.stdout], [1, '']);
  assert.match(misspelt.stderr, /\(body_invalid, /);
  for (const [name, said] of [
    [file('none.yaml', 'a: b: c\n'), /none\.yaml:1:/],
    ['/nowhere', /^\/nowhere: /],
  ] as const) {
    const { code, stderr } = await cli('tls', 'explain', name);
    assert.equal(code, 2);
    assert.match(stderr, said);
  }
  assert.equal((await cli('tls', 'explain')).code, 64);
});

test('a list is read page by page up to the limit, and says where there is more', async () => {
  const { tls } = worlds;
  const until = new Date(Date.now() + 3_600_000).toISOString();
  for (let at = 0; at < 230; at++) {
    const body = {
      id: `many-${String(at).padStart(3, '0')}`,
      key: 'B'.repeat(40) + String(at).padStart(3, '0'),
      until,
      reason: 'r',
    };
    assert.equal((await tls.ask({ method: 'POST', path: '/revocations', svid: tls.svid(OPERATOR), body })).status, 201);
  }
  const listed = await json('tls', 'revocations', '--kind', 'key', '--limit', '225');
  const ids = (listed.items as { id: string }[]).map(({ id }) => id);
  assert.equal(new Set(ids).size, 225);
  assert.equal(listed.more, true);
  const all = await json('tls', 'revocations', '--kind', 'key', '--limit', '1000');
  assert.deepEqual([(all.items as unknown[]).length, all.more], [232, false]);
  const more = await cli('tls', 'revocations', '--kind', 'key');
  assert.match(more.stderr, /there are more; ask with a higher --limit/);
});
