import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { settings, sourcesOf, target } from '../../../test/support/policy.ts';
import { clauses, differentialEstate, policyFile, questions } from '../../../test/support/policy-arbitraries.ts';
import { restoreInventory } from '../../inventory/load.ts';
import { formatProblem } from '../../source/problem.ts';
import { validate } from '../load/validate.ts';
import type { AuthorizationCall } from './call.ts';
import { authorizationCall } from './cedar-request.ts';
import { Decider, REMEMBERED_BYTES } from './decider.ts';
import { Engine, newInstance } from './engine.ts';
import type { Question, ShadowMatch } from './question.ts';
import { Snapshot } from './snapshot.ts';
import type { ValidatedPolicies } from './validated.ts';

/** Calls that are compared; `DIFFERENTIAL_CALLS` asks for more. */
const CALLS = Number(process.env.DIFFERENTIAL_CALLS ?? 6000);
const PER_SET = 150;

const cedar = newInstance();
/** Engines remember no answers. */
const [served, plain] = [new Engine(), new Engine()];
const parts = {
  inventory: { file: 'inventory.yaml', text: differentialEstate },
  settings: { ...settings, allowWarnings: true },
};

/**
 * A set of policies asked in three ways: by the snapshot, which remembers by the question; by the decider, which remembers by
 * the projected call; and whole, of an engine that remembers nothing.
 */
class Both {
  readonly validated: ValidatedPolicies;
  readonly inventory;
  readonly decider: Decider;
  readonly snapshot: Snapshot;
  readonly #program;
  asked = 0;
  /** What the snapshot asked of the engine. */
  missed = 0;

  constructor(text: string) {
    const validated = validate(sourcesOf({ 'a.cedar': text }, parts), cedar, 0);
    if (Array.isArray(validated)) throw new Error(validated.map(formatProblem).join('\n'));
    this.validated = validated;
    this.inventory = restoreInventory(validated.inventory)!;
    const { schema, enforced: policies, footprints, actionGroups: groups } = validated;
    this.decider = new Decider(
      this.#counting(() => this.asked++),
      { schema, policies, footprints, groups },
    );
    this.snapshot = new Snapshot({
      revision: '',
      inventory: this.inventory,
      headers: settings.headers,
      validated,
      engine: this.#counting(() => this.missed++),
    });
    this.#program = { schema, policies };
  }

  /** An engine that says when it is asked. */
  #counting(count: () => void): Engine {
    const ask: Engine['ask'] = (program, call) => {
      count();
      return served.ask(program, call);
    };
    return { ask, prepare: (program: Parameters<Engine['ask']>[0]) => served.prepare(program) } as Engine;
  }

  callOf(asked: Question): AuthorizationCall {
    return authorizationCall(asked, this.validated.named, this.inventory);
  }

  /** Cedar's answer, which both ways give. */
  ask(asked: Question): ReturnType<Engine['ask']> {
    const call = this.callOf(asked);
    const answer = this.decider.ask(call);
    const whole = plain.ask(this.#program, call);
    same(answer, whole, call);
    const { permits, forbids, errors, failure, shadow } = this.snapshot.decide(asked);
    const said =
      failure === null
        ? {
            kind: 'answered',
            decision: permits.length > 0 ? 'allow' : 'deny',
            reasons: [...permits, ...forbids],
            errors,
          }
        : { kind: failure.reason === 'policy_input_invalid' ? 'invalid' : 'unavailable', message: failure.detail };
    same(said, whole, call);
    if (failure === null) same(shadow, this.#shadowOf(call), call);
    return answer;
  }

  /** The shadowed policies that apply or fail, of a whole call. */
  #shadowOf(call: AuthorizationCall): readonly ShadowMatch[] {
    const { schema, shadowed: policies, policies: facts } = this.validated;
    const answer = plain.ask({ schema, policies }, call);
    if (answer.kind !== 'answered') return [];
    return [
      ...answer.reasons.map((id) => ({ policy: id, effect: facts.find((one) => one.id === id)!.effect })),
      ...answer.errors.map(({ policy }) => ({ policy, effect: 'error' as const })),
    ];
  }
}

function same(found: unknown, whole: unknown, call: AuthorizationCall): void {
  if (!isDeepStrictEqual(found, whole)) assert.deepEqual(found, whole, JSON.stringify(call));
}

/** Texts that no call can hold. */
const UNHOLDABLE = ['\ud800', 'x'.repeat(65_537)];

