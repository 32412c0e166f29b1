import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ALL_TO_OPERATOR, type ControlAsk, OPERATOR, startControlWorld } from '../support/control-world.ts';
import { workload } from '../support/world.ts';

/** Payments may view, revoke and lift what is its own; nobody else but the operator may anything. */
const POLICIES = `${ALL_TO_OPERATOR}
@id("own-team")
permit (principal in Control::Team::"payments", action, resource in Control::Team::"payments");
`;

const LEDGER = '/ns/payments/sa/ledger';
const READER = '/ns/support/sa/reader';

let world: Awaited<ReturnType<typeof startControlWorld>>;

before(async () => {
  world = await startControlWorld({ over: 'tls', policies: POLICIES });
});
after(() => world.stop());

const until = () => new Date(Date.now() + 3_600_000).toISOString();
const svid = (path: string) => ({ svid: world.svid(path) });

async function revoke(subject: object, by: Partial<ControlAsk>, query = '') {
  const body = { ...subject, until: until(), reason: 'tested' };
  return world.recorded({ method: 'POST', path: `/revocations${query}`, body, ...by });
}

const items = async (path: string, by: Partial<ControlAsk>): Promise<Record<string, unknown>[]> => {
  const answer = await world.recorded({ path, ...by });
  assert.equal(answer.status, 200, JSON.stringify(answer.json));
  return answer.json.items as Record<string, unknown>[];
};
const ids = async (path: string, by: Partial<ControlAsk>) => (await items(path, by)).map(({ id }) => id);

test('each action is refused to a caller without the right, beside one who has it; nothing changes', async () => {
  const made = await revoke({ id: 'kept', workload: workload(LEDGER) }, svid(OPERATOR));
  assert.equal(made.status, 201);
  const explain = { caller: workload(LEDGER), request: 'GET payments.internal/api/status' };
  const calls: readonly (readonly [string, ControlAsk])[] = [
    ['state', { path: '/state' }],
    ['revocations', { path: '/revocations' }],
    ['revocation', { path: '/revocations/kept' }],
    [
      'revoke',
      {
        method: 'POST',
        path: '/revocations?dryRun=true',
        body: { workload: workload(LEDGER), until: until(), reason: 'x' },
      },
    ],
    ['decisions', { path: '/decisions' }],
    ['workloads', { path: '/workloads' }],
    ['workloads', { path: '/workloads?reach=true&limit=1' }],
    ['explain', { method: 'POST', path: '/explain', body: explain }],
    ['lift', { method: 'POST', path: '/revocations/kept/lift', body: { reason: 'x' } }],
  ];
  for (const [name, call] of calls) {
    const refused = await world.recorded({ ...call, ...svid(READER) });
    assert.deepEqual([refused.status, refused.json.code, refused.line.call], [403, 'not_permitted', name], call.path);
    assert.equal(refused.json.items, undefined);
  }
  assert.deepEqual(await ids('/revocations', svid(OPERATOR)), ['kept']);
  for (const [name, call] of calls) {
    const allowed = await world.recorded({ ...call, ...svid(OPERATOR) });
    assert.deepEqual([allowed.status, allowed.line.result, allowed.line.call], [200, 'allow', name], call.path);
    assert.deepEqual(allowed.line.permits, ['operator']);
  }
  assert.deepEqual(await ids('/revocations', svid(OPERATOR)), []);
});

test('a bearer token may view and revoke, and not lift or explain, whatever policies permit', async () => {
  const token = world.token(OPERATOR);
  assert.equal((await revoke({ id: 'by-token', workload: workload(READER) }, { token })).status, 201);
  assert.deepEqual(await ids('/revocations', { token }), ['by-token']);
  const lift = { method: 'POST', path: '/revocations/by-token/lift', body: { reason: 'x' } };
  const refused = await world.recorded({ ...lift, token });
  assert.deepEqual([refused.status, refused.json.code], [403, 'not_permitted']);
  assert.ok((refused.line.forbids as string[]).length > 0);
  const body = { caller: workload(LEDGER), request: 'GET payments.internal/api/status' };
  assert.equal((await world.recorded({ method: 'POST', path: '/explain', body, token })).status, 403);
  assert.equal((await world.recorded({ ...lift, ...svid(OPERATOR) })).status, 200);
});

