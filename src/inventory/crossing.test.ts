import assert from 'node:assert/strict';
import { test } from 'node:test';
import { access, inventoryOf, problemsOf, targetOf } from '../../test/support/inventory.ts';
import { Refusal } from '../base/outcome.ts';
import type { Inventory } from './inventory.ts';

const host = { host: 'h', sensitivity: 'internal' };
const api = (apis: readonly object[]): Inventory => inventoryOf({ resources: [{ ...host, apis }] });
const apiProblems = (apis: readonly object[]): string => problemsOf({ resources: [{ ...host, apis }] }).join('\n');

function refused(inventory: Inventory, line: string): string {
  const target = inventory.target(access(line));
  assert.ok(target instanceof Refusal, `${line} is not refused`);
  return target.reason;
}

const docs = { name: 'docs', path: '/spaces/{space}/docs/{doc}' };
const hr = { name: 'hr', path: '/spaces/hr' };
const both = { name: 'hr-docs', path: '/spaces/hr/docs/{file}' };

test('where templates cross, a method must be listed by each', () => {
  const inventory = api([
    { ...docs, methods: ['GET', 'DELETE'] },
    { ...hr, methods: ['GET', 'POST'] },
    { name: 'x', path: '/spaces/{s}/docs' },
  ]);
  assert.equal(targetOf(inventory, 'GET h/spaces/hr/docs/x').action, 'GET');
  for (const method of ['POST', 'DELETE', 'PUT'])
    assert.equal(refused(inventory, `${method} h/spaces/hr/docs/x`), 'request_method_not_allowed', method);
  assert.equal(targetOf(inventory, 'DELETE h/spaces/it/docs/x').action, 'DELETE');
  assert.equal(targetOf(inventory, 'POST h/spaces/hr').action, 'POST');
});

test('where templates cross, a token needs a scope that each takes', () => {
  const inventory = api([
    { ...docs, scopes: ['docs', 'admin'] },
    { ...hr, scopes: ['hr', 'admin'] },
  ]);
  const scopes = (path: string) => targetOf(inventory, `GET h${path}`).resource.scopes;
  assert.deepEqual(scopes('/spaces/hr/docs/x'), ['admin']);
  assert.deepEqual(scopes('/spaces/hr/x'), ['admin', 'hr']);
  assert.deepEqual(scopes('/spaces/it/docs/x'), ['admin', 'docs']);
  const open = api([
    { ...docs, scopes: [] },
    { ...hr, scopes: ['hr'] },
  ]);
  assert.deepEqual(targetOf(open, 'GET h/spaces/hr/docs/x').resource.scopes, ['hr']);
});

test('where templates cross and no scope is enough for all, none that a token can carry opens the path', () => {
  const inventory = api([
    { ...docs, scopes: ['a', 'b'] },
    { ...hr, scopes: ['b', 'c'] },
    { name: 'third', path: '/{root}/hr/docs', scopes: ['a', 'c'] },
  ]);
  const { scopes } = targetOf(inventory, 'GET h/spaces/hr/docs/x').resource;
  assert.equal(scopes.length, 1);
  assert.match(scopes.join(), / /);
});

test('crossing templates that disagree about owner, scopes or a label are a problem, until one for both says what holds', () => {
  for (const [key, some, other] of [
    ['owner', 'payments', 'platform'],
    ['scopes', ['docs'], ['hr']],
    ['labels', { tier: '1' }, { tier: '2' }],
  ] as const) {
    const apart = [
      { ...docs, [key]: some },
      { ...hr, [key]: other },
    ];
    const advice = new RegExp(`/spaces/hr' \\(hr\\) .*add an api for '/spaces/hr/docs/\\{doc\\}' that states ${key}`);
    assert.match(apiProblems(apart), advice);
    assert.match(apiProblems(apart.toReversed()), advice);
    assert.match(apiProblems([...apart, both]), advice);
    const { resource } = targetOf(api([...apart, { ...both, [key]: other }]), 'GET h/spaces/hr/docs/x');
    const held = { owner: resource.owner, scopes: resource.scopes, labels: Object.fromEntries(resource.labels) };
    assert.deepEqual(held[key], other);
    api([docs, { ...hr, [key]: other }]);
    api([
      { ...docs, [key]: some },
      { ...hr, [key]: some },
    ]);
  }
});

test('a parameter name means one segment wherever two templates hold', () => {
  for (const [some, other] of [
    ['/tenants/{id}', '/tenants/{tenant}/users/{id}'],
    ['/{id}', '/tenants/{id}'],
    ['/a/{x}/{y}', '/a/b/{x}'],
    ['/{a}/x', '/y/{b}/{a}'],
  ]) {
    const apis = [
      { name: 'some', path: some },
      { name: 'other', path: other },
    ];
    assert.match(apiProblems(apis), /the parameter '\w+' is another segment in/, `${some} ${other}`);
    assert.match(apiProblems(apis.toReversed()), /the parameter '\w+' is another segment in/, `${some} ${other}`);
  }
  api([
    { name: 'ticket', path: '/tickets/{ticket}' },
    { name: 'replies', path: '/tickets/{ticket}/replies/{id}' },
    { name: 'user', path: '/users/{id}' },
  ]);
});
