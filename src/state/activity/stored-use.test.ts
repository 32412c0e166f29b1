import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_TASKS } from './model.ts';
import { decodeUse, encodeUse } from './stored-use.ts';

const NOW = Date.UTC(2026, 10, 30);
const use = {
  workload: 'spiffe://prod.example/a',
  owner: 'team',
  lastMs: NOW,
  credentials: ['x509-svid'],
  tasks: [{ issuer: 'prod.example', id: 't', untilMs: NOW + 1 }],
};
const read = (changes: object, nowMs = NOW) =>
  decodeUse(use.workload, JSON.stringify({ ...(JSON.parse(encodeUse(use)) as object), ...changes }), nowMs);

test('a last use is read as it was written, without tasks that have ended, and no more of them than are listed', () => {
  assert.deepEqual(read({}), use);
  assert.deepEqual(read({}, NOW + 1)?.tasks, []);
  assert.deepEqual(read({ tasks: {}, credentials: {} }), { ...use, tasks: [], credentials: [] });
  const many = Array.from({ length: 50 }, (_, n) => ({ issuer: 'i', id: String(n), untilMs: NOW + 1 }));
  assert.deepEqual(read({ tasks: many })?.tasks, many.slice(0, MAX_TASKS));
});

test('what is none is left out', () => {
  for (const text of ['', '[]', 'x', 'null']) assert.equal(decodeUse('w', text, NOW), null);
  for (const lastMs of ['1', -1, 1e300, null]) assert.equal(read({ lastMs }), null);
  assert.equal(read({ owner: 1 })?.owner, null);
  assert.deepEqual(read({ credentials: [1, 'oidc', {}] })?.credentials, ['oidc']);
  const [task] = use.tasks;
  for (const wrong of [1, null, 'x', { ...task, issuer: 1 }, { ...task, id: null }, { ...task, untilMs: 'x' }])
    assert.deepEqual(read({ tasks: [wrong, task] })?.tasks, [task]);
});
