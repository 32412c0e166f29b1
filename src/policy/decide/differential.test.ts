import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { loaded, settings, sourcesOf } from '../../../test/support/policy.ts';
import { differentialEstate, policyFile, questions } from '../../../test/support/policy-arbitraries.ts';
import { type Plain, plainly } from '../../../test/support/policy-reference.ts';
import { statements } from '../text/split-policies.ts';
import { Engine } from './engine.ts';
import { type HopVerdict, type Question, TOUCHED_DECIDES } from './question.ts';
import { type ShadowFinding, shadowFindings } from './shadow.ts';

/** Requests that are compared; `DIFFERENTIAL_REQUESTS` asks for more. */
const REQUESTS = Number(process.env.DIFFERENTIAL_REQUESTS ?? 1000);
const PER_SNAPSHOT = 20;

const wider = { reconcile: ['finance'], finance: ['business'], business: [] };
const parts = {
  inventory: { file: 'inventory.yaml', text: differentialEstate },
  settings: { ...settings, allowWarnings: true },
};
const schema = sourcesOf({}).schema.text;

/** The policies of a file by their ids, told apart without the code under test beyond its splitting at `;`. */
function byId(text: string, shadow: boolean): Record<string, string> {
  const found = statements(text);
  if ('message' in found) throw new Error(found.message);
  return Object.fromEntries(
    found
      .filter((part) => part.text.includes('@mode("shadow")') === shadow)
      .map((part) => [/@id\("(\w+)"\)/.exec(part.text)?.[1] ?? '', part.text]),
  );
}

const asPlain = (verdict: HopVerdict): Plain => ({
  decision: verdict.forbids.length === 0 && verdict.permits.length > 0 ? 'allow' : 'deny',
  reasons: [...verdict.permits, ...verdict.forbids],
  errors: verdict.errors.map((fault) => fault.policy),
});

/** The shadowed policies each of which would change the answer, found by enforcing it. */
function turned(
  plain: Plain,
  enforced: Readonly<Record<string, string>>,
  shadowed: Readonly<Record<string, string>>,
  question: Question,
): readonly ShadowFinding[] {
  const allows = ({ decision, errors }: Plain): boolean => decision === 'allow' && errors.length === 0;
  return Object.entries(shadowed).flatMap(([policy, text]): ShadowFinding[] => {
    const together = plainly(schema, { ...enforced, [policy]: text }, question, wider);
    if (allows(together) === allows(plain)) return [];
    return [{ policy, would: together.errors.includes(policy) ? 'error' : together.decision }];
  });
}

test('our way of asking says what the plainest way says', () => {
  const engine = new Engine();
  const seen = { allow: 0, deny: 0, errors: 0, shadow: 0, unread: 0, untouched: 0 };
  const property = fc.property(policyFile, fc.infiniteStream(fc.noShrink(fc.nat())), (text, seeds) => {
    const { snapshot } = loaded({ 'a.cedar': text }, parts, engine);
    const enforced = byId(text, false);
    const shadowed = byId(text, true);
    const [seed = 0] = seeds.take(1);
    for (const question of fc.sample(questions(snapshot.inventory), { numRuns: PER_SNAPSHOT, seed })) {
      const verdict = snapshot.decide(question);
      const plain = plainly(schema, enforced, question, wider);
      assert.deepEqual(asPlain(verdict), plain);
      assert.equal(verdict.failure, null);
      assert.equal(verdict.result, plain.errors.length > 0 ? 'error' : plain.decision);
      // Without what was opened before there is the same verdict, or none.
      const unread = snapshot.decide({ ...question, touched: null });
      if (unread === TOUCHED_DECIDES) seen.unread++;
      else {
        assert.deepEqual(unread, verdict);
        if (snapshot.touched.read === 'lazily') seen.untouched++;
      }
      seen[plain.decision]++;
      if (plain.errors.length > 0) seen.errors++;
      if (Object.keys(shadowed).length === 0) continue;
      seen.shadow++;
      const apart = plainly(schema, shadowed, question, wider);
      assert.deepEqual(
        verdict.shadow.filter(({ effect }) => effect === 'error').map(({ policy }) => policy),
        apart.errors,
      );
      assert.deepEqual(shadowFindings([verdict]), turned(plain, enforced, shadowed, question));
    }
  });
  fc.assert(property, { numRuns: Math.ceil(REQUESTS / PER_SNAPSHOT), endOnFailure: true });
  const { allow, deny, errors, shadow, unread, untouched } = seen;
  assert.ok(Math.min(unread, untouched) > REQUESTS / 50, JSON.stringify(seen));
  assert.ok(allow + deny >= REQUESTS);
  // A generator whose policies are almost all dead would find nothing.
  assert.ok(Math.min(allow, deny, shadow) > REQUESTS / 20 && errors > REQUESTS / 200, JSON.stringify(seen));
});
