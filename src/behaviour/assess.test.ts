import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { type SeenRequest, type SeenWorkload, WorkloadBook } from './workload-book.ts';

const DAY = 86_400_000;
const MONDAY = Date.UTC(2026, 0, 5);
const who: SeenWorkload = { id: 'spiffe://prod.example/a', trustDomain: 'prod.example', groups: [] };
const usual: SeenRequest = { api: 'host/api0', isNewApi: false, writes: false, client: '10.0.0.7' };

/** A workload that sent a request every five minutes of its days, over twelve apis. */
class Played {
  readonly book = new WorkloadBook(10, 1);
  now = MONDAY;

  constructor(days = 20, caller = who) {
    for (const end = this.now + days * DAY; this.now < end; )
      this.ask({ api: `host/api${(this.now / 300_000) % 12}` }, 300_000, caller);
  }

  ask(more: Partial<SeenRequest> = {}, afterMs = 10_000, caller = who, refused = false) {
    this.now += afterMs;
    const assessed = this.book.assess(caller, { ...usual, ...more }, this.now);
    this.book.learn(assessed, refused ? 'refused-as-a-thief' : 'allowed', this.now);
    return assessed.found;
  }
}

suite('what is remarkable', () => {
  test('nothing is known before seven days and 2000 requests', () => {
    const played = new Played(6);
    assert.equal(played.ask().risk, null);
    for (let n = 0; n < 50; n++) assert.equal(played.ask({ api: `host/new${n}` }).risk, null);
    for (let n = 0; n < 400; n++) played.ask({}, 300_000);
    assert.deepEqual(played.ask().risk, 0);
  });

  test('each new api counts once: five of a deployment are nothing, twelve in a row are a signal with its numbers', () => {
    const played = new Played();
    for (let n = 0; n < 5; n++) for (let again = 0; again < 3; again++) played.ask({ api: `host/deployed${n}` });
    assert.equal(played.ask().risk, 0);
    const thief = new Played();
    for (let n = 0; n < 11; n++) thief.ask({ api: `host/hidden${n}` }, 60_000);
    const found = thief.ask({ api: 'host/hidden11' }, 60_000);
    assert.deepEqual(found.signals, ['novel-endpoint']);
    const { usual: share = 1, ...numbers } = found.why['novel-endpoint'] ?? {};
    assert.deepEqual(numbers, { points: found.risk, now: 12, requests: 12 });
    assert.ok(share < 0.01);
    assert.ok(found.risk! >= 15 && found.risk! < 40);
  });

  test('the request that crosses a threshold is counted in before its verdict', () => {
    const played = new Played();
    const risks = Array.from({ length: 30 }, (_, n) => played.ask({ api: `host/hidden${n}` }, 60_000).risk!);
    assert.deepEqual(
      risks,
      risks.toSorted((a, b) => a - b),
      'no request makes it less',
    );
    assert.ok(risks.at(-1)! >= 80);
  });

  test('an api that is explained by a deployment counts a quarter', () => {
    const played = new Played();
    for (let n = 0; n < 25; n++) assert.equal(played.ask({ api: `host/new${n}`, isNewApi: true }, 60_000).risk, 0);
  });

  test('an api that three workloads of a group begin to use within an hour counts a quarter for those that follow', () => {
    const group = ['billing'];
    const callers = [0, 1, 2, 3].map((n) => ({ ...who, id: `spiffe://prod.example/${n}`, groups: group }));
    const played = new Played(20, callers[3]);
    for (let n = 0; n < 25; n++) {
      for (const caller of callers.slice(0, 3)) played.ask({ api: `host/new${n}` }, 1000, caller);
      assert.equal(played.ask({ api: `host/new${n}` }, 60_000, callers[3]).risk, 0);
    }
  });

  test('refusals that a thief gets count once for each api, after their answer', () => {
    const played = new Played();
    for (let n = 0; n < 100; n++) assert.equal(played.ask({}, 10_000, who, true).risk, 0);
    for (let n = 0; n < 8; n++) played.ask({ api: `host/api${n}` }, 10_000, who, true);
    assert.equal(played.ask().risk, 0);
    for (let n = 0; n < 40; n++) played.ask({ api: `host/secret${n}` }, 60_000, who, true);
    assert.ok(played.ask().signals.includes('refusals'));
  });

  test('only writes, of a workload that hardly wrote, are a signal', () => {
    const played = new Played();
    const found = Array.from({ length: 20 }, () => played.ask({ writes: true })).at(-1)!;
    assert.deepEqual(found.signals, ['write-shift']);
  });

  test('another network alone is told, and is no signal; at an hour in which it never came it is', () => {
    const played = new Played();
    const other = played.ask({ client: '203.0.113.9' });
    assert.deepEqual([other.risk, other.signals, other.why['new-network']?.points], [10, [], 10]);
    assert.equal(played.ask().risk, 10, 'for ten minutes');
    assert.equal(played.ask({}, 600_000).risk, 0);
    assert.equal(played.ask({ client: '203.0.113.77' }).risk, 0, 'the same 24 bits are known');
  });

  test('a burst beyond all that came in a month is a signal; the same again is not, once it was learned', () => {
    const played = new Played();
    for (let n = 0; n < 100; n++) played.ask({}, 5);
    const burst = Array.from({ length: 400 }, () => played.ask({}, 5)).at(-1)!;
    assert.ok(burst.signals.includes('rate'), JSON.stringify(burst));
    assert.deepEqual([burst.why.rate?.seconds, burst.why.rate?.usual], [10, 20]);
    played.ask({}, 120_000);
    assert.equal(played.ask({}, 120_000).risk, 0);
  });

  test('a ceiling at most doubles in a day, however calm the growth is', () => {
    const played = new Played();
    for (let n = 0; n < 5; n++) {
      for (let more = 0; more < 200; more++) played.ask({}, 300);
      played.ask({}, 120_000);
    }
    const found = Array.from({ length: 600 }, () => played.ask({}, 50)).at(-1)!;
    assert.ok((found.why.rate?.usual ?? 999) <= 240, JSON.stringify(found.why));
  });

  test('clock steps make no burst, no age and no score', () => {
    const back = new Played();
    for (let n = 0; n < 50; n++) assert.equal(back.ask({}, n % 2 === 0 ? -3_600_000 : 10_000).risk, 0);
    const young = new Played(3);
    for (let n = 0; n < 3; n++) young.ask({}, 365 * DAY);
    for (let n = 0; n < 2000; n++) young.ask({}, 1000);
    assert.equal(young.ask().risk, null, 'a year that a clock jumped is an hour');
  });

  test('what is remarkable teaches nothing: a scan is not known when it comes again', () => {
    const played = new Played();
    for (let n = 0; n < 40; n++) played.ask({ api: `host/hidden${n}` }, 60_000);
    assert.ok(played.ask().risk! >= 80);
    for (let n = 0; n < 400; n++) played.ask({ api: `host/api${n % 12}` }, 10_000);
    assert.equal(played.ask().risk, 0, 'usual requests calm it down');
  });

  test('who asks for 5 % more each day for ten days is usual at each step, which is known and told', () => {
    const played = new Played();
    let perDay = 288;
    for (let day = 0; day < 10; day++) {
      perDay *= 1.05;
      for (let n = 0; n < perDay; n++) {
        const found = played.ask({ api: `host/api${n % 12}` }, DAY / perDay);
        assert.equal(found.risk, 0, `day ${day}`);
      }
    }
    assert.ok(perDay > 288 * 1.6);
  });

  test('who baits has itself noticed, and nobody else of its group', () => {
    const group = ['billing'];
    const [bait, victim] = ['bait', 'victim'].map((n) => ({ ...who, id: `spiffe://prod.example/${n}`, groups: group }));
    const played = new Played(20, victim);
    const end = played.now;
    played.now -= 20 * DAY;
    while (played.now < end) played.ask({ api: `host/api${(played.now / 300_000) % 12}` }, 300_000, bait);
    let noticed = 0;
    for (let n = 0; n < 40; n++) noticed = played.ask({ api: `host/hidden${n}` }, 60_000, bait).risk ?? 0;
    assert.ok(noticed >= 80);
    assert.equal(played.ask({}, 1000, victim).risk, 0);
  });

  test('the line of docs/behaviour.md is what 16 new apis in 18 requests give', () => {
    const text = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'behaviour.md'), 'utf8');
    const { behaviour } = JSON.parse(/```json line\n(.*)\n```/.exec(text)?.[1] ?? '');
    const played = new Played();
    let found = played.ask();
    for (let n = 0; n < 18; n++)
      found = played.ask({ api: n === 8 || n === 16 ? 'host/api1' : `host/hidden${n}` }, 60_000);
    const { risk, signals, why } = found;
    assert.deepEqual({ risk, signals, why, would: behaviour.would }, behaviour);
  });
});
