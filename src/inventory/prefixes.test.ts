import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idOf } from '../../test/support/inventory.ts';
import { pathPrefixes, spiffePrefixes } from './prefixes.ts';

test('prefixes of a SPIFFE ID are whole segments, without the bare trust domain, with the id', () => {
  assert.deepEqual(spiffePrefixes(idOf('spiffe://prod.example/ns/agents/sa/x')), [
    'spiffe://prod.example/ns',
    'spiffe://prod.example/ns/agents',
    'spiffe://prod.example/ns/agents/sa',
    'spiffe://prod.example/ns/agents/sa/x',
  ]);
  assert.deepEqual(spiffePrefixes(idOf('spiffe://prod.example')), []);
});

test('prefixes of host and path are whole segments, without the bare host; one trailing slash does not count', () => {
  assert.deepEqual(pathPrefixes('h', '/api/invoices/42'), ['h/api', 'h/api/invoices', 'h/api/invoices/42']);
  assert.deepEqual(pathPrefixes('h', '/api/invoices/'), ['h/api', 'h/api/invoices']);
  assert.deepEqual(pathPrefixes('h', '/'), []);
  assert.deepEqual(pathPrefixes('[::1]:8443', '/a'), ['[::1]:8443/a']);
});