test('on a Unix socket too, a certificate may lift and a bearer token may not', async () => {
  const socket = await startControlWorld({ over: 'unix-tls', policies: POLICIES });
  try {
    const body = { id: 'on-socket', workload: workload(LEDGER), until: until(), reason: 'tested' };
    const token = socket.token(OPERATOR);
    assert.equal((await socket.recorded({ method: 'POST', path: '/revocations', body, token })).status, 201);
    const lift = { method: 'POST', path: '/revocations/on-socket/lift', body: { reason: 'x' } };
    for (const [proof, status, code] of [
      [{}, 401, 'identity_missing'],
      [{ token }, 403, 'not_permitted'],
      [{ svid: socket.svid(READER) }, 403, 'not_permitted'],
    ] as const) {
      const refused = await socket.recorded({ ...lift, ...proof });
      assert.deepEqual([refused.status, refused.json.code], [status, code]);
    }
    const lifted = await socket.recorded({ ...lift, svid: socket.svid(OPERATOR) });
    assert.deepEqual([lifted.status, lifted.line.result], [200, 'allow']);
  } finally {
    await socket.stop();
  }
});

test('each item of a list is one that the caller may view', async () => {
  await revoke({ id: 'of-payments', workload: workload(LEDGER) }, svid(OPERATOR));
  await revoke({ id: 'of-support', workload: workload(READER) }, svid(OPERATOR));
  await revoke({ id: 'of-all', key: 'k'.repeat(43) }, svid(OPERATOR));
  assert.deepEqual(
    new Set(await ids('/revocations', svid(OPERATOR))),
    new Set(['of-all', 'of-payments', 'of-support']),
  );
  const billing = svid('/ns/agents/sa/billing-agent');
  assert.deepEqual(await ids('/revocations', billing), ['of-payments']);
  assert.equal((await world.recorded({ path: '/revocations/of-payments', ...billing })).status, 200);
  // What is there and may not be viewed is refused as what is not there.
  for (const id of ['of-support', 'of-all', 'of-nobody'])
    assert.equal((await world.recorded({ path: `/revocations/${id}`, ...billing })).status, 403, id);
  const owners = (await items('/workloads', billing)).map(({ owner }) => owner);
  assert.deepEqual([...new Set(owners)], ['payments']);
  assert.ok((await items('/workloads', svid(OPERATOR))).length > owners.length);
});

test('pages lead through all of a list, each item once, and a cursor opens nothing', async () => {
  const all = await ids('/workloads?limit=200', svid(OPERATOR));
  const found: unknown[] = [];
  let cursor = '';
  do {
    const { json } = await world.recorded({ path: `/workloads?limit=3${cursor}`, ...svid(OPERATOR) });
    found.push(...(json.items as { id: unknown }[]).map(({ id }) => id));
    cursor = json.next === null ? '' : `&cursor=${json.next}`;
  } while (cursor !== '');
  assert.deepEqual(found, all);
  assert.equal(new Set(found).size, found.length);
  const { json } = await world.recorded({ path: '/workloads?limit=3', ...svid(OPERATOR) });
  assert.equal((await world.recorded({ path: `/workloads?cursor=${json.next}`, ...svid(READER) })).status, 403);
  const ofTeam = await items('/workloads?owner=support&limit=200', svid(OPERATOR));
  assert.deepEqual([...new Set(ofTeam.map(({ owner }) => owner))], ['support']);
});

