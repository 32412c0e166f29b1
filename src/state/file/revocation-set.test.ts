import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { atOnce } from '../../base/slices.ts';
import { bucketHash } from '../hash-chains.ts';
import { kindOf, type Revocation, subjectKey, subjectParts } from '../revocation.ts';
import { hits } from '../revocations.ts';
import { addToFront, decisiveRow } from './revocation-front.ts';
import { RevocationSet } from './revocation-set.ts';

const NOW = 1_800_000_000_000;
const OWNER = subjectKey('owner', 'payments');

const revocation = (over: Partial<Revocation> = {}): Revocation => ({
  id: 'r-1',
  kind: 'owner',
  subject: OWNER,
  issuedUpToMs: null,
  untilMs: NOW + 1000,
  reason: 'tested',
  by: 'security',
  ...over,
});
const evidence = (issuedAt: number | null, text = OWNER) => [
  { subjects: [{ text, hash: bucketHash(text) }], issuedAt },
];
const union = (a: RevocationSet, b: RevocationSet): RevocationSet => atOnce(a.with(b));

suite('find', () => {
  test('what it gives is what was put in', () => {
    const all = [revocation(), revocation({ id: 'r-2', issuedUpToMs: 5, subject: subjectKey('task', 'i', 'täsk') })];
    const given = all.map((one) => ({ ...one, kind: kindOf(one.subject) }));
    assert.deepEqual([...new RevocationSet(all).values()], given);
    assert.deepEqual(new RevocationSet(all).find(evidence(null), NOW), all[0]);
  });

  test('ends at its end', () => {
    const one = new RevocationSet([revocation()]);
    assert.equal(one.find(evidence(null), NOW + 999)?.id, 'r-1');
    assert.equal(one.find(evidence(null), NOW + 1000), null);
    assert.deepEqual([one.inForce(NOW + 999), one.inForce(NOW + 1000)], [1, 0]);
  });

  test('hits what was issued up to its moment and five seconds more, and what says no time', () => {
    const one = new RevocationSet([revocation({ issuedUpToMs: NOW })]);
    const hits = (issuedAt: number | null) => one.find(evidence(issuedAt), NOW) !== null;
    assert.deepEqual([NOW / 1000 + 5, NOW / 1000 + 5.001, null].map(hits), [true, false, true]);
    assert.equal(new RevocationSet([revocation()]).find(evidence(NOW), NOW)?.id, 'r-1', 'without a moment: all');
  });

  test('another revocation of the same subject hits where the last one does not', () => {
    const last = revocation({ id: 'r-3', untilMs: NOW });
    const all = [revocation({ issuedUpToMs: NOW }), revocation({ id: 'r-2', issuedUpToMs: NOW - 60_000 }), last];
    assert.equal(new RevocationSet(all).find(evidence(NOW / 1000), NOW)?.id, 'r-1');
  });

  test('of many of one subject it hits what any of them hits, and looks at few', () => {
    const times = fc.record({
      untilMs: fc.integer({ min: NOW, max: NOW + 6 }),
      issuedUpToMs: fc.option(fc.integer({ min: 0, max: 6 }).map((n) => n * 60_000)),
    });
    fc.assert(
      fc.property(fc.array(times, { maxLength: 12 }), fc.nat(7), fc.option(fc.nat(400)), (all, later, issuedAt) => {
        const rows = all.map((one, at) => revocation({ ...one, id: `r-${at}` }));
        const now = NOW + later;
        const found = new RevocationSet(rows).find(evidence(issuedAt), now);
        const any = rows.filter((row) => hits(row, issuedAt, now)).map(({ id }) => id);
        assert.ok(found === null ? any.length === 0 : any.includes(found.id));
      }),
    );
    let looks = 0;
    const size = 10_000;
    const ofRows = {
      untilMs: (row: number) => {
        looks++;
        return row;
      },
      issuedUpToMs: (row: number) => size - row,
    };
    const front: number[] = [];
    for (let row = 0; row < size; row++) addToFront(front, row, ofRows);
    assert.equal(front.length, size);
    looks = 0;
    assert.equal(decisiveRow(front, 7000, ofRows), 7001);
    assert.ok(looks <= 14, String(looks));
  });

  test('nothing else', () => {
    assert.equal(new RevocationSet([revocation()]).find(evidence(null, subjectKey('owner', 'support')), NOW), null);
    assert.equal(new RevocationSet([revocation()]).find([], NOW), null);
    assert.deepEqual([new RevocationSet().empty, new RevocationSet([revocation()]).empty], [true, false]);
  });
});