/** Values at and beside everything that a clause compares with, and names that look like those of the projection. */
const near = (base: Question, { inventory }: Both): fc.Arbitrary<Question> => {
  const instant = Date.UTC(2026, 10, 25, 10);
  const odd = fc.constantFrom('#0', '#1', '##0', '__proto__', '', 'x');
  const { task } = base;
  return fc.oneof(
    fc.constantFrom(-1, 0, 1).map((ms) => ({ ...base, now: instant + ms })),
    fc.constantFrom(9, 10, 11).map((n) => ({ ...base, numbers: new Map([['x-amount', n]]) })),
    fc.constantFrom(49, 50, 51).map((risk) => ({ ...base, risk })),
    fc.constantFrom(59, 60, 61).map((credentialAge) => ({ ...base, credentialAge })),
    odd.map((query) => ({ ...base, query })),
    odd.map((id) => ({ ...base, declared: { id, purpose: 'finance' } })),
    fc.constantFrom('10.0.0.1', '192.0.2.1', '::1', null).map((client) => ({ ...base, client })),
    fc.constantFrom(true, false, null).map((inNetworks) => ({ ...base, inNetworks })),
    fc.subarray(['resource-owner', 'x']).map((approvals) => ({ ...base, approvals: new Set(approvals) })),
    fc.subarray(['burst', 'x']).map((signals) => ({ ...base, signals: new Set(signals) })),
    fc.constantFrom('caller' as const, 'originator' as const).map((role) => ({ ...base, role })),
    fc.constantFrom('delegated' as const, 'oidc' as const).map((credential) => ({ ...base, credential })),
    fc
      .constantFrom('a/7', 'a/8', 'a/7/b', 'a/7/b/more', 'a', 'ab', '')
      .map((path) => ({ ...base, target: target(inventory, `GET one.internal/${path}`) })),
    fc
      .constantFrom('PUT', 'POST', 'HEAD')
      .map((method) => ({ ...base, target: target(inventory, `${method} one.internal/a/7`) })),
    fc.constantFrom(...UNHOLDABLE).map((text) => ({ ...base, query: text })),
    fc.constantFrom(...UNHOLDABLE).map((text) => ({ ...base, headers: new Map([['x-data-class', text]]) })),
    fc.constantFrom('fe80::1%1', 'no address').map((client) => ({ ...base, client })),
    fc.constantFrom(Number.NaN, -1, 1e18).map((now) => ({ ...base, now })),
    fc.constantFrom(0.5, 2 ** 53).map((risk) => ({ ...base, risk })),
    fc.constantFrom(0.5, 2 ** 53).map((n) => ({ ...base, numbers: new Map([['x-amount', n]]) })),
    odd.map((value) => ({ ...base, headers: new Map([['x-data-class', value]]) })),
    ...(task === null
      ? []
      : [
          fc
            .constantFrom(58.9, 59, 60, 61, 62)
            .map((s) => ({ ...base, task: { ...task, expiresAt: base.now / 1000 + s } })),
          odd.map((id) => ({ ...base, task: { ...task, id, subject: id } })),
          odd.map((issuer) => ({ ...base, task: { ...task, issuer } })),
          fc.constant({ ...base, task: null }),
          fc.constantFrom('reconcile', 'finance').map((purpose) => ({ ...base, task: { ...task, purpose } })),
          fc.constantFrom(...UNHOLDABLE).map((subject) => ({ ...base, task: { ...task, subject } })),
          fc.subarray(['other', 'read']).map((scopes) => ({ ...base, task: { ...task, scopes: scopes.toReversed() } })),
          fc
            .constantFrom(1 as const, 2 as const, 3 as const)
            .map((assurance) => ({ ...base, task: { ...task, assurance } })),
        ]),
  );
};

suite('decider', () => {
  test('what is left out, renamed and remembered changes no answer', () => {
    let [calls, asked, missed, errors] = [0, 0, 0, 0];
    const property = fc.property(policyFile, fc.nat(), (text, seed) => {
      const both = new Both(text);
      const bases = fc.sample(questions(both.inventory), { numRuns: PER_SET / 10, seed });
      for (const [index, base] of bases.entries()) {
        const variants = fc.sample(near(base, both), { numRuns: 9, seed: seed + index });
        for (const one of [base, ...variants]) {
          const answer = both.ask(one);
          calls++;
          if (answer.kind === 'answered' && answer.errors.length > 0) errors++;
        }
      }
      asked += both.asked;
      missed += both.missed;
    });
    fc.assert(property, { numRuns: Math.ceil(CALLS / PER_SET), endOnFailure: true });
    // The memory was used, and what fails to evaluate was met.
    const counted = { calls, asked, missed, errors };
    assert.ok(asked < calls * 0.7 && missed < calls * 0.8 && errors > calls / 500, JSON.stringify(counted));
  });

  test('each thing that a policy can read is told apart, where it is all that policies read', () => {
    let [calls, missed] = [0, 0];
    for (const [index, clause] of clauses.entries()) {
      const both = new Both(`@id("p") @trusts_issuer_chain permit (principal, action, resource) when { ${clause} };`);
      for (const base of fc.sample(questions(both.inventory), { numRuns: 2, seed: index })) {
        // Often enough for each value beside each other one, whichever of the two is asked first.
        for (const one of fc.sample(near(base, both), { numRuns: 20, seed: index })) both.ask(one);
        calls += 20;
      }
      missed += both.missed;
    }
    assert.ok(missed < calls * 0.7, JSON.stringify({ calls, missed }));
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
