import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pemBundle } from '../support/ca.ts';
import { controlCli } from '../support/control-cli.ts';
import { startTaskWorld } from '../support/task-calls.ts';
import { AUTHZ } from '../support/tls-world.ts';
import { until } from '../support/until.ts';
import { workload } from '../support/world.ts';
import { AGENT, agentByTxn, ORCHESTRATOR, READER, TTS } from '../support/world-asks.ts';

let world: Awaited<ReturnType<typeof startTaskWorld>>;
/** How each of these reaches the control API: by its certificate. */
const reach = new Map<string, readonly string[]>();

before(async () => {
  world = await startTaskWorld();
  const file = (name: string, text: string): string => {
    writeFileSync(join(world.folder, name), text);
    return join(world.folder, name);
  };
  const ca = file('cli-ca.pem', pemBundle(world.keys.ca));
  for (const [n, path] of [AGENT, ORCHESTRATOR, READER].entries()) {
    const own = world.svid(path);
    const proof = ['--cert', file(`cli-${n}.crt`, own.pem), '--key', file(`cli-${n}.key`, own.pkcs8Pem)];
    reach.set(path, ['--control', world.control ?? '', ...proof, '--ca', ca, '--server-id', AUTHZ]);
  }
});
after(() => world.stop());

const cli = (path: string, ...args: readonly string[]) => controlCli([...args, ...reach.get(path)!]);
const check = (id: string) => world.send(agentByTxn({ claims: { txn: id } })(world));
const starting = (id: string, ...more: readonly string[]): readonly string[] => [
  ...['task', 'start', '--issuer', TTS, '--id', id, '--purpose', 'reconcile-invoices'],
  ...['--workload', workload(AGENT), '--until', '30m', '--reason', 'October', ...more],
];
async function json(path: string, ...args: readonly string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await cli(path, ...args, '--json');
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
}

test('a task is begun, kept going and ended, and permits meanwhile', async () => {
  const dry = await cli(AGENT, ...starting('t-1'), '--dry-run');
  assert.deepEqual(
    [dry.code, dry.stdout, dry.stderr],
    [0, 'nothing began; policies permit it, and its issuer may state it\n', ''],
  );
  assert.equal((await check('t-1')).reason, 'task_unregistered');
  const begun = await cli(AGENT, ...starting('t-1', '--lease', '10m', '--calls', '5', '--writes', '0'));
  assert.deepEqual([begun.code, begun.stderr], [0, '']);
  assert.match(
    begun.stdout,
    /^began t-1 for reconcile-invoices until 20\S+Z, lease until 20\S+Z, taken at 20\S+Z; covers this process\n$/,
  );
  assert.equal((await check('t-1')).reason, 'permitted');
  const kept = await cli(AGENT, 'task', 'heartbeat', TTS, 't-1');
  assert.deepEqual([kept.code, kept.stderr], [0, '']);
  assert.match(kept.stdout, /^t-1 goes on, lease until 20\S+Z, taken at 20\S+Z; covers this process\n$/);
  const listed = await cli(
    AGENT,
    'tasks',
    '--state',
    'active',
    '--workload',
    workload(AGENT),
    '--purpose',
    'reconcile-invoices',
  );
  assert.deepEqual([listed.code, listed.stderr], [0, 'covers this process\n']);
  assert.match(
    listed.stdout,
    /^state +issuer +id .*\nactive +https:\S+ +t-1 +reconcile-invoices +spiffe:\S+ +20\S+Z +20\S+Z +spiffe:\S+\n$/,
  );
  const would = await cli(AGENT, 'task', 'end', TTS, 't-1', '--reason', 'done', '--dry-run');
  assert.deepEqual([would.code, would.stdout], [0, 'nothing ended; the order ends it\n']);
  const ended = await cli(AGENT, 'task', 'end', TTS, 't-1', '--reason', 'done');
  assert.deepEqual([ended.code, ended.stderr], [0, '']);
  assert.match(ended.stdout, /^ended t-1, taken at 20\S+Z; covers this process\n$/);
  assert.equal((await check('t-1')).reason, 'task_ended');
  const late = await cli(AGENT, 'task', 'heartbeat', TTS, 't-1');
  assert.deepEqual([late.code, late.stdout], [1, '']);
  assert.match(
    late.stderr,
    /^The task is over: it has ended; begin another one \(over, status 409, audit [0-9a-f-]{36}\)\n$/,
  );
});