suite('both sets', () => {
  test('one entry in two readings: the longer end, and the later moment or none', () => {
    const one = (over: Partial<Revocation>) => new RevocationSet([revocation(over)]);
    const stricter = (a: Partial<Revocation>, b: Partial<Revocation>) => [...union(one(a), one(b)).values()];
    const [longer] = stricter({ untilMs: 5, issuedUpToMs: 9 }, { untilMs: 7, issuedUpToMs: 3, reason: 'new' });
    assert.deepEqual(longer, revocation({ untilMs: 7, issuedUpToMs: 9, reason: 'new' }));
    for (const [a, b] of [
      [null, 3],
      [3, null],
    ] as const)
      assert.equal(stricter({ issuedUpToMs: a }, { issuedUpToMs: b })[0]?.issuedUpToMs, null);
  });

  test('an id that names another subject now: both count', () => {
    const other = subjectKey('owner', 'support');
    const third = subjectKey('owner', 'platform');
    const both = union(new RevocationSet([revocation()]), new RevocationSet([revocation({ subject: other })]));
    assert.deepEqual(
      [...both.values()].map(({ subject }) => subject),
      [OWNER, other],
    );
    const again = union(both, new RevocationSet([revocation({ subject: third }), revocation({ subject: other })]));
    assert.deepEqual(
      [...again.values()].map(({ subject }) => subject),
      [OWNER, other, third],
    );
  });

  const entry = fc.record({
    id: fc.constantFrom('a', 'b', 'c'),
    subject: fc.constantFrom(OWNER, subjectKey('owner', 'support'), subjectKey('token', 'i', 'j')),
    untilMs: fc.integer({ min: NOW, max: NOW + 4 }),
    issuedUpToMs: fc.option(fc.integer({ min: 0, max: 3 }).map((n) => n * 60_000)),
  });
  const set = fc.array(entry.map(revocation), { maxLength: 8 });

  test('whatever either refuses, both do, and nothing else', () => {
    fc.assert(
      fc.property(set, set, entry, fc.option(fc.nat(300)), (a, b, { subject, untilMs: now }, issuedAt) => {
        const [older, newer] = [new RevocationSet(a), new RevocationSet(b)];
        const hit = (of: RevocationSet) => of.find(evidence(issuedAt, subject), now) !== null;
        const either = hit(older) || hit(newer);
        if (either) assert.ok(hit(union(older, newer)));
        else if (disjoint(a, b)) assert.ok(!hit(union(older, newer)));
      }),
    );
  });

  test('a change names what is new, what is otherwise, and what went before its end', () => {
    fc.assert(
      fc.property(set.filter(unique), set.filter(unique), (a, b) => {
        const keyed = (all: readonly Revocation[]) => new Map(all.map((one) => [`${one.id} ${one.subject}`, one]));
        const [was, is] = [keyed(a), keyed(b)];
        const ids = (keys: Iterable<string>) => [...keys].map((key) => key.split(' ')[0]).toSorted();
        const differs = (key: string) =>
          was.get(key)?.untilMs !== is.get(key)?.untilMs || was.get(key)?.issuedUpToMs !== is.get(key)?.issuedUpToMs;
        const before = [...was.keys()];
        const found = atOnce(new RevocationSet(b).since(new RevocationSet(a), NOW + 2));
        assert.deepEqual(
          {
            added: found.added.toSorted(),
            changed: found.changed.toSorted(),
            lifted: found.lifted.toSorted(),
          },
          {
            added: ids([...is.keys()].filter((key) => !was.has(key))),
            changed: ids(before.filter((key) => is.has(key) && differs(key))),
            lifted: ids(before.filter((key) => !is.has(key) && was.get(key)!.untilMs > NOW + 2)),
          },
        );
      }),
    );
  });

  test('what stands twice is lifted once', () => {
    const twice = new RevocationSet([revocation(), revocation({ untilMs: NOW + 5000 })]);
    assert.deepEqual(atOnce(new RevocationSet().since(twice, NOW)).lifted, ['r-1']);
    assert.deepEqual(atOnce(new RevocationSet([revocation()]).since(twice, NOW)).lifted, []);
  });
});

const unique = (all: readonly Revocation[]): boolean =>
  new Set(all.map(({ id, subject }) => `${id} ${subject}`)).size === all.length;
/** No entry of the one is in the other too: such a one may become stricter than both. */
const disjoint = (a: readonly Revocation[], b: readonly Revocation[]): boolean => unique([...a, ...b]);

test('a subject is taken apart again', () => {
  for (const [kind, ...parts] of [
    ['workload', 'spiffe://prod.example/a b'],
    ['owner', '["payments"]'],
    ['task', 'https://issuer', 'a "b" c'],
    ['token', 'sha256:00'],
    ['token', 'https://issuer', 'jti'],
    ['subject', 'i', 's'],
    ['key', 'thumb'],
  ] as const) {
    const subject = subjectKey(kind, ...parts);
    assert.deepEqual([kindOf(subject), ...subjectParts(subject)], [kind, ...parts]);
  }
});
