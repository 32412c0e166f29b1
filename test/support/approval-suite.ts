import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  type ApprovalBook,
  type ApprovalState,
  ASK_MS,
  MAX_PENDING,
  MAX_PENDING_OF_CALLER,
  REST_MS,
} from '../../src/state/approvals/book.ts';
import { BEGINNING } from '../../src/state/approvals/break-glass.ts';
import type { ApprovalOrder } from '../../src/state/approvals/order.ts';
import { stateOfRequest } from '../../src/state/approvals/request-state.ts';
import { ANN, ASKING, approvalOrder, askedFor, BOB, glassBy, reviewBy, yes } from './approvals.ts';
import { until } from './until.ts';

/** Books that share what was asked, as the processes of one fleet do; of a memory there is only one. */
type Books = readonly [ApprovalBook, ...ApprovalBook[]];

interface ApprovalSuite {
  readonly name: string;
  readonly covers: 'this process' | 'store';
  readonly skip?: string | false;
  readonly make: (t: TestContext) => Promise<Books>;
}

const HOUR_MS = 3_600_000;
const NO = { kind: 'refused', by: ANN, reason: 'nobody knows this invoice' } as const;
const other = (n: number, over: Partial<ApprovalOrder> = {}) => approvalOrder({ path: `/refunds/${n}`, ...over });
const stateIn = (book: ApprovalBook, id: string, nowMs = Date.now()): ApprovalState | null => {
  const request = book.find(id);
  return request === null ? null : stateOfRequest(request, nowMs);
};

