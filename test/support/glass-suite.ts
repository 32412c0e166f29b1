import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { ApprovalBook } from '../../src/state/approvals/book.ts';
import { BEGINNING, GLASS_USE_MS, MAX_UNREVIEWED, REVIEW_MS } from '../../src/state/approvals/break-glass.ts';
import { stateOfRequest } from '../../src/state/approvals/request-state.ts';
import { ANN, approvalOrder, askedFor, BOB, CAROL, glassBy, reviewBy, yes } from './approvals.ts';
import { until } from './until.ts';

type Books = readonly [ApprovalBook, ...ApprovalBook[]];

const other = (n: number) => approvalOrder({ path: `/refunds/${n}`, caller: `spiffe://prod.example/agent-${n}` });

/** What every book of approvals does with break-glass. */
export function glassSuite(name: string, make: (t: TestContext) => Promise<Books>, skip: string | false = false): void {
  const check = (what: string, run: (one: ApprovalBook, other: ApprovalBook, all: Books) => Promise<void>) =>
    test(`${name}: ${what}`, { skip }, async (t) => {
      const books = await make(t);
      await run(books[0], books.at(-1)!, books);
    });
  const everywhere = async (books: Books, what: string, holds: (book: ApprovalBook) => boolean): Promise<void> => {
    for (const book of books) await until(what, () => (holds(book) ? true : null));
  };
  /** A second person says that nothing waits. */
  const begun = async (books: Books): Promise<void> => {
    assert.equal((await books[0].review(reviewBy(CAROL, BEGINNING), Date.now())).result, 'stored');
    await everywhere(books, 'the beginning', ({ glass }) => glass.beginnings.length === 1);
  };
  const broken = async (books: Books, order = approvalOrder(), by = ANN, nowMs = Date.now()): Promise<string> => {
    const id = await askedFor(books[0], order, nowMs);
    await everywhere(books, 'the request', (book) => book.find(id) !== null);
    const result = await books.at(-1)!.breakGlass(glassBy(by, id, order), nowMs);
    assert.equal(result.result, 'stored', JSON.stringify(result));
    await everywhere(books, 'the break-glass', (book) => book.glass.find(id) !== null && book.find(id)?.grant !== null);
    return id;
  };

  check('one person lets one request pass alone, once and shortly, everywhere', async (_one, _two, all) => {
    await begun(all);
    const now = Date.now();
    const id = await broken(all, approvalOrder(), ANN, now);
    const { digest, approvals } = approvalOrder();
    const times = { untilMs: now + GLASS_USE_MS, grantedAtMs: now };
    const grant = { id, digest, approvals, uses: 1, ...times, by: [ANN], alone: true };
    for (const book of all) {
      assert.deepEqual(book.grantsOf(digest, now), [grant]);
      assert.deepEqual(book.grantsOf(digest, now + GLASS_USE_MS), []);
      assert.deepEqual(book.grantsOf(other(1).digest, now), []);
      const { use, review, asked } = book.glass.find(id)!;
      assert.deepEqual([use.by, use.atMs, review, asked.order], [ANN, now, null, approvalOrder()]);
      assert.equal((await book.breakGlass(glassBy(BOB, id), now)).result, 'conflict', 'twice');
      assert.equal((await book.grant(yes(id, { by: BOB }), now)).result, 'conflict');
    }
  });

  check('where it takes two, one breaks glass beside the first yes', async (one, _two, all) => {
    await begun(all);
    const id = await askedFor(one);
    assert.equal((await one.grant(yes(id, { quorum: 2, by: BOB }), Date.now())).result, 'stored');
    assert.deepEqual(one.grantsOf(approvalOrder().digest, Date.now()), []);
    assert.equal((await one.breakGlass(glassBy(ANN, id), Date.now())).result, 'stored');
    assert.deepEqual(one.grantsOf(approvalOrder().digest, Date.now())[0]?.by, [ANN]);
  });

  check('nobody breaks glass before another person has begun the record', async (one, two, all) => {
    const id = await askedFor(one);
    await everywhere(all, 'the request', (book) => book.find(id) !== null);
    const early = await two.breakGlass(glassBy(ANN, id), Date.now());
    assert.ok(early.result === 'resting' && early.detail.includes(`'${BEGINNING}'`), JSON.stringify(early));
    assert.equal((await one.review(reviewBy(ANN, BEGINNING), Date.now())).result, 'stored');
    assert.equal((await one.review(reviewBy(ANN, BEGINNING), Date.now())).result, 'conflict');
    assert.equal((await one.breakGlass(glassBy(ANN, id), Date.now())).result, 'resting', 'by itself');
    assert.equal((await one.review(reviewBy(BOB, BEGINNING), Date.now())).result, 'stored');
    assert.equal((await one.review(reviewBy(CAROL, BEGINNING), Date.now())).result, 'conflict', 'two are enough');
    assert.equal((await one.breakGlass(glassBy(ANN, id), Date.now())).result, 'stored');
  });

  check(
    'another request than the one that was shown, none, or what is decided, is not let pass',
    async (one, _two, all) => {
      await begun(all);
      const id = await askedFor(one);
      const now = Date.now();
      assert.equal((await one.breakGlass(glassBy(ANN, id, other(1)), now)).result, 'conflict');
      assert.equal((await one.breakGlass(glassBy(ANN, 'another'), now)).result, 'unknown');
      assert.equal((await one.close({ id, kind: 'refused', by: BOB, reason: 'no' }, now)).result, 'stored');
      assert.equal((await one.breakGlass(glassBy(ANN, id), now)).result, 'conflict');
      assert.equal((await one.breakGlass(glassBy(ANN, await askedFor(one, other(1)), other(1)), now)).result, 'stored');
    },
  );

  check(
    'what is not reviewed in time keeps the person from another one, also where the request is over',
    async (one, _two, all) => {
      await begun(all);
      const past = Date.now() - REVIEW_MS;
      const [late, inTime] = [other(1), other(2)];
      const id = await askedFor(one, late, Date.now());
      await everywhere(all, 'the request', (book) => book.find(id) !== null);
      assert.equal((await one.breakGlass(glassBy(ANN, id, late), past)).result, 'stored');
      await everywhere(all, 'the break-glass', (book) => book.glass.find(id) !== null);
      const next = await askedFor(one, inTime);
      await everywhere(all, 'the request', (book) => book.find(next) !== null);
      for (const book of all) {
        const resting = await book.breakGlass(glassBy(ANN, next, inTime), Date.now());
        assert.ok(resting.result === 'resting' && resting.detail.includes(id), JSON.stringify(resting));
      }
      assert.equal(
        (await one.breakGlass(glassBy(ANN, next, inTime), past + REVIEW_MS - 1)).result,
        'stored',
        'in time',
      );
      assert.equal((await one.review(reviewBy(ANN, id), Date.now())).result, 'conflict', 'nobody reviews its own');
      assert.equal((await one.review(reviewBy(BOB, 'another'), Date.now())).result, 'unknown');
      assert.equal((await one.review(reviewBy(BOB, id), Date.now())).result, 'stored');
      assert.equal((await one.review(reviewBy(CAROL, id), Date.now())).result, 'conflict', 'twice');
      await everywhere(all, 'the review', (book) => book.glass.find(id)?.review?.by === BOB);
      const third = await askedFor(one, other(3));
      assert.equal((await one.breakGlass(glassBy(ANN, third, other(3)), Date.now())).result, 'stored');
    },
  );

  check('of one person so many wait for a review, and others are free', async (one, _two, all) => {
    await begun(all);
    const ids: string[] = [];
    for (let n = 0; n < MAX_UNREVIEWED; n++) ids.push(await broken(all, other(n)));
    const id = await askedFor(one, other(9));
    const full = await one.breakGlass(glassBy(ANN, id, other(9)), Date.now());
    assert.ok(full.result === 'resting' && ids.every((each) => full.detail.includes(each)), JSON.stringify(full));
    assert.equal((await one.breakGlass(glassBy(BOB, id, other(9)), Date.now())).result, 'stored');
    assert.equal((await one.review(reviewBy(BOB, ids[0]!), Date.now())).result, 'stored');
    assert.notEqual(await broken(all, other(10)), '');
  });

  check('it is withdrawn as a grant is, and still has to be reviewed', async (one, _two, all) => {
    await begun(all);
    const id = await broken(all);
    const close = { id, kind: 'withdrawn', by: BOB, reason: 'it was the wrong one' } as const;
    assert.equal((await one.close(close, Date.now())).result, 'stored');
    await everywhere(all, 'the withdrawal', (book) => stateOfRequest(book.find(id)!, Date.now()) === 'withdrawn');
    for (const book of all) {
      assert.deepEqual(book.grantsOf(approvalOrder().digest, Date.now()), []);
      assert.equal(book.glass.find(id)?.review, null);
    }
  });
}
