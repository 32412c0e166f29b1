import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../../src/base/fault.ts';
import { apiDigest, MAX_TOUCHED_APIS, type Touch, type TouchedRecord } from '../../src/state/bounded/touched.ts';
import type { ClaimResult } from '../../src/state/model.ts';
import { Claims, type StateSuite, type Stores } from './state-suite.ts';

const HOUR = 3_600_000;

/** What a test of one store touches and reads. */
class Accounts {
  readonly #stores: Stores;
  readonly claims: Claims;
  #uses = 0;

  constructor(stores: Stores) {
    this.#stores = stores;
    this.claims = new Claims(stores);
  }

  touch(key: string, sensitivity: number, names: readonly string[] = [], more: Partial<Touch> = {}): Touch {
    const now = this.#stores.now();
    return {
      key,
      history: this.#stores.states[0].history(),
      neededUntilMs: now + 24 * HOUR,
      untilMs: now + 30 * HOUR,
      sensitivity,
      apis: names.map(apiDigest),
      judgedBy: null,
      ...more,
    };
  }

  async record(touches: readonly Touch[], which = 0, use = this.claims.another(this.#uses++)): Promise<ClaimResult> {
    const { states, now } = this.#stores;
    return states[which % states.length]!.claim([], use, now(), touches);
  }

  async read(key: string, which = 0): Promise<TouchedRecord> {
    const { states, now } = this.#stores;
    const read = await states[which % states.length]!.touched([key], now());
    assert.ok(!(read instanceof Fault), JSON.stringify(read));
    return read[0]!;
  }
}

/** What holds of what was opened on accounts, in every store, as tests. */
export function touchedSuite({ name, skip = false, make }: StateSuite): void {
  const rule = (what: string, run: (accounts: Accounts, stores: Stores) => Promise<void>, maxAccounts = 1000) =>
    test(`${name}: ${what}`, { skip }, async (t) => {
      const stores = await make(t, 1000, 1000, maxAccounts);
      await run(new Accounts(stores), stores);
    });
  const digests = (...names: string[]) => new Set(names.map(apiDigest));

  rule('nothing was opened on an account that nobody touched', async (accounts) => {
    assert.deepEqual(await accounts.read('agent'), { sensitivity: 0, apis: new Set(), version: '' });
  });

  rule('what one sidecar records, another reads: the highest sensitivity, and every api', async (accounts) => {
    await accounts.record([accounts.touch('agent', 2, ['crm/customers']), accounts.touch('task', 2)]);
    await accounts.record([accounts.touch('agent', 1, ['crm/tickets'])], 1);
    const { sensitivity, apis } = await accounts.read('agent', 1);
    assert.deepEqual({ sensitivity, apis }, { sensitivity: 2, apis: digests('crm/customers', 'crm/tickets') });
    assert.deepEqual((await accounts.read('task', 1)).sensitivity, 2);
    assert.deepEqual((await accounts.read('other', 1)).sensitivity, 0);
  });

  rule('what was opened after it was read makes the claim of the reader void', async (accounts) => {
    const judgedBy = { sensitivity: 0, version: null };
    const write = accounts.touch('agent', 0, [], { judgedBy });
    assert.equal((await accounts.record([write], 1)).result, 'fresh');
    await accounts.record([accounts.touch('agent', 1)]);
    assert.deepEqual(await accounts.record([write], 1), { result: 'grown' });
    const again = accounts.touch('agent', 0, [], { judgedBy: { sensitivity: 1, version: null } });
    assert.deepEqual(await accounts.record([again], 1), { result: 'fresh', touchedUntil: [0] });
  });

  rule('a claim that is void by what was opened uses nothing up and records nothing', async (accounts, stores) => {
    await accounts.record([accounts.touch('agent', 3)]);
    const judgedBy = { sensitivity: 1, version: null };
    const touches = [accounts.touch('task', 2, ['x/y']), accounts.touch('agent', 0, [], { judgedBy })];
    const { claims } = accounts;
    const claim = (which: readonly Touch[]) =>
      stores.states[0].claim([claims.claim('proof'), claims.count('calls', 1)], claims.use, stores.now(), which);
    assert.equal((await claim(touches)).result, 'grown');
    assert.equal((await accounts.read('task')).sensitivity, 0);
    assert.equal((await claim([])).result, 'fresh');
  });

  rule('another api voids what was judged by apis, and the same again does not', async (accounts) => {
    await accounts.record([accounts.touch('agent', 1, ['a/b'])]);
    const { version } = await accounts.read('agent');
    assert.notEqual(version, '');
    const write = accounts.touch('agent', 0, [], { judgedBy: { sensitivity: 1, version } });
    await accounts.record([accounts.touch('agent', 1, ['a/b'])], 1);
    assert.equal((await accounts.record([write])).result, 'fresh');
    await accounts.record([accounts.touch('agent', 1, ['a/c'])], 1);
    assert.equal((await accounts.record([write])).result, 'grown');
    const first = accounts.touch('new', 0, [], { judgedBy: { sensitivity: 0, version: '' } });
    assert.equal((await accounts.record([first])).result, 'fresh');
    await accounts.record([accounts.touch('new', 1, ['a/b'])], 1);
    assert.equal((await accounts.record([{ ...first, judgedBy: { sensitivity: 1, version: '' } }])).result, 'grown');
  });

  rule('of two that read before the other recorded, one is judged again', async (accounts) => {
    const judgedBy = { sensitivity: 0, version: '' };
    const both = [0, 1].map((which) =>
      accounts.record([accounts.touch('agent', 2, [`api/${which}`], { judgedBy })], which),
    );
    const results = (await Promise.all(both)).map(({ result }) => result);
    assert.deepEqual(results.toSorted(), ['fresh', 'grown']);
  });

  rule('a retry of the Check that recorded has the same answer', async (accounts, stores) => {
    const { claims } = accounts;
    const touches = [accounts.touch('agent', 2, ['a/b'], { judgedBy: { sensitivity: 0, version: '' } })];
    const run = (which: number) =>
      stores.states[which % stores.states.length]!.claim([claims.claim('p')], claims.use, stores.now(), touches);
    assert.equal((await run(0)).result, 'fresh');
    assert.equal((await run(1)).result, 'same');
  });

  rule('what is given back stays touched', async (accounts, stores) => {
    const { claims } = accounts;
    const [state] = stores.states;
    const claim = claims.claim('p');
    await state.claim([claim], claims.use, stores.now(), [accounts.touch('agent', 2)]);
    state.giveBack([claim], claims.use);
    assert.equal((await accounts.read('agent')).sensitivity, 2);
  });

  rule('it is remembered as long as is needed, and then counts no more', async (accounts, { now, pass }) => {
    const at = now();
    const brief = { neededUntilMs: at + 1000, untilMs: at + 2000 };
    const recorded = await accounts.record([accounts.touch('agent', 2, ['a/b'], brief)]);
    assert.deepEqual(recorded, { result: 'fresh', touchedUntil: [at + 2000] });
    const longer = await accounts.record([accounts.touch('task', 1, [], { ...brief, neededUntilMs: at + 2000 })]);
    assert.deepEqual(longer, { result: 'fresh', touchedUntil: [at + 2000] });
    assert.equal((await accounts.read('agent')).sensitivity, 2);
    pass(2500);
    if (name === 'memory') {
      const { sensitivity, apis } = await accounts.read('agent');
      assert.deepEqual({ sensitivity, apis }, { sensitivity: 0, apis: new Set() });
    }
  });

  rule('what is remembered long enough is not written again, and else longer', async (accounts) => {
    const first = accounts.touch('agent', 1, ['a/b']);
    await accounts.record([first]);
    const early = await accounts.record([{ ...first, untilMs: first.untilMs + HOUR }]);
    assert.deepEqual(early, { result: 'fresh', touchedUntil: [first.untilMs] });
    const later = { ...first, neededUntilMs: first.untilMs + 1, untilMs: first.untilMs + HOUR };
    assert.deepEqual(await accounts.record([later]), { result: 'fresh', touchedUntil: [later.untilMs] });
  });

  rule('an account with more apis than are told apart has opened all', async (accounts) => {
    const names = Array.from({ length: MAX_TOUCHED_APIS }, (_, n) => `host/api-${n}`);
    for (let n = 0; n < names.length; n += 16)
      await accounts.record([accounts.touch('agent', 1, names.slice(n, n + 16))]);
    assert.deepEqual((await accounts.read('agent')).apis, digests(...names));
    await accounts.record([accounts.touch('agent', 1, ['host/one-more'])]);
    const { apis, version } = await accounts.read('agent', 1);
    assert.equal(apis, 'all');
    await accounts.record([accounts.touch('agent', 1, ['host/and-another', 'host/api-1'])]);
    assert.equal((await accounts.read('agent')).version, version, 'all is all');
  });

  rule(
    'where there are too many accounts nothing more is recorded, and no caller fills them alone',
    async (accounts) => {
      const by = (caller: string, key: string) =>
        accounts.record([accounts.touch(key, 1)], 0, accounts.claims.by(`spiffe://prod.example/${caller}`));
      for (const key of ['1', '2', '3', '4']) assert.equal((await by('flood', key)).result, 'fresh');
      assert.equal((await by('flood', '5')).result, 'unavailable');
      assert.equal((await by('flood', '4')).result, 'fresh', 'one that is there');
      assert.equal((await by('other', '6')).result, 'fresh');
      assert.equal((await accounts.read('5')).sensitivity, 0);
      const compared = accounts.touch('7', 0, [], { judgedBy: { sensitivity: 0, version: null } });
      assert.equal(
        (await accounts.record([compared], 0, accounts.claims.by('spiffe://prod.example/flood'))).result,
        'fresh',
      );
    },
    8,
  );

  rule('accounts are counted', async (accounts, { states: [state] }) => {
    await accounts.record([accounts.touch('a', 1), accounts.touch('b', 1)]);
    await accounts.record([accounts.touch('b', 2)]);
    const loadOf = () => state.touchedLoad?.entries;
    for (let waited = 0; loadOf() !== 2 && waited < 5000; waited += 50)
      await new Promise((done) => setTimeout(done, 50));
    assert.equal(loadOf(), 2);
  });

  rule('one account twice, or one without an end, is refused', async (accounts) => {
    const touch = accounts.touch('agent', 1);
    for (const touches of [[touch, touch], [{ ...touch, untilMs: Number.POSITIVE_INFINITY }]])
      assert.equal((await accounts.record(touches)).result, 'unavailable');
  });
}
