import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '../base/outcome.ts';
import { SpiffeId } from '../base/spiffe-id.ts';
import type { Connection, XfccElement } from '../http/input.ts';
import { waypointsWord } from './waypoint.ts';

/** What no configuration lets through, and the function by itself refuses; test/cases/waypoint.test.ts has the rest. */

const WAYPOINT = 'spiffe://prod.example/ns/payments/sa/waypoint';
const LEDGER = 'spiffe://prod.example/ns/payments/sa/ledger';
const id = SpiffeId.parse(WAYPOINT);
assert.ok(id instanceof SpiffeId);

const element = (uri: string): XfccElement => ({
  by: [WAYPOINT],
  hash: null,
  cert: null,
  chain: null,
  subject: null,
  uri,
  dns: [],
});
const rule = {
  hosts: new Set(['payments.internal']),
  trustDomains: new Set(['prod.example']),
  namespaces: new Set(['payments']),
};

function wordOf(over: Partial<Connection>) {
  const connection: Connection = {
    checkPeer: { id: id as SpiffeId, thumbprint: 't', notBefore: 0, hosts: new Set(), servedHosts: false },
    digest: '',
    source: { address: null, principal: '', certificate: '' },
    forwarded: { element: element(LEDGER), nearer: [] },
    destinationPrincipal: '',
    extensions: new Map(),
    ...over,
  };
  return waypointsWord({ connection, host: 'payments.internal' }, new Map([[WAYPOINT, rule]]), new Set());
}

test('the word of a waypoint names a caller', () => {
  const word = wordOf({});
  assert.ok(word !== null && !(word instanceof Refusal));
  assert.equal(word.id?.text, LEDGER);
});

test('an element with another one behind it is refused, whatever the mode lets through', () => {
  const word = wordOf({ forwarded: { element: element(LEDGER), nearer: [element(LEDGER)] } });
  assert.ok(word instanceof Refusal);
  assert.equal(word.reason, 'identity_xfcc_mismatch');
});

test('without mutual TLS on the check port nobody is a waypoint', () => {
  assert.equal(wordOf({ checkPeer: null }), null);
});
