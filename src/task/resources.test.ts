import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { inventoryOf, targetOf } from '../../test/support/inventory.ts';
import { agentAccess, agentTxn, INVOICES, refuses, taskContext } from '../../test/support/task-world.ts';
import type { JsonValue } from '../base/strict-json.ts';
import { TokenFault } from '../token/jws-fault.ts';
import {
  commonResources,
  coversResource,
  type ResourcesClaim,
  readTaskResources,
  type TaskResource,
} from './resources.ts';

const nested = inventoryOf({
  workloads: [],
  resources: [
    {
      host: 'a.internal',
      sensitivity: 'internal',
      owner: 'payments',
      apis: [
        { name: 'org', path: '/orgs/{id}' },
        { name: 'user', path: '/orgs/{id}/users/{user}' },
        { name: 'own', path: '/orgs/own' },
        { name: 'plain', path: '/plain' },
      ],
    },
    { host: 'b.internal', owner: 'payments', apis: [{ name: 'org', path: '/orgs/{id}' }] },
  ],
});

const covers = (resources: readonly TaskResource[] | null, request: string): boolean | null =>
  coversResource(resources, targetOf(nested, request).resource);
const about = (api: string, parameters: Readonly<Record<string, string>> = {}): TaskResource => ({ api, parameters });

test('a task is about what it names and all below, and about nothing else', () => {
  const seven = [about('a.internal/org', { id: '7' })];
  assert.equal(covers(null, 'GET a.internal/orgs/7'), null);
  assert.equal(covers([], 'GET a.internal/orgs/7'), false);
  assert.equal(covers(seven, 'GET a.internal/orgs/7'), true);
  assert.equal(covers(seven, 'DELETE a.internal/orgs/7/more/'), true);
  assert.equal(covers(seven, 'GET a.internal/orgs/7/users/9'), true);
  assert.equal(covers(seven, 'GET a.internal/orgs/07'), false);
  assert.equal(covers(seven, 'GET b.internal/orgs/7'), false);
  assert.equal(covers([about('a.internal/org')], 'GET a.internal/orgs/8'), true);
  assert.equal(covers([about('a.internal/plain', { id: '7' })], 'GET a.internal/plain'), false);
  assert.equal(covers([about('a.internal/gone')], 'GET a.internal/orgs/7'), false);
  assert.equal(covers([about('a.internal/user', { id: '7' })], 'GET a.internal/orgs/7'), false);
  assert.equal(covers([about('a.internal/gone'), ...seven], 'GET a.internal/orgs/7'), true);
});

test('a parameter is that of the api that is named, not of one inside it', () => {
  assert.equal(covers([about('a.internal/org', { user: '7' })], 'GET a.internal/orgs/9/users/7'), false);
  assert.equal(covers([about('a.internal/org', { id: '7' })], 'GET a.internal/orgs/9/users/7'), false);
  assert.equal(covers([about('a.internal/user', { user: '7' })], 'GET a.internal/orgs/9/users/7'), true);
  assert.equal(covers([about('a.internal/user', { user: '7', id: '8' })], 'GET a.internal/orgs/9/users/7'), false);
});

test('a literal that stands where the parameter would is no value of it', () => {
  assert.equal(covers([about('a.internal/org', { id: 'own' })], 'GET a.internal/orgs/own'), false);
});

test('names of what every object has are names like others', () => {
  for (const name of ['toString', 'constructor', 'hasOwnProperty'])
    assert.equal(covers([about('a.internal/org', { [name]: '7' })], 'GET a.internal/orgs/7'), false);
  assert.equal(covers([about('toString')], 'GET a.internal/orgs/7'), false);
});

const plain: ResourcesClaim = { claim: ['about'], types: null };
const typed: ResourcesClaim = {
  claim: ['authorization_details'],
  types: [
    { type: 'invoice', api: INVOICES, parameters: { invoice: 'identifier' }, ignore: ['locations'] },
    { type: 'all', api: INVOICES, parameters: {}, ignore: [] },
  ],
};
const read = (value: JsonValue | undefined, from = plain) =>
  readTaskResources(value === undefined ? {} : { [from.claim[0]!]: value }, from);

test('an entry that is not understood covers nothing, and the others count', () => {
  const good = { api: INVOICES, parameters: { invoice: '42' } };
  assert.deepEqual(read([good]), [good]);
  assert.deepEqual(read([{ api: INVOICES }]), [about(INVOICES)]);
  for (const bad of [
    { ...good, actions: ['read'] },
    { ...good, parameters: { invoice: 42 } },
    { ...good, parameters: ['42'] },
    { ...good, parameters: JSON.parse('{"__proto__":"42"}') },
    { ...good, parameters: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`p${n}`, ''])) },
    { parameters: {} },
    { api: '' },
    { api: 'x'.repeat(257) },
    'payments.internal/invoices',
    null,
    [],
  ] as JsonValue[]) {
    assert.deepEqual(read([bad]), [], JSON.stringify(bad));
    assert.deepEqual(read([bad, good]), [good], JSON.stringify(bad));
  }
  assert.deepEqual(read([]), []);
  assert.equal(read(undefined), null);
  assert.equal(readTaskResources({ about: [] }, null), null);
});

test('a claim that is no list, or a long one, is malformed', () => {
  for (const bad of [null, {}, 'x', 7, Array.from({ length: 17 }, () => ({ api: INVOICES }))] as JsonValue[]) {
    const fault = read(bad);
    assert.ok(fault instanceof TokenFault && fault.kind === 'malformed', JSON.stringify(bad));
  }
});