test('no cursor of revocations names one that may not be viewed', async (t) => {
  const entry = (id: string, path: string) => ({
    id,
    workload: workload(path),
    until: until(),
    reason: 'r',
    by: 'somebody',
  });
  const hidden = Array.from({ length: 1100 }, (_, n) => entry(`hidden-${n}`, READER));
  const other = await startControlWorld({
    over: 'tls',
    policies: POLICIES,
    edit: (config) => {
      Object.assign(config, { revocations: { file: './revocations.yaml' } });
    },
    prepare: (folder) => {
      const lines = [...hidden, entry('own', LEDGER)].map((one) => JSON.stringify(one));
      writeFileSync(join(folder, 'revocations.jsonl'), `${lines.join('\n')}\n`);
      writeFileSync(join(folder, 'revocations.yaml'), 'revocations: []\nrevocationsFile: revocations.jsonl\n');
    },
  });
  t.after(() => other.stop());
  const found: unknown[] = [];
  let next: string | null = '';
  for (let pages = 0; next !== null; pages++) {
    assert.ok(pages < 10);
    const path: string = `/revocations?limit=200${next === '' ? '' : `&cursor=${next}`}`;
    const { json } = await other.recorded({ path, svid: other.svid('/ns/agents/sa/billing-agent') });
    assert.ok(json.items, JSON.stringify(json));
    found.push(...(json.items as { id: unknown }[]).map(({ id }) => id));
    next = json.next as string | null;
    if (next !== null) assert.doesNotMatch(Buffer.from(next, 'base64url').toString(), /hidden/);
  }
  assert.deepEqual(found, ['own']);
});

test('no cursor of workloads names one that may not be viewed, whatever was seen', async () => {
  // Of payments, and below a prefix of the platform.
  for (const path of ['/ns/batch/sa/a', '/ns/batch/sa/b', '/ns/batch/sa/month-end'])
    await world.send({ svid: world.svid(path), path: '/nowhere' });
  const billing = svid('/ns/agents/sa/billing-agent');
  const all = await ids('/workloads?limit=200', billing);
  assert.ok(all.length > 1);
  for (const limit of [1, 2]) {
    const found: unknown[] = [];
    let next: string | null = null;
    for (let pages = 0; pages === 0 || next !== null; pages++) {
      assert.ok(pages < 50);
      const cursor: string = next === null ? '' : `&cursor=${next}`;
      const { json } = await world.recorded({ path: `/workloads?limit=${limit}${cursor}`, ...billing });
      found.push(...(json.items as { id: unknown }[]).map(({ id }) => id));
      next = json.next as string | null;
      for (const [named] of Buffer.from(next ?? '', 'base64url')
        .toString()
        .matchAll(/spiffe:[^"]*/g))
        assert.ok(found.includes(named), named);
    }
    assert.deepEqual(found, all);
  }
  const everything = await ids('/workloads?limit=200', svid(OPERATOR));
  assert.ok(everything.includes(workload('/ns/batch/sa/a')));
  const cursor = Buffer.from(JSON.stringify(['workloads', 'id', null, '-1'])).toString('base64url');
  assert.equal((await world.recorded({ path: `/workloads?cursor=${cursor}`, ...billing })).json.code, 'cursor_invalid');
});

test('a team may revoke its own and no other, and is told whom that hits', async () => {
  const billing = svid('/ns/agents/sa/billing-agent');
  const own = await revoke({ owner: 'payments' }, billing, '?dryRun=true');
  assert.deepEqual([own.status, own.json.summary], [200, 'refuses 3 workloads, 0 live tasks']);
  assert.equal((await revoke({ owner: 'support' }, billing, '?dryRun=true')).status, 403);
  assert.equal((await revoke({ under: workload('/ns/payments') }, billing, '?dryRun=true')).status, 403);
  assert.equal((await revoke({ workload: workload(LEDGER) }, billing, '?dryRun=true')).status, 200);
});

test('whoever is revoked can ask nothing any more', async () => {
  assert.equal(
    (await revoke({ id: 'self', workload: workload('/ns/agents/sa/triage-agent') }, svid(OPERATOR))).status,
    201,
  );
  const { status, json } = await world.recorded({ path: '/openapi.json', ...svid('/ns/agents/sa/triage-agent') });
  assert.deepEqual([status, json.code], [403, 'revoked_workload']);
  assert.equal((await world.recorded({ path: '/openapi.json', ...svid('/ns/agents/sa/orchestrator') })).status, 200);
});