/** The tests that every book of approvals passes. */
export function approvalSuite({ name, covers, skip = false, make }: ApprovalSuite): void {
  const check = (what: string, run: (first: ApprovalBook, other: ApprovalBook, all: Books) => Promise<void>) =>
    test(`${name}: ${what}`, { skip }, async (t) => {
      const books = await make(t);
      await run(books[0], books.at(-1)!, books);
    });
  const everywhere = async (books: Books, id: string, state: ApprovalState): Promise<void> => {
    for (const book of books) await until(`it is ${state}`, () => (stateIn(book, id) === state ? true : null));
  };

  check(
    'the same request is asked once, with all that is shown of it; another one is another',
    async (one, two, all) => {
      const order = approvalOrder();
      const id = await askedFor(one, order);
      await everywhere(all, id, 'pending');
      assert.equal(await askedFor(two, order), id);
      assert.notEqual(await askedFor(two, other(1)), id);
      for (const book of all) {
        assert.deepEqual(book.find(id)?.order, order);
        assert.equal(book.find('another'), null);
        assert.deepEqual(book.grantsOf(order.digest, Date.now()), []);
      }
    },
  );

  check('an order that is not true to its digest is not taken', async (one) => {
    const order = approvalOrder();
    for (const lie of [
      { ...order, path: '/salaries' },
      { ...order, task: { ...order.task!, subject: 'mallory' } },
      { ...order, body: { ...order.body!, shown: '{"amount":21}' } },
    ])
      assert.equal((await one.ask(lie, Date.now())).result, 'unavailable');
    assert.equal((await one.ask(order, Date.now())).result, 'pending');
  });

  check('one yes grants it for so many uses and so long, everywhere, and is counted once', async (one, two, all) => {
    const id = await askedFor(one);
    await everywhere(all, id, 'pending');
    const now = Date.now();
    const result = await two.grant(yes(id, { uses: 3 }), now);
    assert.ok(result.result === 'stored' && result.covers === covers, JSON.stringify(result));
    await everywhere(all, id, 'granted');
    const { digest, approvals } = approvalOrder();
    const grant = { id, digest, approvals, uses: 3, untilMs: now + 600_000, grantedAtMs: now, by: [ANN] };
    for (const book of all) {
      assert.deepEqual(book.grantsOf(digest, now), [grant]);
      assert.deepEqual(book.grantsOf(other(1).digest, now), []);
      assert.deepEqual(await book.grant(yes(id, { by: BOB }), now), { result: 'conflict', detail: 'it is granted' });
    }
  });

  check('a grant ends by itself', async (one, two, all) => {
    const past = Date.now() - 60_000;
    const id = await askedFor(one, approvalOrder(), past);
    await everywhere(all, id, 'pending');
    assert.equal((await one.grant(yes(id, { useForMs: 60_000 }), past)).result, 'stored');
    for (const book of all) {
      await until('the grant', () => (book.find(id)?.grant ? true : null));
      assert.equal(book.grantsOf(approvalOrder().digest, past + 59_999).length, 1);
      assert.deepEqual(book.grantsOf(approvalOrder().digest, past + 60_000), []);
      assert.equal(stateIn(book, id), 'expired');
    }
    assert.notEqual(await askedFor(two), id);
  });

  check('where it takes two, the same person twice is one', async (one, two, all) => {
    const id = await askedFor(one);
    await everywhere(all, id, 'pending');
    const now = Date.now();
    assert.equal((await one.grant(yes(id, { quorum: 2 }), now)).result, 'stored');
    for (const book of all) await until('the first yes', () => (book.find(id)?.consents.length === 1 ? true : null));
    for (const book of all) {
      assert.equal(stateIn(book, id), 'pending');
      assert.deepEqual(book.grantsOf(approvalOrder().digest, now), []);
      assert.equal((await book.grant(yes(id, { quorum: 2 }), now)).result, 'conflict');
    }
    assert.equal((await two.grant(yes(id, { quorum: 2, by: BOB }), now)).result, 'stored');
    await everywhere(all, id, 'granted');
    for (const book of all) assert.deepEqual(book.grantsOf(approvalOrder().digest, now)[0]?.by, [ANN, BOB]);
  });

  check('of two persons neither gives more than the other said yes to', async (one, two, all) => {
    const [id, later] = [await askedFor(one), await askedFor(one, other(1))];
    for (const each of [id, later]) await everywhere(all, each, 'pending');
    const now = Date.now();
    const [little, much] = [
      { quorum: 2, uses: 1, useForMs: 60_000 },
      { quorum: 2, uses: 20, useForMs: 28_800_000 },
    ] as const;
    const both = async (which: string, digest: string, first: object, second: object) => {
      assert.equal((await one.grant(yes(which, { digest, ...first }), now)).result, 'stored');
      await until('the first yes', () => (two.find(which)?.consents.length === 1 ? true : null));
      assert.equal((await two.grant(yes(which, { digest, by: BOB, ...second }), now)).result, 'stored');
      await everywhere(all, which, 'granted');
      for (const book of all) {
        const [grant] = book.grantsOf(digest, now);
        assert.deepEqual([grant?.uses, grant?.untilMs], [1, now + 60_000]);
      }
    };
    await both(id, approvalOrder().digest, little, much);
    await both(later, other(1).digest, much, little);
  });

  check('a yes to another request than the one that was shown, to none, or too late, grants nothing', async (one) => {
    const now = Date.now();
    const id = await askedFor(one, approvalOrder(), now);
    assert.equal((await one.grant(yes(id, { digest: other(1).digest }), now)).result, 'conflict');
    for (const approvals of [['other'], ['resource-owner', 'other'], []])
      assert.equal((await one.grant(yes(id, { approvals }), now)).result, 'conflict');
    assert.equal((await one.grant(yes('another'), now)).result, 'unknown');
    assert.deepEqual(await one.grant(yes(id), now + ASK_MS), { result: 'conflict', detail: 'it is expired' });
    assert.equal((await one.grant(yes(id), now)).result, 'stored');
  });

  check('what was refused is not asked again for a while, and not granted', async (one, two, all) => {
    const now = Date.now();
    const past = now - REST_MS;
    const id = await askedFor(one, approvalOrder(), past);
    await everywhere(all, id, 'pending');
    assert.equal((await two.close({ id, ...NO }, past)).result, 'stored');
    await everywhere(all, id, 'refused');
    for (const book of all) {
      assert.deepEqual(await book.grant(yes(id), now), { result: 'conflict', detail: 'it is refused' });
      assert.equal((await book.ask(approvalOrder(), now - 1)).result, 'refused');
      assert.equal((await book.ask(other(1), now)).result, 'pending');
    }
    const again = await one.ask(approvalOrder(), now);
    assert.ok(again.result === 'pending' && again.id !== id);
  });

  check('what was granted is withdrawn, and not refused', async (one, two, all) => {
    const now = Date.now();
    const id = await askedFor(one, approvalOrder(), now);
    await everywhere(all, id, 'pending');
    assert.equal((await one.grant(yes(id), now)).result, 'stored');
    await everywhere(all, id, 'granted');
    assert.deepEqual(await two.close({ id, ...NO }, now), { result: 'conflict', detail: 'it is granted' });
    assert.equal((await two.close({ id, ...NO, kind: 'withdrawn' }, now)).result, 'stored');
    await everywhere(all, id, 'withdrawn');
    for (const book of all) assert.deepEqual(book.grantsOf(approvalOrder().digest, now), []);
    assert.equal((await one.ask(approvalOrder(), now)).result, 'refused');
  });

  check('another one is asked for where a grant is spent, and only then', async (one, two, all) => {
    const now = Date.now();
    const id = await askedFor(one, approvalOrder(), now);
    await everywhere(all, id, 'pending');
    assert.equal((await one.grant(yes(id), now)).result, 'stored');
    await everywhere(all, id, 'granted');
    const known = await two.ask(approvalOrder(), now);
    assert.deepEqual(known, { result: 'pending', id, expiresAtMs: now + 600_000 });
    assert.deepEqual(await two.ask(approvalOrder(), now, 'another'), known);
    const again = await two.ask(approvalOrder(), now, id);
    assert.ok(again.result === 'pending' && again.id !== id, JSON.stringify(again));
    await everywhere(all, again.id, 'pending');
    for (const book of all) assert.equal(book.find(id), null);
  });

  check('a caller has five that wait, and all together fifty', async (one, two, all) => {
    const now = Date.now();
    const results = await Promise.all(Array.from({ length: 12 }, (_, n) => all[n % all.length]!.ask(other(n), now)));
    assert.equal(results.filter(({ result }) => result === 'pending').length, MAX_PENDING_OF_CALLER);
    assert.equal(results.filter(({ result }) => result === 'full').length, 12 - MAX_PENDING_OF_CALLER);
    for (let n = MAX_PENDING_OF_CALLER; n < MAX_PENDING; n++)
      assert.equal((await two.ask(other(n, { caller: `${ASKING}-${n}` }), now)).result, 'pending');
    assert.equal((await one.ask(other(99, { caller: `${ASKING}-99` }), now)).result, 'full');
    const [pending] = [...two.all()].filter(({ order }) => order.caller === ASKING);
    assert.equal((await two.close({ id: pending!.id, ...NO }, now)).result, 'stored');
    assert.equal((await two.ask(other(100), now)).result, 'full', 'whoever has four leaves the last place to others');
    assert.equal((await two.ask(other(101, { caller: `${ASKING}-101` }), now)).result, 'pending');
    assert.equal((await two.ask(other(102, { caller: `${ASKING}-102` }), now)).result, 'full');
  });

  check('ten callers that ask for all that they may leave places to those who come later', async (one, two) => {
    const now = Date.now();
    const got: number[] = [];
    for (let caller = 0; caller < 10; caller++) {
      let pending = 0;
      for (let n = 0; n < MAX_PENDING_OF_CALLER; n++) {
        const order = other(10 * caller + n, { caller: `${ASKING}-${caller}` });
        if ((await one.ask(order, now)).result === 'pending') pending++;
      }
      got.push(pending);
    }
    assert.deepEqual(got, [5, 5, 5, 5, 5, 5, 4, 3, 3, 2]);
    const late = async (n: number) => (await two.ask(other(200 + n, { caller: `${ASKING}-late-${n}` }), now)).result;
    for (let n = 0; n < 8; n++) assert.equal(await late(n), 'pending', String(n));
    assert.equal(await late(8), 'full');
  });

  check(
    'of those that are alike it is counted how many came in the last day, and were granted',
    async (one, two, all) => {
      const now = Date.now();
      const hourAgo = now - HOUR_MS;
      const counts = (book: ApprovalBook, order = approvalOrder(), atMs = now) => {
        const { asked, granted } = book.alikeTo(order, atMs);
        return [asked, granted];
      };
      const ids = [await askedFor(one, approvalOrder(), hourAgo), await askedFor(two, other(1), now)];
      await everywhere(all, ids[0]!, 'expired');
      await everywhere(all, ids[1]!, 'pending');
      for (const book of all) assert.deepEqual(counts(book), [2, 0]);
      assert.equal((await one.grant(yes(ids[0]!), now)).result, 'conflict', 'too late');
      assert.equal((await two.grant(yes(ids[1]!, { digest: other(1).digest }), now)).result, 'stored');
      await everywhere(all, ids[1]!, 'granted');
      // The same is asked for anew, and is one more.
      const again = await askedFor(one, approvalOrder(), now);
      await everywhere(all, again, 'pending');
      assert.equal((await two.close({ id: again, ...NO }, now)).result, 'stored');
      await everywhere(all, again, 'refused');
      assert.equal((await one.close({ id: ids[1]!, ...NO, kind: 'withdrawn' }, now)).result, 'stored');
      await everywhere(all, ids[1]!, 'withdrawn');
      for (const book of all) {
        assert.deepEqual(counts(book, other(7, { query: 'any' })), [3, 1]);
        for (const over of [
          { caller: `${ASKING}-2` },
          { approvals: ['other'] },
          { action: 'PUT' },
          { host: 'b.internal' },
        ])
          assert.deepEqual(counts(book, approvalOrder(over)), [0, 0], JSON.stringify(over));
        assert.deepEqual(counts(book, approvalOrder(), now + 22 * HOUR_MS), [3, 1]);
        assert.deepEqual(counts(book, approvalOrder(), now + 23 * HOUR_MS), [2, 1], 'the one of an hour before');
        assert.deepEqual(counts(book, approvalOrder(), now + 24 * HOUR_MS), [0, 0]);
        const { sinceMs } = book.alikeTo(approvalOrder(), now);
        assert.ok(sinceMs > now - 60_000 && sinceMs <= Date.now(), 'it began with the book');
      }
    },
  );

  check('what one person let pass alone was not granted', async (one, _, all) => {
    const now = Date.now();
    const id = await askedFor(one, approvalOrder(), now);
    await everywhere(all, id, 'pending');
    assert.equal((await one.review(reviewBy(BOB, BEGINNING), now)).result, 'stored');
    assert.equal((await one.breakGlass(glassBy(ANN, id), now)).result, 'stored');
    await everywhere(all, id, 'granted');
    for (const book of all) assert.equal(book.alikeTo(approvalOrder(), now).granted, 0);
  });

  check('what nobody answered can be asked again', async (one) => {
    const past = Date.now() - ASK_MS;
    const id = await askedFor(one, approvalOrder(), past);
    assert.equal(stateIn(one, id), 'expired');
    assert.notEqual(await askedFor(one), id);
  });
}