test('the answers as JSON, for a parent with what is a part of it', async () => {
  const both = ['--workload', workload(ORCHESTRATOR)];
  const { task } = await json(ORCHESTRATOR, ...starting('p-1', ...both, '--owner', 'platform', '--resources', '3'));
  const { workloads, owner, budgets, parent } = task as Record<string, unknown>;
  assert.deepEqual(
    [workloads, owner, budgets, parent],
    [[workload(AGENT), workload(ORCHESTRATOR)], 'platform', { calls: null, writes: null, resources: 3 }, null],
  );
  const child = await json(AGENT, ...starting('c-1', '--parent', 'p-1').map((each) => (each === '30m' ? '10m' : each)));
  assert.deepEqual((child.task as Record<string, unknown>).parent, { issuer: TTS, id: 'p-1' });
  const hits = { children: 1 };
  assert.deepEqual(await json(ORCHESTRATOR, 'task', 'end', TTS, 'p-1', '--reason', 'done', '--dry-run'), { hits });
  const ended = await cli(ORCHESTRATOR, 'task', 'end', TTS, 'p-1', '--reason', 'done');
  assert.match(ended.stdout, /^ended p-1 and 1 task within it, taken/);
  const listed = await json(AGENT, 'tasks', '--limit', '1');
  assert.deepEqual([(listed.items as unknown[]).length, listed.more], [1, true]);
  assert.equal((await check('c-1')).reason, 'task_ended');
});

test('a lease that nobody extends lapses', async () => {
  assert.equal((await cli(AGENT, ...starting('l-1', '--lease', '1s'))).code, 0);
  await until('the lease to lapse', async () => (await check('l-1')).reason === 'task_lapsed' || null);
  assert.match((await cli(AGENT, 'tasks', '--state', 'lapsed')).stdout, / l-1 /);
  const late = await cli(AGENT, 'task', 'heartbeat', TTS, 'l-1');
  assert.equal(late.code, 1);
  assert.match(late.stderr, /it has lapsed; begin another one/);
});

test('what the control API refuses ends with 1 and its sentence, as a problem document with --json', async () => {
  assert.equal((await cli(AGENT, ...starting('r-1'))).code, 0);
  const rows = [
    [READER, starting('r-2'), /^No control policy permits this \(not_permitted, status 403/],
    [READER, ['task', 'heartbeat', TTS, 'r-1'], /not_permitted/],
    [READER, ['task', 'end', TTS, 'r-1', '--reason', 'x'], /not_permitted/],
    [
      AGENT,
      starting('r-1', '--calls', '7'),
      /^Something else has this id: r-1 is another task of this issuer \(conflict/,
    ],
    [AGENT, starting('', '--lease', '1m'), /^The body is not as it should be: \/id: .*\(body_invalid/],
  ] as const;
  for (const [path, args, said] of rows) {
    const { code, stdout, stderr } = await cli(path, ...args);
    assert.deepEqual([code, stdout], [1, ''], args.join(' '));
    assert.match(stderr, said);
  }
  // Somebody's tasks it may view: not these.
  const listed = await cli(READER, 'tasks');
  assert.deepEqual([listed.code, listed.stdout], [0, 'none\n']);
  const { code, stdout } = await cli(READER, ...starting('r-2'), '--json');
  assert.deepEqual([code, (JSON.parse(stdout) as Record<string, unknown>).code], [1, 'not_permitted']);
  assert.equal((await check('r-1')).reason, 'permitted');
});

test('a wrong command line ends with 64, and nothing is asked', async () => {
  const start = starting('w-1');
  const without = (option: string) => start.filter((_, at) => start[at] !== option && start[at - 1] !== option);
  const rows = [
    [without('--issuer'), /^state whose tokens carry it: --issuer ISSUER/],
    [without('--purpose'), /^state what it is for: --purpose NAME/],
    [without('--workload'), /^state who may carry it: --workload ID/],
    [without('--until'), /^state when it ends: --until TIME/],
    [without('--reason'), /^state why: --reason TEXT/],
    [[...start, 'more'], /^task start takes no argument/],
    [[...without('--until'), '--until', 'soon'], /^--until: "soon" is no time/],
    [[...start, '--lease', '25h'], /^--lease: /],
    [[...start, '--calls', 'many'], /^--calls: write a whole number/],
    [[...start, '--parent-issuer', TTS], /^--parent-issuer describes a --parent/],
    [['task', 'heartbeat', TTS], /^name one task: ISSUER ID/],
    [['task', 'heartbeat', TTS, 'a', 'b'], /^name one task: ISSUER ID/],
    [['task', 'heartbeat', TTS, 'a', '--reason', 'x'], /^Unknown option '--reason'/],
    [['task', 'end', TTS, '--reason', 'x'], /^name one task: ISSUER ID/],
    [['task', 'end', TTS, 'a'], /^state why: --reason TEXT/],
    [['task', 'stop', TTS, 'a'], /^there is no command "task stop"/],
    [['tasks', 'a'], /^tasks takes no argument/],
    [['tasks', '--state', 'dead'], /^--state: one of active, ended, lapsed, revoked/],
  ] as const;
  const lines = world.auditLines().length;
  for (const [args, said] of rows) {
    const { code, stdout, stderr } = await cli(AGENT, ...args);
    assert.deepEqual([code, stdout], [64, ''], args.join(' '));
    assert.match(stderr, said);
  }
  assert.equal(world.auditLines().length, lines);
});
