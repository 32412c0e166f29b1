import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Quarantines } from './quarantines.ts';
import { assessmentOf, looksStolen } from './signals.ts';
import { type KnownWorkload, WorkloadBook } from './workload-book.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;
const NOW = Date.UTC(2026, 0, 5);
const scan = assessmentOf({
  'novel-endpoint': { points: 80, now: 22, requests: 24, usual: 0.001 },
  rate: { points: 16, now: 90, seconds: 10, usual: 20 },
  'new-network': { points: 10, now: 1, usual: 0 },
});

/** So many workloads of a book. */
function workloads(count: number): readonly KnownWorkload[] {
  const book = new WorkloadBook(1000, 1);
  const request = { api: 'host/api', isNewApi: false, writes: false, client: null };
  return Array.from({ length: count }, (_, n) => {
    const who = { id: `spiffe://prod.example/w${n}`, trustDomain: 'prod.example', groups: [] };
    return book.assess(who, request, NOW).known;
  });
}

suite('quarantines', () => {
  test('what looks stolen is a risk of 65 with two kinds of evidence; a scan alone is two', () => {
    const points = (novel: number, rate: number) =>
      looksStolen(
        assessmentOf({
          'novel-endpoint': { points: novel, now: 1, usual: 0 },
          rate: { points: rate, now: 1, usual: 0 },
        }),
      );
    assert.equal(points(79, 14), false, 'one kind');
    assert.equal(points(50, 15), true);
    assert.equal(points(49, 15), false, 'too little');
    assert.equal(points(80, 0), true);
  });

  test('the first takes a quarter of an hour, each further one twice as long, up to a day, until there was none for a week', () => {
    const [known] = workloads(1) as [KnownWorkload];
    const quarantines = new Quarantines();
    const minutes: number[] = [];
    let now = NOW;
    for (let n = 0; n < 9; n++) {
      const { untilMs = 0 } = quarantines.begin(known, scan, 100, now) ?? {};
      minutes.push((untilMs - now) / MINUTE);
      assert.equal(quarantines.of(known, untilMs - 1)?.untilMs, untilMs);
      assert.equal(quarantines.of(known, untilMs), null);
      now = untilMs + DAY;
    }
    assert.deepEqual(minutes, [15, 30, 60, 120, 240, 480, 960, 1440, 1440]);
    const { untilMs = 0 } = quarantines.begin(known, scan, 100, now + 8 * DAY) ?? {};
    assert.equal(untilMs - now - 8 * DAY, 15 * MINUTE);
  });

  test('at most five in an hour, and one or 2 % at once', () => {
    const known = workloads(10);
    const begun = (of: number) => {
      const quarantines = new Quarantines();
      return known.map((each) => quarantines.begin(each, scan, of, NOW) !== null);
    };
    assert.equal(begun(1000).filter(Boolean).length, 5);
    assert.equal(begun(200).filter(Boolean).length, 4);
    assert.equal(begun(10).filter(Boolean).length, 1);
    const [one, other] = workloads(2) as [KnownWorkload, KnownWorkload];
    const quarantines = new Quarantines();
    assert.ok(quarantines.begin(one, scan, 10, NOW));
    assert.ok(quarantines.begin(other, scan, 10, NOW + 15 * MINUTE), 'the first one has ended');
  });

  test('its reason is what was noticed, with the numbers', () => {
    const quarantine = new Quarantines().begin(workloads(1)[0]!, scan, 10, NOW);
    assert.equal(
      quarantine?.reason,
      'behaviour: novel-endpoint 80 (22 in 24 requests), rate 16 (90 in 10 s), new-network 10',
    );
  });

  test('one that has not ended goes on after a start, and none that has, or that no clock of ours could have begun', () => {
    const [known, other] = workloads(2) as [KnownWorkload, KnownWorkload];
    const { untilMs = 0 } = new Quarantines().begin(known, scan, 10, NOW) ?? {};
    assert.equal(new Quarantines().resume(known, NOW + MINUTE)?.untilMs, untilMs);
    assert.equal(new Quarantines().resume(known, untilMs), null);
    assert.equal(new Quarantines().resume(known, untilMs - 2 * DAY), null);
    assert.equal(new Quarantines().resume(other, NOW), null);
  });
});
