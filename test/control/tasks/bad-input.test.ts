import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ControlAsk, OPERATOR } from '../../support/control-world.ts';
import { type ShownTask, startTaskWorld, taskOrder } from '../../support/task-calls.ts';
import { workload } from '../../support/world.ts';
import { AGENT, AS, ORCHESTRATOR, TTS } from '../../support/world-asks.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const at = (ms: number): string => new Date(Date.now() + ms).toISOString();
const ids = (count: number): string[] => Array.from({ length: count }, (_, n) => workload(`/ns/batch/sa/job-${n}`));

/** SPIFFE IDs of so many characters each. */
const long = (count: number, chars: number): string[] =>
  Array.from({ length: count }, (_, n) => workload(`/ns/batch/sa/${n}-`).padEnd(chars, 'x'));

let world: Awaited<ReturnType<typeof startTaskWorld>>;
let parent: ShownTask;

before(async () => {
  world = await startTaskWorld({
    edit: ({ task }) => {
      for (const issuer of task.issuers as Record<string, unknown>[])
        if (issuer.issuer === AS) issuer.trustDomains = ['partner.example'];
    },
  });
  const order = taskOrder({ id: 'parent', workloads: [workload(OPERATOR)], until: at(30 * MINUTE_MS) });
  parent = (await world.start(OPERATOR, order)).json.task as ShownTask;
});
after(() => world.stop());

const ofParent = (more: object = {}) => ({ parent: { issuer: TTS, id: 'parent' }, until: at(10 * MINUTE_MS), ...more });

/** What differs from the good order. */
const good: readonly (readonly [name: string, order: () => object])[] = [
  ['as it is', () => ({})],
  ['the longest id', () => ({ id: 'i'.repeat(256) })],
  ['sixteen workloads', () => ({ workloads: ids(16) })],
  ['workloads of 8 KiB together', () => ({ workloads: long(4, 2048) })],
  ['no id', () => ({ id: undefined })],
  ['the longest lease', () => ({ leaseSeconds: 86_400 })],
  ['the shortest lease', () => ({ leaseSeconds: 1 })],
  ['a day less than the most', () => ({ until: at(29 * DAY_MS) })],
  ['an owner of one of the workloads', () => ({ owner: 'payments' })],
  ['a part of another', () => ofParent()],
  ['a part of another, as long', () => ofParent({ until: parent.until })],
  ['budgets', () => ({ budgets: { calls: 0, writes: null, resources: 1_000_000_000 } })],
  ['a JWT-SVID of the trust domain', () => ({ issuer: 'spiffe://prod.example' })],
];

test('the orders that each bad one differs from by one thing are taken', async () => {
  for (const [name, more] of good) {
    const { status, json } = await world.start(OPERATOR, taskOrder({ ...more() }), { path: '/tasks?dryRun=true' });
    assert.equal(status, 200, `${name}: ${JSON.stringify(json)}`);
  }
});

