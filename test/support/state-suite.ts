import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Claim, ClaimResult, State, Use } from '../../src/state/model.ts';

/** Stores of one kind that share what they remember, as sidecars of one fleet do; of a memory there is only one. */
export interface Stores {
  readonly states: readonly [State, ...State[]];
  /** Milliseconds since the epoch, as all of them see it. */
  readonly now: () => number;
  /** Moves that clock, by less than the skew that is allowed. */
  readonly pass: (milliseconds: number) => void;
}

export interface StateSuite {
  readonly name: string;
  readonly skip?: string | false;
  readonly make: (
    t: TestContext,
    maxEntries: number,
    maxCounts: number,
    maxAccounts?: number,
  ) => Promise<Stores> | Stores;
}

/** What a test of one store needs. */
export class Claims {
  readonly #stores: Stores;
  readonly use: Use;

  constructor(stores: Stores) {
    this.#stores = stores;
    this.use = {
      requestId: '7',
      caller: 'spiffe://prod.example/agent',
      checkPeer: 'spiffe://prod.example/envoy',
      digest: 'd1',
      deadline: stores.now() + 2000,
      judgedBy: 'r1',
    };
  }

  claim(key: string, until = this.#stores.now() + 60_000): Claim {
    return { key, until, history: this.#stores.states[0].history() };
  }

  /** One use of so many; with a member, of so many distinct ones. */
  count(key: string, limit: number, member: string | null = null): Claim {
    return { ...this.claim(key), count: { limit, member } };
  }

  another(n: number): Use {
    return { ...this.use, requestId: `other-${n}` };
  }

  by(caller: string): Use {
    return { ...this.use, caller };
  }

  /** Claims on one of the stores, the first where none is named. */
  async on(keys: readonly (string | Claim)[], use = this.use, which = 0): Promise<ClaimResult> {
    const claims = keys.map((key) => (typeof key === 'string' ? this.claim(key) : key));
    const { states, now } = this.#stores;
    return states[which % states.length]!.claim(claims, use, now());
  }

  async result(keys: readonly (string | Claim)[], use = this.use, which = 0): Promise<ClaimResult['result']> {
    return (await this.on(keys, use, which)).result;
  }
}

/** What holds for every store, as tests. */
export function stateSuite({ name, skip = false, make }: StateSuite): void {
  const rule = (what: string, run: (claims: Claims, stores: Stores) => Promise<void>, maxEntries = 20_000) =>
    test(`${name}: ${what}`, { skip }, async (t) => {
      const stores = await make(t, maxEntries, 0);
      await run(new Claims(stores), stores);
    });

  rule('10,000 concurrent uses of one proof: exactly one is fresh', async (claims, { states, now }) => {
    const claim = claims.claim('proof');
    const outcomes: ClaimResult[] = [];
    // No more at once than may wait for a store.
    for (let n = 0; n < 10_000; n += 500) {
      const batch = Array.from({ length: 500 }, (_, i) =>
        states[(n + i) % states.length]!.claim([claim], { ...claims.use, requestId: String(n + i) }, now()),
      );
      outcomes.push(...(await Promise.all(batch)));
    }
    assert.equal(outcomes.filter(({ result }) => result === 'fresh').length, 1);
    assert.equal(outcomes.filter(({ result }) => result === 'replayed').length, 9_999);
  });

  rule('Envoy’s retry of one Check gets the same answer again, from whatever sidecar', async (claims, { pass }) => {
    assert.equal(await claims.result(['a', 'b']), 'fresh');
    for (const which of [0, 1, 0]) assert.equal(await claims.result(['a', 'b'], claims.use, which), 'same');
    pass(200);
    const later = { ...claims.use, deadline: claims.use.deadline + 200 };
    assert.equal(await claims.result(['a', 'b'], later, 1), 'same');
  });

  for (const [what, changes, later] of [
    ['another request', { requestId: '8' }, 0],
    ['another caller', { caller: 'spiffe://prod.example/other' }, 0],
    ['another check port client', { checkPeer: null }, 0],
    ['other attributes', { digest: 'd2' }, 0],
    ['another snapshot or other revocations', { judgedBy: 'r2' }, 0],
    ['after the first deadline', { deadline: Date.now() + 60_000 }, 2001],
  ] as const) {
    rule(`${what} is no retry`, async (claims, { pass }) => {
      await claims.on(['a']);
      assert.equal(await claims.result(['a']), 'same');
      pass(later);
      assert.deepEqual(await claims.on(['a'], { ...claims.use, ...changes }, 1), { result: 'replayed', key: 'a' });
    });
  }

  for (const changes of [{ requestId: '' }, { deadline: Number.POSITIVE_INFINITY }]) {
    rule(`a Check with ${JSON.stringify(Object.keys(changes))} unset has no retries`, async (claims) => {
      await claims.on(['a'], { ...claims.use, ...changes });
      assert.equal(await claims.result(['a'], { ...claims.use, ...changes }), 'replayed');
    });
  }

  rule('all keys are claimed, or none', async (claims) => {
    await claims.on(['a']);
    assert.deepEqual(await claims.on(['b', 'a'], claims.another(1)), { result: 'replayed', key: 'a' });
    assert.equal(await claims.result(['b'], claims.another(2)), 'fresh');
  });

  rule('a retry that wants more than it claimed before is none', async (claims) => {
    await claims.on(['a']);
    assert.deepEqual(await claims.on(['b', 'a']), { result: 'replayed', key: 'a' });
    assert.equal(await claims.result(['b'], claims.another(1)), 'fresh');
  });

  rule(
    'a full store refuses, and drops no live key',
    async (claims, { states }) => {
      assert.equal(await claims.result(['a'], claims.by('a')), 'fresh');
      assert.equal(await claims.result(['b'], claims.by('b')), 'fresh');
      assert.equal(await claims.result(['c'], claims.by('c')), 'unavailable');
      assert.equal(await claims.result(['a'], claims.another(2)), 'replayed');
      states[0].giveBack([claims.claim('z')], claims.by('b'));
      assert.equal(await claims.result(['b'], claims.another(3)), 'replayed');
    },
    2,
  );

  rule(
    'no caller fills the store alone, nor do several: each leaves as much as it takes',
    async (claims) => {
      const fill = async (caller: string) => {
        for (let n = 0; ; n++) {
          if ((await claims.result([`${caller} ${n}`], claims.by(caller))) === 'unavailable') return n;
        }
      };
      assert.equal(await fill('a'), 48);
      assert.equal(await fill('b'), 24);
      assert.equal(await fill('c'), 12);
      assert.equal(await claims.result(['x', 'y'], claims.by('d')), 'fresh');
      assert.equal(await claims.result(['z'], claims.by('a')), 'unavailable');
    },
    96,
  );

  rule('what is given back can be used once more; what a retry lives by stays used', async (claims, { states }) => {
    const [first] = states;
    const both = [claims.claim('a'), claims.claim('b')];
    await claims.on(both);
    first.giveBack(both, claims.use);
    assert.equal(await claims.result(both, claims.another(1)), 'fresh');
    assert.equal(await claims.result(both, claims.another(2)), 'replayed');
    assert.equal(await claims.result(both, claims.another(1), 1), 'same');
    first.giveBack(both, claims.another(1));
    assert.equal(await claims.result(both, claims.another(3)), 'replayed');
  });

  rule('one key twice in one claim is no claim', async (claims) => {
    assert.equal(await claims.result(['a', 'a']), 'unavailable');
    assert.equal(await claims.result(['a']), 'fresh');
  });

  rule('a window without an end is not claimed, nor one that ended long ago', async (claims, { now }) => {
    await claims.on([claims.claim('before', now() - 4000)], claims.another(1));
    for (const end of [Number.NaN, Number.POSITIVE_INFINITY])
      assert.equal(await claims.result([claims.claim('a', end)]), 'unavailable');
  });
}
