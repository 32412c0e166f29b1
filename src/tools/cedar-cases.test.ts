import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Engine, newInstance } from '../policy/decide/engine.ts';
import { foreignProgram } from './cedar-cases.ts';

test('policies of any name are run, those that JavaScript knows too', () => {
  const names = ['__proto__', 'constructor', 'toString'];
  const text = names.map((name) => `@id("${name}") forbid (principal, action, resource);`).join('\n');
  const program = foreignProgram(newInstance(), `permit (principal, action, resource);\n${text}`, null);
  assert.ok(typeof program !== 'string', String(program));
  const engine = new Engine();
  const uid = { type: 'T', id: 'a' };
  const answer = engine.ask(program, {
    principal: uid,
    action: { type: 'Action', id: 'a' },
    resource: uid,
    context: {},
    entities: [],
  });
  assert.ok(answer.kind === 'answered');
  assert.deepEqual(answer.reasons, names.toSorted());
  assert.equal(foreignProgram(newInstance(), `${text}\n${text}`, null), 'two policies are called __proto__');
});