test('entries of authorization_details are about what their type is mapped to', () => {
  const good = { type: 'invoice', identifier: '42' };
  assert.deepEqual(read([good], typed), [about(INVOICES, { invoice: '42' })]);
  assert.deepEqual(read([{ ...good, locations: ['https://x'] }], typed), [about(INVOICES, { invoice: '42' })]);
  assert.deepEqual(read([{ type: 'invoice', identifier: 42 }], typed), [about(INVOICES, { invoice: '42' })]);
  assert.deepEqual(read([{ type: 'all' }], typed), [about(INVOICES)]);
  for (const bad of [
    { type: 'invoices', identifier: '42' },
    { identifier: '42' },
    { type: 'invoice' },
    { ...good, actions: ['read'] },
    { ...good, identifier: null },
    { ...good, identifier: ['42'] },
    { ...good, identifier: 4.2 },
    { ...good, identifier: -1 },
    { type: 'all', identifier: '42' },
    { api: INVOICES, parameters: { invoice: '42' } },
    'invoice',
  ] as JsonValue[])
    assert.deepEqual(read([bad], typed), [], JSON.stringify(bad));
  assert.deepEqual(read([good], { ...typed, types: [] }), []);
});

test('whatever a token says, it covers nothing that no entry of it names', () => {
  const text = fc.constantFrom('a.internal/org', 'a.internal/user', 'id', 'user', '7', '9', 'api', '');
  const entry = fc.oneof(
    fc.record(
      { api: text, parameters: fc.dictionary(text, text, { maxKeys: 2 }), more: fc.jsonValue() },
      { requiredKeys: ['api'] },
    ),
    fc.jsonValue({ maxDepth: 2 }),
  );
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 18 }), (value) => {
      const found = read(value as JsonValue);
      if (found instanceof TokenFault) return assert.ok(value.length > 16);
      assert.ok(found !== null);
      for (const request of ['GET a.internal/orgs/7', 'GET a.internal/orgs/9/users/7']) {
        const named = value.some((one) => {
          const { api, parameters = {} } = (one ?? {}) as { api?: unknown; parameters?: Record<string, string> };
          const values: Readonly<Record<string, string>> = request.includes('users')
            ? { id: '9', user: '7' }
            : { id: '7' };
          const own =
            api === 'a.internal/org' ? ['id'] : api === 'a.internal/user' && 'user' in values ? ['id', 'user'] : null;
          return (
            own !== null && Object.entries(parameters).every(([name, v]) => own.includes(name) && v === values[name])
          );
        });
        if (covers(found, request)) assert.ok(named, JSON.stringify([request, value]));
      }
    }),
    { numRuns: 500 },
  );
});

test('what two tokens are about together, both cover', () => {
  const [a, b] = [about('x/a', { p: '1' }), about('x/b')];
  assert.deepEqual(commonResources(null, [a]), [a]);
  assert.deepEqual(commonResources([a], null), [a]);
  assert.equal(commonResources(null, null), null);
  assert.deepEqual(commonResources([a], [a, b]), [a]);
  assert.deepEqual(commonResources([a], [b]), []);
  assert.deepEqual(commonResources([], [b]), []);
  assert.deepEqual(commonResources([a], [about('x/a', { q: '2' })]), [about('x/a', { p: '1', q: '2' })]);
  assert.deepEqual(commonResources([a], [about('x/a', { p: '2' })]), []);
  assert.deepEqual(commonResources([a], [about('x/a')]), [a]);
  const ofNames = (name: string) => Array.from({ length: 5 }, (_, n) => about('x/a', { [`${name}${n}`]: '' }));
  assert.equal(commonResources(ofNames('p'), ofNames('q')), 'too many');
});

const resources = (invoice: string) => [{ api: INVOICES, parameters: { invoice } }];
const txnAbout = (value: unknown) =>
  agentTxn({ claims: { tctx: { purpose: 'reconcile-invoices', resources: value } } });
const accessAbout = (value: unknown) => agentAccess({ claims: { authorization_details: value } });
const sent = (txn: string, access?: string) => ({
  headers: { 'txn-token': txn, ...(access === undefined ? {} : { authorization: `Bearer ${access}` }) },
});

test('a task is about what its token names, and of two tokens what both name', async () => {
  assert.equal((await taskContext(sent(agentTxn()))).task?.resources, null);
  assert.deepEqual((await taskContext(sent(txnAbout(resources('42'))))).task?.resources, resources('42'));
  assert.deepEqual((await taskContext(sent(txnAbout([{ type: 'x' }])))).task?.resources, []);
  const both = sent(txnAbout(resources('42')), accessAbout([{ type: 'invoice', identifier: '42' }]));
  assert.deepEqual((await taskContext(both)).task?.resources, resources('42'));
  const differ = sent(txnAbout(resources('42')), accessAbout([{ type: 'invoice', identifier: '43' }]));
  assert.deepEqual((await taskContext(differ)).task?.resources, []);
  const one = sent(txnAbout(resources('42')), agentAccess());
  assert.deepEqual((await taskContext(one)).task?.resources, resources('42'));
});

test('a token that names its resources in a way that nobody can read is refused', async () => {
  await refuses(sent(txnAbout('invoices')), 'task_txn_malformed', /tctx\/resources is no list/);
  await refuses({ headers: { authorization: `Bearer ${accessAbout({})}` } }, 'task_token_malformed', /is no list/);
});
