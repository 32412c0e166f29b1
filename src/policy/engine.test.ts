import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { CedarCall } from './call.ts';
import { Engine } from './engine.ts';

const plain: CedarCall = {
  principal: { type: 'U', id: 'a' },
  action: { type: 'Action', id: 'x' },
  resource: { type: 'U', id: 'b' },
  context: {},
  entities: [],
};

suite('engine', () => {
  test('answers with sorted reasons', () => {
    const engine = new Engine();
    const slot = engine.load({
      schema: null,
      policies: { b: 'permit(principal,action,resource);', a: 'permit(principal,action,resource);' },
    });
    assert.ok(typeof slot !== 'string');
    assert.deepEqual(engine.ask(slot, plain), { kind: 'answered', decision: 'allow', reasons: ['a', 'b'], errors: [] });
  });
});
