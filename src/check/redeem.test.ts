import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '../base/outcome.ts';
import { MemoryState } from '../state/memory.ts';
import type { Use } from '../state/model.ts';
import { redeemer } from './redeem.ts';

test('what is decided too late uses nothing up', async () => {
  const state = new MemoryState({ maxEntries: 10, startedAtMs: 0 });
  const ifUsed = new Refusal('task_proof_replayed', 'used before');
  const proof = { key: 'proof', until: 60_000, history: state.history(), ifUsed };
  const use = (requestId: string): Use => ({
    requestId,
    caller: 'spiffe://prod.example/agent',
    checkPeer: null,
    digest: 'd',
    deadline: 1000,
    judgedBy: 'r',
  });
  const reasonAt = async (nowMs: number, requestId: string) => {
    const outcome = await redeemer(state, () => nowMs)([proof], use(requestId), nowMs);
    return outcome instanceof Refusal ? outcome.reason : 'permitted';
  };
  assert.equal(await reasonAt(1000, 'late'), 'overloaded');
  assert.equal(await reasonAt(999, 'in time'), 'permitted');
  assert.equal(await reasonAt(999, 'another'), 'task_proof_replayed');
});
