import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { loaded, question, target, workload } from '../../test/support/policy.ts';
import { guardrailsInventory } from '../../test/support/touching.ts';
import { Refusal } from '../base/outcome.ts';
import { type Assessment, assessmentOf, CALM_BEHAVIOUR, UNKNOWN_BEHAVIOUR } from '../behaviour/signals.ts';
import type { Assessed } from '../behaviour/workload-book.ts';
import type { Caller } from '../identity/caller.ts';
import { unknownFacts } from '../policy/decide/facts.ts';
import { permitFrom } from '../policy/decide/permit.ts';
import { answeredOf, type PermittedRequest, withBehaviour, wouldForbid } from './behaviour.ts';
import { Trail } from './trail.ts';

const guardrail = readFileSync(join(import.meta.dirname, '..', '..', 'cedar', 'guardrails', 'behaviour.cedar'), 'utf8');
const { snapshot } = loaded(
  { 'a.cedar': `@id("all") permit (principal, action, resource);\n${guardrail}` },
  { inventory: guardrailsInventory },
);
const SERVICE = 'spiffe://prod.example/service';
const scan = assessmentOf({ 'novel-endpoint': { points: 60, now: 20, requests: 20, usual: 0.001 } });
const assessed = (found: Assessment) => ({ found }) as Assessed;
const caller = { workload: workload(snapshot.inventory, SERVICE), credential: 'x509-svid' } as Caller;
const facts = { ...unknownFacts, client: null, headers: new Map(), numbers: new Map() };

/** A request of the service for one host, of whose caller this was noticed. */
function noticing(found: Assessment, request: string, mode: 'observe' | 'act' = 'observe') {
  const trail = new Trail(snapshot);
  const asked = target(snapshot.inventory, request);
  const told = withBehaviour(
    facts,
    { mode, assess: () => assessed(found), quarantine: () => null, wouldQuarantine: () => false },
    caller,
    asked,
    trail,
    0,
  );
  assert.ok(!(told instanceof Refusal));
  const taskContext = { task: null, declared: null, chain: [caller.workload] };
  const judgeable = { input: { query: null }, snapshot, target: asked, caller, taskContext, facts: told, nowMs: 0 };
  return { trail, told, would: () => wouldForbid(judgeable as unknown as PermittedRequest, trail) };
}

suite('what was noticed about a caller', () => {
  test('policies are told it with act alone, and it is recorded with both', () => {
    const acting = noticing(scan, 'GET internal/x', 'act');
    assert.deepEqual([acting.told.risk, [...acting.told.signals]], [60, ['novel-endpoint']]);
    assert.equal(acting.trail.found.facts, acting.told);
    const observing = noticing(scan, 'GET internal/x');
    assert.equal(observing.told, facts);
    assert.equal(observing.trail.found.behaviour?.found, scan);
  });

  test('what is quarantined is refused, with act alone, and what was noticed is recorded', () => {
    const gone = new Refusal('revoked_workload', 'by the revocation q');
    const [trail, asked] = [new Trail(snapshot), target(snapshot.inventory, 'GET internal/x')];
    const behaviour = { assess: () => assessed(scan), quarantine: () => gone, wouldQuarantine: () => true };
    assert.equal(withBehaviour(facts, { mode: 'act', ...behaviour }, caller, asked, trail, 0), gone);
    assert.equal(trail.found.facts?.risk, 60);
    const observing = new Trail(snapshot);
    assert.equal(withBehaviour(facts, { mode: 'observe', ...behaviour }, caller, asked, observing, 0), facts);
    assert.deepEqual([trail.wouldQuarantine, observing.wouldQuarantine], [false, true]);
  });

  test('too little is known: policies are told neither a risk nor a signal', () => {
    const { told } = noticing(UNKNOWN_BEHAVIOUR, 'GET internal/x', 'act');
    assert.deepEqual([told.risk, told.signals.size], [null, 0]);
  });

  test('where policies are not told, it is found out which of them would have refused', () => {
    assert.deepEqual(noticing(scan, 'GET confidential/x').would(), [
      'risk-falls-as-sensitivity-rises',
      'signals-ask-for-a-known-risk',
    ]);
    assert.deepEqual(noticing(scan, 'GET public/x').would(), []);
    assert.deepEqual(noticing(CALM_BEHAVIOUR, 'GET restricted/x').would(), []);
  });

  test('what policies read of it is known of each', () => {
    assert.deepEqual([...snapshot.readingBehaviour].toSorted(), [
      'risk-falls-as-sensitivity-rises',
      'signals-ask-for-a-known-risk',
    ]);
  });

  test('a verdict is remembered for all risks that no literal tells apart', () => {
    const ask = (risk: number) => snapshot.decide(question(snapshot.inventory, SERVICE, 'GET restricted/x', { risk }));
    for (const risk of [0, 25, 26, 50, 51, 75, 76]) ask(risk);
    const { entries } = snapshot.load;
    for (let risk = 0; risk <= 100; risk++) assert.equal(ask(risk).result, risk > 25 ? 'deny' : 'allow');
    assert.equal(snapshot.load.entries, entries);
  });

  test('of refusals those count that thieves get, and none that stands on what was noticed alone', () => {
    const trailOf = (risk: number | null, request: string) => {
      const trail = new Trail(snapshot);
      const verdict = snapshot.decide(question(snapshot.inventory, SERVICE, request, { risk }));
      trail.found.hops = [{ workload: caller.workload, role: 'caller', verdict }];
      return { trail, outcome: permitFrom([verdict]) };
    };
    const allowed = trailOf(0, 'GET restricted/x');
    assert.equal(answeredOf(allowed.outcome, allowed.trail), 'allowed');
    const byRisk = trailOf(90, 'GET restricted/x');
    assert.equal(answeredOf(byRisk.outcome, byRisk.trail), 'refused');
    for (const [reason, answered] of [
      ['policy_no_permit', 'refused-as-a-thief'],
      ['chain_too_deep', 'refused-as-a-thief'],
      ['task_proof_replayed', 'refused-as-a-thief'],
      ['task_token_expired', 'refused'],
      ['approval_required', 'refused'],
      ['overloaded', 'refused'],
      ['state_unavailable', 'refused'],
    ] as const)
      assert.equal(answeredOf(new Refusal(reason, ''), new Trail(snapshot)), answered, reason);
  });
});
