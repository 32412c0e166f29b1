import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../base/fault.ts';
import type { Task, TaskContext } from '../task/model.ts';
import { registered } from './registered.ts';

const nobodyKnows = {
  current: () => new Fault('the tasks of the store are 2100 ms old'),
  required: () => false,
  handedOn: () => false,
  widerPurposes: () => [],
};
const chain = [{ id: { text: 'spiffe://prod.example/agent' } }] as unknown as TaskContext['chain'];
const task = { issuer: 'https://tts.prod.example', id: 't-1' } as Task;

test('while nobody knows which tasks are active, a request with a task is refused, and one without is not', () => {
  assert.equal(registered(nobodyKnows, { backing: [task], chain }, Date.now())?.reason, 'state_unavailable');
  assert.equal(registered(nobodyKnows, { backing: [], chain }, Date.now()), null);
});
