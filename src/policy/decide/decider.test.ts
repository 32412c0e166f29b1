import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { settings, sourcesOf } from '../../../test/support/policy.ts';
import { differentialEstate, policyFile, questions } from '../../../test/support/policy-arbitraries.ts';
import { restoreInventory } from '../../inventory/load.ts';
import { formatProblem } from '../../source/problem.ts';
import { validate } from '../load/validate.ts';
import type { AuthorizationCall } from './call.ts';
import { authorizationCall } from './cedar-request.ts';
import { Decider, REMEMBERED_BYTES } from './decider.ts';
import { Engine, newInstance } from './engine.ts';
import type { Question } from './question.ts';
import type { ValidatedPolicies } from './validated.ts';

/** Calls that are compared; `DIFFERENTIAL_CALLS` asks for more. */
const CALLS = Number(process.env.DIFFERENTIAL_CALLS ?? 6000);
const PER_SET = 150;

const cedar = newInstance();
const parts = {
  inventory: { file: 'inventory.yaml', text: differentialEstate },
  settings: { ...settings, allowWarnings: true },
};

/** A set of policies asked both ways: by the decider, and whole, of an engine that remembers nothing. */
class Both {
  readonly validated: ValidatedPolicies;
  readonly inventory;
  readonly decider: Decider;
  readonly #plain = new Engine();
  readonly #program;
  asked = 0;

  constructor(text: string) {
    const validated = validate(sourcesOf({ 'a.cedar': text }, parts), cedar, 0);
    if (Array.isArray(validated)) throw new Error(validated.map(formatProblem).join('\n'));
    this.validated = validated;
    this.inventory = restoreInventory(validated.inventory)!;
    const { schema, enforced: policies, footprints, actionGroups: groups } = validated;
    const counting = new Engine();
    const ask = counting.ask.bind(counting);
    counting.ask = (program, call) => {
      this.asked++;
      return ask(program, call);
    };
    this.decider = new Decider(counting, { schema, policies, footprints, groups });
    this.#program = { schema, policies };
  }

  callOf(asked: Question): AuthorizationCall {
    return authorizationCall(asked, this.validated.named, this.inventory);
  }

  /** Cedar's answer, which both ways give. */
  ask(asked: Question): ReturnType<Engine['ask']> {
    const call = this.callOf(asked);
    const answer = this.decider.ask(call);
    assert.deepEqual(answer, this.#plain.ask(this.#program, call), JSON.stringify(call));
    return answer;
  }
}

/** Values at and beside everything that a clause compares with, and names that look like those of the projection. */
const near = (base: Question): fc.Arbitrary<Question> => {
  const instant = Date.UTC(2026, 10, 25, 10);
  const odd = fc.constantFrom('#0', '#1', '##0', '__proto__', '', 'x');
  const { task } = base;
  return fc.oneof(
    fc.constantFrom(-1, 0, 1).map((ms) => ({ ...base, now: instant + ms })),
    fc.constantFrom(9, 10, 11).map((n) => ({ ...base, numbers: new Map([['x-amount', n]]) })),
    fc.constantFrom(49, 50, 51).map((risk) => ({ ...base, risk })),
    fc.constantFrom(59, 60, 61).map((credentialAge) => ({ ...base, credentialAge })),
    odd.map((query) => ({ ...base, query })),
    odd.map((value) => ({ ...base, headers: new Map([['x-data-class', value]]) })),
    ...(task === null
      ? []
      : [
          fc
            .constantFrom(58.9, 59, 60, 61, 62)
            .map((s) => ({ ...base, task: { ...task, expiresAt: base.now / 1000 + s } })),
          odd.map((id) => ({ ...base, task: { ...task, id, subject: id } })),
          fc.subarray(['other', 'read']).map((scopes) => ({ ...base, task: { ...task, scopes: scopes.toReversed() } })),
          fc
            .constantFrom(1 as const, 2 as const, 3 as const)
            .map((assurance) => ({ ...base, task: { ...task, assurance } })),
        ]),
  );
};

suite('decider', () => {
  test('what is left out, renamed and remembered changes no answer', () => {
    let [calls, asked, errors] = [0, 0, 0];
    const property = fc.property(policyFile, fc.nat(), (text, seed) => {
      const both = new Both(text);
      const bases = fc.sample(questions(both.inventory), { numRuns: PER_SET / 10, seed });
      for (const [index, base] of bases.entries()) {
        const variants = fc.sample(near(base), { numRuns: 9, seed: seed + index });
        for (const one of [base, ...variants]) {
          const answer = both.ask(one);
          calls++;
          if (answer.kind === 'answered' && answer.errors.length > 0) errors++;
        }
      }
      asked += both.asked;
    });
    fc.assert(property, { numRuns: Math.ceil(CALLS / PER_SET), endOnFailure: true });
    // The memory was used, and what fails to evaluate was met.
    assert.ok(asked < calls * 0.7 && errors > calls / 500, JSON.stringify({ calls, asked, errors }));
  });

  test('what is remembered stays within its bytes, however many different calls come', () => {
    const both = new Both(
      '@id("a") permit (principal, action, resource) when { context has query && context.query like "*x*" };',
    );
    const [base] = fc.sample(questions(both.inventory), { numRuns: 1, seed: 1 });
    const bytes: number[] = [];
    for (let i = 0; i < 12; i++) {
      for (let j = 0; j < 100; j++)
        both.decider.ask(both.callOf({ ...base!, query: `${i} ${j} ${'y'.repeat(10_000)}` }));
      bytes.push(both.decider.rememberedBytes);
    }
    assert.ok(Math.max(...bytes) <= REMEMBERED_BYTES + 50_000, `${Math.max(...bytes)}`);
    assert.ok(bytes.at(-1)! > REMEMBERED_BYTES / 4, 'something is remembered');
  });
});
