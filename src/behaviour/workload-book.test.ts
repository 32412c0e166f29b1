import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { BASELINE_BYTES } from './baseline.ts';
import { networkOf } from './network.ts';
import { type SeenRequest, type SeenWorkload, WorkloadBook } from './workload-book.ts';

const HOUR = 3_600_000;
const usual: SeenRequest = { api: 'host/api', isNewApi: false, writes: false, client: null };
const workload = (name: string, trustDomain = 'prod.example', groups: readonly string[] = []): SeenWorkload => ({
  id: `spiffe://${trustDomain}/${name}`,
  trustDomain,
  groups,
});

function play(book: WorkloadBook, who: SeenWorkload, requests: number, everyMs: number, fromMs = 0) {
  let found = null;
  for (let n = 1; n <= requests; n++) {
    const assessed = book.assess(who, { ...usual, api: `host/api${n % 7}` }, fromMs + n * everyMs);
    book.learn(assessed, 'allowed', fromMs + n * everyMs);
    found = assessed.found;
  }
  return found!;
}

suite('what is known of workloads', () => {
  test('a baseline takes less than 4 KB, and more workloads than are kept take no more', () => {
    assert.ok(BASELINE_BYTES <= 4096, String(BASELINE_BYTES));
    const book = new WorkloadBook(10, 1);
    for (let n = 0; n < 1000; n++) book.assess(workload(`w${n}`), usual, n);
    assert.deepEqual(book.load, { entries: 10, limit: 10, bytes: 10 * BASELINE_BYTES, byteLimit: 10 * BASELINE_BYTES });
  });

  test('a trust domain that names ever new workloads pushes out its own', () => {
    const book = new WorkloadBook(10, 1);
    for (const name of ['a', 'b', 'c']) book.assess(workload(name), usual, 0);
    for (let n = 0; n < 100; n++) book.assess(workload(`w${n}`, 'partner.example'), usual, n);
    const kept = [...book.all()].map(({ id }) => id);
    for (const name of ['a', 'b', 'c']) assert.ok(kept.includes(`spiffe://prod.example/${name}`));
    assert.ok(kept.includes('spiffe://partner.example/w99'), 'the one that was seen last stays');
  });

  test('a request whose workload made room meanwhile teaches nobody', () => {
    const book = new WorkloadBook(1, 1);
    const assessed = book.assess(workload('a'), usual, 0);
    book.assess(workload('b'), usual, 1);
    const [before] = book.all();
    book.learn(assessed, 'allowed', 2);
    assert.deepEqual([...book.all()], [before]);
  });

  test('who is new in a group of workloads that are known begins with what they know, and is known sooner', () => {
    const book = new WorkloadBook(10, 1);
    assert.equal(play(book, workload('old', 'prod.example', ['g']), 2400, 300_000).risk, 0);
    const later = 2400 * 300_000;
    const pupil = workload('new', 'prod.example', ['g']);
    assert.equal(play(book, pupil, 300, 300_000, later).risk, 0);
    assert.equal(play(book, workload('other'), 300, 300_000, later).risk, null);
    const [bytes] = [...book.all()].filter(({ id }) => id === pupil.id).map((stored) => stored.bytes);
    assert.ok(bytes !== undefined);
  });

  test('what is kept is restored, byte by byte, and it goes on at once', () => {
    const book = new WorkloadBook(10, 1);
    const who = workload('a', 'prod.example', ['g']);
    play(book, who, 2400, 300_000);
    const [stored] = book.all();
    const other = new WorkloadBook(10, 1);
    assert.ok(other.restore(stored!));
    const from = 2400 * 300_000 + 10 * HOUR;
    assert.equal(other.assess(who, usual, from).found.risk, 0);
    assert.deepEqual([...other.all()][0]?.groups, ['g']);
  });

  test('what is no baseline is not restored, and nothing of it stays', () => {
    const book = new WorkloadBook(1, 1);
    play(book, workload('a'), 10, 1000);
    const [stored] = book.all();
    const other = new WorkloadBook(1, 1);
    assert.equal(other.restore({ ...stored!, bytes: stored!.bytes.subarray(1) }), false);
    const wrong = Buffer.from(stored!.bytes);
    wrong.writeDoubleLE(Number.NaN, 8);
    assert.equal(other.restore({ ...stored!, bytes: wrong }), false);
    wrong.writeDoubleLE(-1, 8);
    assert.equal(other.restore({ ...stored!, bytes: wrong }), false);
    assert.equal(other.load.entries, 0);
    assert.ok(other.restore(stored!));
    assert.ok(other.restore({ ...stored!, id: 'spiffe://prod.example/b' }), 'it makes room');
    assert.equal(other.load.entries, 1);
  });

  test('a network is the first 24 bits, or 48, whatever way an address is written', () => {
    for (const [address, network] of [
      ['10.1.2.3', '10.1.2'],
      ['2001:db8:7::1', '2001:db8:7'],
      ['2001:0db8:0007:1:2:3:4:5', '2001:db8:7'],
      ['2001:db8::1', '2001:db8:0'],
      ['::1', '0:0:0'],
      ['::', '0:0:0'],
      ['2001::7:0:0:0:0:1', '2001:0:7'],
      ['fe80::1%eth0', null],
      ['10.1.2', null],
      ['x', null],
      ['', null],
      ['::ffff:10.1.2.3', null],
    ] as const)
      assert.equal(networkOf(address), network, address);
  });
});