const bad: readonly (readonly [name: string, order: () => object, code: string, says: RegExp])[] = [
  ['an unknown field', () => ({ ttl: 5 }), 'body_invalid', /\/ttl/],
  ['by, which is whoever asks', () => ({ by: 'root' }), 'body_invalid', /\/by/],
  ['a state', () => ({ state: 'active' }), 'body_invalid', /\/state/],
  ['no reason', () => ({ reason: undefined }), 'body_invalid', /\/reason/],
  ['a reason without end', () => ({ reason: 'x'.repeat(2049) }), 'body_invalid', /\/reason/],
  ['no issuer', () => ({ issuer: undefined }), 'body_invalid', /\/issuer/],
  [
    'an unknown issuer',
    () => ({ issuer: 'https://tts.prod.exmaple' }),
    'subject_unknown',
    /no issuer of tasks that begin here is called https:\/\/tts\.prod\.exmaple/,
  ],
  ['an issuer of callers', () => ({ issuer: 'https://ci.example' }), 'subject_unknown', /no issuer of tasks/],
  ['an id of control characters', () => ({ id: 'a\nb' }), 'body_invalid', /\/id/],
  ['an empty id', () => ({ id: '' }), 'body_invalid', /\/id/],
  ['an id without end', () => ({ id: 'i'.repeat(257) }), 'body_invalid', /\/id/],
  [
    'an unknown purpose',
    () => ({ purpose: 'reconcile-invoises' }),
    'subject_unknown',
    /no purpose of the inventory is called reconcile-invoises/,
  ],
  [
    'a workload that its issuer may not speak of',
    () => ({ issuer: AS }),
    'issuer_exceeded',
    /which is of another trust domain/,
  ],
  [
    'a purpose that its issuer may not state',
    () => ({ purpose: 'customer-care' }),
    'issuer_exceeded',
    /may not state the purpose customer-care/,
  ],
  ['no workload', () => ({ workloads: [] }), 'body_invalid', /names nobody/],
  ['seventeen workloads', () => ({ workloads: ids(17) }), 'body_invalid', /\/workloads/],
  [
    'workloads of more than 8 KiB together',
    () => ({ workloads: long(5, 1640) }),
    'body_invalid',
    /8192 characters together/,
  ],
  ['a workload of more than 2 KiB', () => ({ workloads: long(1, 2049) }), 'body_invalid', /\/workloads\/0/],
  ['a workload twice', () => ({ workloads: [workload(AGENT), workload(AGENT)] }), 'body_invalid', /twice/],
  [
    'a workload that is no SPIFFE ID',
    () => ({ workloads: ['prod.example/x'] }),
    'body_invalid',
    /\/workloads\/0: is no SPIFFE ID/,
  ],
  ['a trust domain', () => ({ workloads: ['spiffe://prod.example'] }), 'body_invalid', /it has no path/],
  [
    'an unknown workload',
    () => ({ workloads: [workload('/ns/nobody')] }),
    'subject_unknown',
    /knows no spiffe:\/\/prod\.example\/ns\/nobody/,
  ],
  [
    'an unknown workload among known ones',
    () => ({ workloads: [workload(AGENT), workload('/ns/nobody')] }),
    'subject_unknown',
    /nobody/,
  ],
  ['an owner of none of them', () => ({ owner: 'support' }), 'subject_unknown', /owned by a team support/],
  ['an end that is past', () => ({ until: at(-1) }), 'end_past', /until is past/],
  ['an end too far off', () => ({ until: at(31 * DAY_MS) }), 'end_late', /30 days/],
  ['an end that is no time', () => ({ until: 'tomorrow' }), 'body_invalid', /\/until/],
  ['no end', () => ({ until: undefined }), 'body_invalid', /\/until/],
  ['no lease at all', () => ({ leaseSeconds: 0 }), 'body_invalid', /\/leaseSeconds/],
  ['a lease without end', () => ({ leaseSeconds: 86_401 }), 'body_invalid', /\/leaseSeconds/],
  ['half a second', () => ({ leaseSeconds: 1.5 }), 'body_invalid', /\/leaseSeconds/],
  ['a budget below nothing', () => ({ budgets: { calls: -1 } }), 'body_invalid', /\/budgets\/calls/],
  ['a budget without end', () => ({ budgets: { calls: 1e12 } }), 'body_invalid', /\/budgets\/calls/],
  ['an unknown budget', () => ({ budgets: { money: 1 } }), 'body_invalid', /\/budgets\/money/],
  [
    'an unknown parent',
    () => ofParent({ parent: { issuer: TTS, id: 'nobody' } }),
    'subject_unknown',
    /is not registered/,
  ],
  ['itself as parent', () => ofParent({ parent: { issuer: TTS, id: 'bad' } }), 'subject_unknown', /is not registered/],
  [
    'a parent of another issuer',
    () => ofParent({ parent: { issuer: AS, id: 'parent' } }),
    'subject_unknown',
    /is not registered/,
  ],
  ['half a parent', () => ofParent({ parent: { id: 'parent' } }), 'body_invalid', /\/parent\/issuer/],
  [
    'an end after that of the parent',
    () => ofParent({ until: at(31 * MINUTE_MS) }),
    'parent_exceeded',
    /ends after the one/,
  ],
  [
    'a wider purpose than that of the parent',
    () => ofParent({ purpose: 'finance' }),
    'parent_exceeded',
    /finance is not within reconcile-invoices/,
  ],
];

