import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { idOf } from '../../test/support/inventory.ts';
import { pathPrefixes, spiffePrefixes } from './prefixes.ts';

test('prefixes of a SPIFFE ID are whole segments, without the bare trust domain, with the id', () => {
  const wanted = [
    'spiffe://prod.example/ns',
    'spiffe://prod.example/ns/agents',
    'spiffe://prod.example/ns/agents/sa',
    'spiffe://prod.example/ns/agents/sa/x',
  ];
  const others = ['spiffe://prod.example', 'spiffe://prod.example/n', 'spiffe://prod.example/ns/'];
  const id = idOf('spiffe://prod.example/ns/agents/sa/x');
  assert.deepEqual(spiffePrefixes(id, new Set([...others, ...wanted.toReversed()])), wanted);
  assert.deepEqual(spiffePrefixes(id, new Set(wanted.slice(1, 2))), wanted.slice(1, 2));
  assert.deepEqual(spiffePrefixes(idOf('spiffe://prod.example'), new Set(others)), []);
});

test('prefixes of host and path are whole segments, without the bare host; one trailing slash does not count', () => {
  const wanted = new Set(['h', 'h/', 'h/api', 'h/api/', 'h/api/invoices', 'h/api/invoices/42', '[::1]:8443/a']);
  assert.deepEqual(pathPrefixes('h', '/api/invoices/42', wanted), ['h/api', 'h/api/invoices', 'h/api/invoices/42']);
  assert.deepEqual(pathPrefixes('h', '/api/invoices/', wanted), ['h/api', 'h/api/invoices']);
  assert.deepEqual(pathPrefixes('h', '/', wanted), []);
  assert.deepEqual(pathPrefixes('[::1]:8443', '/a', wanted), ['[::1]:8443/a']);
});

test('a prefix is found exactly when it is wanted', () => {
  const segments = fc.array(fc.constantFrom('a', 'b', 'ab'), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(segments, fc.array(segments), (path, others) => {
      const wanted = new Set(others.map((other) => `h/${other.join('/')}`));
      const expected = path.map((_, at) => `h/${path.slice(0, at + 1).join('/')}`).filter((each) => wanted.has(each));
      assert.deepEqual(pathPrefixes('h', `/${path.join('/')}`, wanted), expected);
    }),
  );
});

test('the look-ups of a path do not grow with its segments', () => {
  const path = '/a'.repeat(7000);
  let asked = 0;
  const wanted = new (class extends Set<string> {
    override has(text: string): boolean {
      asked++;
      return super.has(text);
    }
  })(['h/a/a', 'h/b', 'h/a/a/a/a']);
  assert.deepEqual(pathPrefixes('h', path, wanted), ['h/a/a', 'h/a/a/a/a']);
  assert.equal(asked, 3);
});
