import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { settings, sourcesOf, target, task, workload } from '../../../test/support/policy.ts';
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
  ask(asked: Question): ReturnType<Decider['ask']> {
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

/** Questions that differ from one in one thing: values at and beside everything that a clause compares with, and odd names. */
function variants(base: Question, { inventory }: Both): readonly Question[] {
  const instant = Date.UTC(2026, 10, 25, 10);
  const odd = ['#0', '#1', '##0', '__proto__', '', 'x'];
  const at = (request: string): Partial<Question> => ({ target: target(inventory, request) });
  const paths = ['a/7', 'a/8', 'a/7/b', 'a/7/b/more', 'a', 'ab', ''].map((path) => `GET one.internal/${path}`);
  const requests = [
    ...paths,
    'PUT one.internal/a/7',
    'HEAD one.internal/a/7',
    'POST one.internal/c',
    'GET two.internal/a/b',
    'GET two.internal/c',
  ];
  const { task, chain } = base;
  const tasks: Partial<NonNullable<Question['task']>>[] = [
    ...[58.9, 59, 60, 61, 62].map((left) => ({ expiresAt: base.now / 1000 + left })),
    ...odd.map((id) => ({ id })),
    ...[...odd, ...UNHOLDABLE, null].map((subject) => ({ subject })),
    ...odd.map((issuer) => ({ issuer })),
    ...[[], ['read'], ['other'], ['read', 'other']].map((scopes) => ({ scopes })),
    ...([1, 2, 3] as const).map((assurance) => ({ assurance })),
    ...['reconcile', 'finance', 'business'].map((purpose) => ({ purpose })),
  ];
  const changes: Partial<Question>[] = [
    {},
    ...[-1, 0, 1].map((ms) => ({ now: instant + ms })),
    ...[9, 10, 11, 0.5, 2 ** 53].map((n) => ({ numbers: new Map([['x-amount', n]]) })),
    ...[49, 50, 51, 0.5, 2 ** 53, null].map((risk) => ({ risk })),
    ...[59, 60, 61, null].map((credentialAge) => ({ credentialAge })),
    ...[...odd, ...UNHOLDABLE, null].map((query) => ({ query })),
    ...[...odd, ...UNHOLDABLE, 'low', 'pci'].map((value) => ({ headers: new Map([['x-data-class', value]]) })),
    { headers: new Map(), numbers: new Map() },
    ...odd.map((id) => ({ declared: { id, purpose: 'finance' } })),
    { declared: { id: '', purpose: '' } },
    { declared: null },
    ...['10.0.0.1', '192.0.2.1', '::1', 'fe80::1%1', 'no address', null].map((client) => ({ client })),
    ...[true, false, null].map((inNetworks) => ({ inNetworks })),
    ...[[], ['resource-owner'], ['x']].map((names) => ({ approvals: new Set(names) })),
    ...[[], ['burst'], ['x']].map((names) => ({ signals: new Set(names) })),
    ...(['caller', 'originator', 'intermediary'] as const).map((role) => ({ role })),
    ...(['delegated', 'oidc', 'x509-svid'] as const).map((credential) => ({ credential })),
    ...requests.map(at),
    ...[Number.NaN, -1, 1e18].map((now) => ({ now })),
    { chain: [chain[0]], hop: chain[0] },
    ...chain.map((hop) => ({ hop })),
    { chain: chain.toReversed() as unknown as Question['chain'] },
    ...(task === null ? [] : [{ task: null }, ...tasks.map((change) => ({ task: { ...task, ...change } }))]),
  ];
  return changes.map((change) => ({ ...base, ...change }));
}

/** A question of which everything is known, in a chain of three. */
function knowingAll(some: Question, { inventory }: Both): Question {
  const chain = ['/ns/a/sa/x', '/ns/a/sa/xy', '/ns/a'].map((path) =>
    workload(inventory, `spiffe://prod.example${path}`),
  );
  return {
    ...some,
    chain: chain as unknown as Question['chain'],
    hop: chain[0]!,
    role: 'originator',
    credential: 'delegated',
    target: target(inventory, 'GET one.internal/a/9'),
    task: task({ purpose: 'reconcile', expiresAt: some.now / 1000 + 300 }),
    declared: { id: 'd', purpose: 'finance' },
    client: '10.0.0.1',
    query: 'x',
    headers: new Map([['x-data-class', 'low']]),
    numbers: new Map([['x-amount', 11]]),
    inNetworks: true,
    credentialAge: 30,
    approvals: new Set(),
    risk: 10,
    signals: new Set(),
  };
}

suite('decider', () => {
  test('what is left out, renamed and remembered changes no answer', () => {
    let [calls, asked, missed, errors] = [0, 0, 0, 0];
    const property = fc.property(policyFile, fc.nat(), (text, seed) => {
      const both = new Both(text);
      const bases = fc.sample(questions(both.inventory), { numRuns: PER_SET / 10, seed });
      for (const [index, base] of bases.entries()) {
        const others = fc.sample(fc.constantFrom(...variants(base, both)), { numRuns: 9, seed: seed + index });
        for (const one of [base, ...others]) {
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
      const [some] = fc.sample(questions(both.inventory), { numRuns: 1, seed: index });
      for (const one of variants(knowingAll(some!, both), both)) {
        both.ask(one);
        calls++;
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
      bytes.push(both.decider.load.bytes);
    }
    assert.ok(Math.max(...bytes) <= REMEMBERED_BYTES + 50_000, `${Math.max(...bytes)}`);
    assert.ok(bytes.at(-1)! > REMEMBERED_BYTES / 4, 'something is remembered');
  });
});
