import assert from 'node:assert/strict';
import { test } from 'node:test';
import { access, inventoryOf } from '../../test/support/inventory.ts';
import { Refusal } from '../base/outcome.ts';
import { SpiffeId } from '../base/spiffe-id.ts';
import type { CheckPeer } from '../http/input.ts';
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
  readonly peer?: CheckPeer;
}

function ask({ host = 'one.internal', route, hosts = [], principal = '', peer }: Request): Target | Refusal {
  const input: Located = {
    ...access(`GET ${host}/`),
    connection: {
      checkPeer: peer ?? null,
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

const idOf = (text: string): SpiffeId => {
  const id = SpiffeId.parse(text);
  assert.ok(id instanceof SpiffeId);
  return id;
};

const peer = (id: string, hosts: readonly string[], servedHosts: boolean): CheckPeer => ({
  id: idOf(id),
  thumbprint: '',
  notBefore: 0,
  hosts: new Set(hosts),
  servedHosts,
});

test('a client of the check port asks about the hosts that are named for it, and no others', () => {
  const named = peer('spiffe://prod.example/ns/x/sa/envoy', ['one.internal'], false);
  assert.equal(answer({ route: 'one.internal', peer: named }), 'one.internal');
  assert.equal(answer({ hosts: ['one.internal'], peer: named }), 'one.internal');
  assert.equal(answer({ host: 'two.internal', route: 'two.internal', peer: named }), 'request_host_not_bound');
  const refused = ask({ host: 'two.internal', route: 'two.internal', peer: named }) as Refusal;
  assert.equal(
    refused.detail,
    "spiffe://prod.example/ns/x/sa/envoy is not bound to the host 'two.internal'; add the host to hosts of this peer, if it may ask about it",
  );
});

test('a client without named hosts asks about those that it serves by the inventory', () => {
  const serving = peer(one, [], true);
  assert.equal(answer({ route: 'one.internal', peer: serving }), 'one.internal');
  assert.equal(answer({ host: 'two.internal', route: 'two.internal', peer: serving }), 'request_host_not_bound');
  assert.equal(answer({ route: 'one.internal', peer: peer(`${one}2`, [], true) }), 'request_host_not_bound');
  assert.equal(answer({ route: 'one.internal', peer: peer(one, [], false) }), 'request_host_not_bound');
});

test('hosts that are named are added to those that the inventory says it serves', () => {
  const both = peer(one, ['two.internal'], true);
  assert.equal(answer({ route: 'one.internal', peer: both }), 'one.internal');
  assert.equal(answer({ host: 'two.internal', route: 'two.internal', peer: both }), 'two.internal');
});

test('who is bound to a host is not thereby assigned it: the word of the route is needed all the same', () => {
  const named = peer('spiffe://prod.example/ns/x/sa/envoy', ['one.internal'], true);
  assert.equal(answer({ peer: named }), 'request_host_not_served');
  assert.equal(answer({ principal: one, host: 'one.internal', peer: peer(both, [], true) }), 'one.internal');
});
