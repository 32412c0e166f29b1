import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import type { Outcome } from '../policy/load/cases.ts';
import { updateCases } from './update-cases.ts';

test('ids that look like numbers or words of YAML are read back as the names that they are', () => {
  const by = ['1', '1e3', '2026-11-25', 'a-1', 'false', 'null'];
  const text = 'cases:\n  - { name: x, expect: allow, by: [old] }\n';
  const expected = { result: 'allow', by: ['old'], reason: null };
  const outcome = { stated: { expected }, result: { result: 'allow', by, reason: null }, differs: 'by' };
  const updated = updateCases(text, [outcome as unknown as Outcome]);
  assert.deepEqual(parse(updated).cases[0].by, by);
  assert.match(updated, /a-1/);
});
