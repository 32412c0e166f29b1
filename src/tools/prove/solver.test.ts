import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerOf, Solver } from './solver.ts';

const property = 'Policy set always denies';
const ended = { code: 0, stdout: `✓ ${property}: VERIFIED\n`, stderr: '' };

test('a property holds only where the compiler says so, and nothing else', () => {
  assert.deepEqual(answerOf(ended, property), { kind: 'holds' });
  const others = [
    { ...ended, code: 1 },
    { ...ended, stderr: 'policy set contains 1 policy template(s), which will be ignored by analysis' },
    { ...ended, stdout: `${ended.stdout}more\n` },
    { ...ended, stdout: '✓ Policy sets are disjoint: VERIFIED\n' },
    { ...ended, stdout: '', stderr: 'Analysis failed\n  × the solver returned unknown' },
    { ...ended, stdout: '' },
  ];
  for (const other of others) assert.equal(answerOf(other, property).kind, 'unknown', JSON.stringify(other));
});

test('a property that fails has the request behind it', () => {
  const stdout = `✗ ${property}: DOES NOT HOLD\n  Counterexample found:\nprincipal: A::"b"\n`;
  assert.deepEqual(answerOf({ ...ended, stdout }, property), { kind: 'fails', counterexample: 'principal: A::"b"\n' });
  assert.equal(answerOf({ ...ended, stdout: `✗ ${property}: DOES NOT HOLD\n` }, property).kind, 'unknown');
});

test('programs that are not there, or are others, are said', async () => {
  const absent = await Solver.open({ cedar: '/nowhere/cedar', cvc5: '/nowhere/cvc5' });
  assert.match(String(absent), /^\/nowhere\/cedar is not to be had/);
  const other = await Solver.open({ cedar: process.execPath, cvc5: process.execPath });
  assert.match(String(other), /is not to be had, or of another release: v24/);
});
