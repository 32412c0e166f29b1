import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ALL_TO_OPERATOR, type ControlAsk, OPERATOR, startControlWorld } from '../support/control-world.ts';
import { workload } from '../support/world.ts';

const LEDGER = '/ns/payments/sa/ledger';

let world: Awaited<ReturnType<typeof startControlWorld>>;

before(async () => {
  world = await startControlWorld({ over: 'tls', policies: ALL_TO_OPERATOR });
});
after(() => world.stop());

const until = new Date(Date.now() + 3_600_000).toISOString();
const ask = (more: ControlAsk) => world.ask({ svid: world.svid(OPERATOR), ...more });
const revoke = (body: object, headers: Record<string, string> = {}) =>
  ask({ method: 'POST', path: '/revocations', headers, body: { until, reason: 'tested', ...body } });
const lift = (id: string) => ask({ method: 'POST', path: `/revocations/${id}/lift`, body: { reason: 'over' } });
const check = () => world.send({ svid: world.svid(LEDGER), path: '/api/status' });
const revocationsOf = async () => (await ask({ path: '/revocations' })).json.items as Record<string, unknown>[];

test('what is revoked is refused by the very next check, and what is lifted is allowed by it', async () => {
  assert.equal((await check()).reason, 'permitted');
  const { status, json } = await revoke({ id: 'leaked', workload: workload(LEDGER) });
  assert.equal(status, 201);
  assert.deepEqual([json.covers, json.replicas], ['this process', null]);
  const refused = await check();
  assert.equal(refused.reason, 'revoked_workload');
  assert.match(String(refused.audit.detail), /leaked/);
  assert.equal((await lift('leaked')).status, 200);
  assert.equal((await check()).reason, 'permitted');
  assert.equal((await lift('leaked')).status, 404);
});

test('the line of an order is there before it takes effect, with who, why and whom it hits', async () => {
  const { json, line } = await revoke({ id: 'line', workload: workload(LEDGER) });
  const { revocation, hits } = (line?.about ?? {}) as Record<string, Record<string, unknown>>;
  assert.deepEqual([revocation?.id, revocation?.workload, revocation?.reason], ['line', workload(LEDGER), 'tested']);
  assert.deepEqual([hits, json.hits], [{ workloads: 1, tasks: hits?.tasks, known: true }, hits]);
  assert.deepEqual([line?.call, line?.action, line?.result], ['revoke', 'revoke', 'allow']);
  assert.deepEqual(line?.resource, { kind: 'workload', id: workload(LEDGER) });
  await lift('line');
});

test('a hundred concurrent orders under one key are one revocation and one answer', async () => {
  const headers = { 'idempotency-key': 'once' };
  const answers = [];
  // As many at a time as a caller may have.
  for (let round = 0; round < 20; round++)
    answers.push(
      ...(await Promise.all(Array.from({ length: 5 }, () => revoke({ workload: workload(LEDGER) }, headers)))),
    );
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [201]);
  assert.equal(new Set(answers.map(({ json }) => JSON.stringify(json))).size, 1);
  assert.equal((await revocationsOf()).length, 1);
  assert.equal(answers.filter(({ line }) => line?.result === 'allow').length, 100);
  const other = await revoke({ workload: workload('/ns/support/sa/reader') }, headers);
  assert.deepEqual([other.status, other.json.code], [422, 'key_reused']);
  assert.equal((await revocationsOf()).length, 1);
  for (const { id } of await revocationsOf()) await lift(String(id));
});

test('a key belongs to its caller', async () => {
  const headers = { 'idempotency-key': 'shared' };
  const body = { until, reason: 'tested', workload: workload(LEDGER) };
  await revoke({ workload: workload(LEDGER) }, headers);
  const other = { method: 'POST', path: '/revocations', headers, body, svid: world.svid('/ns/support/sa/reader') };
  assert.equal((await world.ask(other)).status, 403);
  for (const { id } of await revocationsOf()) await lift(String(id));
});

test('an id that has other content is a conflict, and the same order again is none', async () => {
  assert.equal((await revoke({ id: 'same', workload: workload(LEDGER) })).status, 201);
  assert.equal((await revoke({ id: 'same', workload: workload(LEDGER) })).status, 201);
  const other = await revoke({ id: 'same', workload: workload('/ns/support/sa/reader') });
  assert.deepEqual([other.status, other.json.code], [409, 'conflict']);
  const failed = world.auditLines().findLast(({ event }) => event === 'control-failed');
  assert.deepEqual([failed?.decision, failed?.reason], [other.json.decision, 'conflict']);
  await lift('same');
});

test('what would be hit is told, and nothing is changed', async () => {
  await check();
  const path = '/revocations?dryRun=true';
  const dry = (body: object) => ask({ method: 'POST', path, body: { until, reason: 'tested', ...body } });
  assert.equal((await dry({ workload: workload(LEDGER) })).json.summary, 'refuses 1 workload, 0 live tasks');
  assert.equal((await dry({ under: workload('/ns/agents') })).json.summary, 'refuses 3 workloads, 0 live tasks');
  // Who was seen and has an entry of its own counts once.
  assert.equal((await dry({ owner: 'payments' })).json.summary, 'refuses 3 workloads, 0 live tasks');
  for (const subject of [
    { key: 'k'.repeat(43) },
    { certificate: `sha256:${'0'.repeat(64)}` },
    { token: { issuer: 'spiffe://prod.example', jti: 'j' } },
  ]) {
    const { hits, summary } = (await dry(subject)).json;
    assert.deepEqual(hits, { workloads: null, tasks: null, known: false });
    assert.equal(summary, 'refuses whatever shows it; how many workloads and live tasks do is not known');
  }
  assert.deepEqual(await revocationsOf(), []);
  assert.equal((await check()).reason, 'permitted');
});

test('decisions and last uses show what was seen', async () => {
  await world.send({ svid: world.svid(LEDGER), path: '/api/nowhere' });
  const { json } = await ask({ path: `/decisions?workload=${workload(LEDGER)}&result=deny&limit=1` });
  const [decision] = json.items as Record<string, unknown>[];
  assert.deepEqual(decision?.caller, { id: workload(LEDGER), owner: 'payments', credential: 'x509-svid' });
  assert.equal(decision?.result, 'deny');
  const listed = (await ask({ path: '/workloads?owner=payments' })).json.items as Record<string, unknown>[];
  const ledger = listed.find(({ id }) => id === workload(LEDGER));
  assert.deepEqual(ledger?.credentials, ['x509-svid']);
  assert.ok(typeof ledger?.lastUse === 'string');
});

test('an explanation says which policies decide', async () => {
  const body = { caller: workload(LEDGER), request: 'GET payments.internal/api/status' };
  const { status, json } = await ask({ method: 'POST', path: '/explain', body });
  assert.deepEqual([status, json.result], [200, 'allow']);
  const misspelt = await ask({ method: 'POST', path: '/explain', body: { ...body, task: { purpose: 'fnance' } } });
  assert.deepEqual([misspelt.status, misspelt.json.code], [422, 'body_invalid']);
  assert.match(String(misspelt.json.detail), /fnance/);
});