test('each bad order gets a problem that says what is wrong, and begins nothing', async () => {
  for (const [name, more, code, says] of bad) {
    const { status, json } = await world.start(OPERATOR, taskOrder({ id: 'bad', ...more() }));
    assert.deepEqual([status, json.code], [422, code], `${name}: ${JSON.stringify(json)}`);
    assert.match(String(json.detail), says, name);
    assert.equal(json.type, `urn:cedar-ext-authz:problem:${code}`);
  }
  assert.deepEqual(
    (await world.tasks(OPERATOR)).map(({ id }) => id),
    ['parent'],
  );
});

test('each bad call about a task gets one too', async () => {
  const { key } = parent;
  const other = Buffer.from(JSON.stringify([TTS, 'nobody'])).toString('base64url');
  const rows: readonly (readonly [name: string, call: ControlAsk, status: number, code: string])[] = [
    ['a key that is none', { path: '/tasks/parent' }, 400, 'parameters_invalid'],
    [
      'a key in another spelling',
      { path: `/tasks/${Buffer.from(JSON.stringify([TTS, 'parent'], null, 1)).toString('base64url')}` },
      400,
      'parameters_invalid',
    ],
    [
      'a key of three parts',
      { path: `/tasks/${Buffer.from('["a","b","c"]').toString('base64url')}` },
      400,
      'parameters_invalid',
    ],
    ['a key without end', { path: `/tasks/${'a'.repeat(4097)}` }, 400, 'parameters_invalid'],
    ['a task that nobody began', { path: `/tasks/${other}` }, 404, 'not_found'],
    ['its heartbeat', { path: `/tasks/${other}/heartbeat`, method: 'POST' }, 404, 'not_found'],
    ['its end', { path: `/tasks/${other}/end`, method: 'POST', body: { reason: 'x' } }, 404, 'not_found'],
    ['an end without a reason', { path: `/tasks/${key}/end`, method: 'POST', body: {} }, 422, 'body_invalid'],
    ['an end without a body', { path: `/tasks/${key}/end`, method: 'POST' }, 415, 'media_type'],
    ['a heartbeat with a body', { path: `/tasks/${key}/heartbeat`, method: 'POST', body: {} }, 400, 'malformed'],
    ['another method', { path: `/tasks/${key}`, method: 'DELETE' }, 405, 'method_not_allowed'],
    ['an unknown state', { path: '/tasks?state=dead' }, 400, 'parameters_invalid'],
    [
      'a cursor of another list',
      { path: `/tasks?cursor=${Buffer.from('["revocations","a"]').toString('base64url')}` },
      400,
      'cursor_invalid',
    ],
    ['an empty workload', { path: '/tasks?workload=' }, 400, 'parameters_invalid'],
  ];
  for (const [name, call, status, code] of rows) {
    const { json, ...answer } = await world.by(OPERATOR, call);
    assert.deepEqual([answer.status, json.code], [status, code], `${name}: ${JSON.stringify(json)}`);
  }
  assert.equal((await world.task(key)).state, 'active');
});

test('of a parent that is not there learns nobody who may not view all', async () => {
  const order = taskOrder({ id: 'bad', ...ofParent({ parent: { issuer: TTS, id: 'nobody' } }) });
  for (const id of ['nobody', 'parent']) {
    const { status, json } = await world.start(ORCHESTRATOR, { ...order, parent: { issuer: TTS, id } });
    assert.deepEqual([status, json.code], [403, 'not_permitted'], id);
  }
});
