import assert from 'node:assert/strict';
import { test } from 'node:test';
import { access, inventoryOf } from '../../test/support/inventory.ts';
import { Refusal } from '../outcome.ts';
import type { Located } from './inventory.ts';

const one = 'spiffe://prod.example/ns/one/sa/api';
const both = 'spiffe://prod.example/ns/edge/sa/envoy';
const inventory = inventoryOf({
  resources: [
    { host: 'one.internal', servedBy: [one, both] },
    { host: 'two.internal', servedBy: [both] },
  ],
});

interface Request {
  readonly host?: string;
  readonly route?: string;
  readonly serves?: readonly string[];
  readonly principal?: string;
}

function answer({ host = 'one.internal', route, serves = [], principal = '' }: Request): string {
  const input: Located = {
    ...access(`GET ${host}/`),
    destinationPrincipal: principal,
    extensions: new Map(route === undefined ? [] : [['host', route]]),
  };
  const target = inventory.locate(input, { serves });
  return target instanceof Refusal ? target.reason : target.resource.host.name;
}

test('a host that nobody but the caller names is not served', () => {
  assert.equal(answer({}), 'request_host_not_served');
  assert.equal(answer({ serves: ['two.internal'] }), 'request_host_not_served');
  assert.equal(answer({ principal: 'spiffe://prod.example/ns/other/sa/api' }), 'request_host_not_served');
});

test("the route's context_extensions.host vouches, and contradicts", () => {
  assert.equal(answer({ route: 'one.internal' }), 'one.internal');
  assert.equal(answer({ route: 'two.internal' }), 'request_host_not_served');
  assert.equal(answer({ route: 'two.internal', serves: ['one.internal'], principal: one }), 'request_host_not_served');
  assert.equal(answer({ route: '' }), 'request_host_not_served');
});

test('one name in serves vouches; of several only with the route', () => {
  assert.equal(answer({ serves: ['one.internal'] }), 'one.internal');
  const serves = ['one.internal', 'two.internal'];
  assert.equal(answer({ serves }), 'request_host_not_served');
  assert.equal(answer({ serves, route: 'one.internal' }), 'one.internal');
});

test('the workload that serves the host vouches; one that serves several only with the route', () => {
  assert.equal(answer({ principal: one }), 'one.internal');
  assert.equal(answer({ principal: one, host: 'two.internal' }), 'request_host_not_served');
  assert.equal(answer({ principal: both }), 'request_host_not_served');
  assert.equal(answer({ principal: both, host: 'two.internal' }), 'request_host_not_served');
  assert.equal(answer({ principal: both, route: 'one.internal' }), 'one.internal');
});

test('a host that is vouched for and not in the inventory is unknown', () => {
  assert.equal(answer({ host: 'three.internal', route: 'three.internal' }), 'request_host_unknown');
});
