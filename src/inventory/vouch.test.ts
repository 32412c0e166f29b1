import assert from 'node:assert/strict';
import { test } from 'node:test';
import { access, inventoryOf } from '../../test/support/inventory.ts';
import { Refusal } from '../base/outcome.ts';
import type { Located } from './inventory.ts';
import type { Target } from './model.ts';

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
  readonly hosts?: readonly string[];
  readonly principal?: string;
}

function ask({ host = 'one.internal', route, hosts = [], principal = '' }: Request): Target | Refusal {
  const input: Located = {
    ...access(`GET ${host}/`),
    connection: {
      destinationPrincipal: principal,
      extensions: new Map(route === undefined ? [] : [['host', route]]),
    },
  };
  return inventory.locate(input, { hosts });
}

function answer(request: Request): string {
  const target = ask(request);
  return target instanceof Refusal ? target.reason : target.resource.host.name;
}

test('a host that nobody but the caller names is not served', () => {
  assert.equal(answer({}), 'request_host_not_served');
  assert.equal(answer({ hosts: ['two.internal'] }), 'request_host_not_served');
  assert.equal(answer({ principal: 'spiffe://prod.example/ns/other/sa/api' }), 'request_host_not_served');
});

test("the route's context_extensions.host vouches, and contradicts", () => {
  assert.equal(answer({ route: 'one.internal' }), 'one.internal');
  assert.equal(answer({ route: 'two.internal' }), 'request_host_not_served');
  assert.equal(answer({ route: 'two.internal', hosts: ['one.internal'], principal: one }), 'request_host_not_served');
  assert.equal(answer({ route: '' }), 'request_host_not_served');
});

test('one name in hosts vouches; of several only with the route', () => {
  assert.equal(answer({ hosts: ['one.internal'] }), 'one.internal');
  const hosts = ['one.internal', 'two.internal'];
  assert.equal(answer({ hosts }), 'request_host_not_served');
  assert.equal(answer({ hosts, route: 'one.internal' }), 'one.internal');
});

test('the workload that serves the host vouches; one that serves several only with the route', () => {
  assert.equal(answer({ principal: one }), 'one.internal');
  assert.equal(answer({ principal: one, host: 'two.internal' }), 'request_host_not_served');
  assert.equal(answer({ principal: both }), 'request_host_not_served');
  assert.equal(answer({ principal: both, host: 'two.internal' }), 'request_host_not_served');
  assert.equal(answer({ principal: both, route: 'one.internal' }), 'one.internal');
});

test('where several hosts are served, the refusal says what decides between them', () => {
  const several = /this Envoy serves several hosts; set context_extensions\.host on the route/;
  const detail = (request: Request) => (ask(request) as Refusal).detail;
  assert.match(detail({ principal: both }), several);
  assert.match(detail({ hosts: ['one.internal', 'two.internal'] }), several);
  assert.match(
    detail({ hosts: ['two.internal'] }),
    /^host 'one\.internal' is not assigned to this Envoy; set context_extensions\.host on the route, or hosts, or servedBy$/,
  );
});

test('a host that is vouched for and not in the inventory is unknown', () => {
  assert.equal(answer({ host: 'three.internal', route: 'three.internal' }), 'request_host_unknown');
});
