import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { ANN, approvalOrder, askedFor, BOB, yes } from '../../../../test/support/approvals.ts';
import { noRedis } from '../../../../test/support/redis.ts';
import { approvalsOf } from '../../../../test/support/redis-approvals.ts';
import { signs } from '../../../../test/support/redis-books.ts';
import { storeOptions } from '../../../../test/support/redis-states.ts';
import { APPROVALS, approvalVictims, FIELD, PENDING } from '../../../../test/support/thief-of-approvals.ts';
import { until } from '../../../../test/support/until.ts';
import { approvalMark } from '../../approvals/approval-mark.ts';
import { approvalRecord, readApprovalRecord } from '../../approvals/approval-record.ts';
import { type ApprovalRequest, ASK_MS, MAX_USE_MS } from '../../approvals/book.ts';
import { requestAskedFor } from '../../approvals/decisions.ts';

const skip = noRedis;
const stranger = generateKeyPairSync('ed25519').privateKey;
const key = signs.signing!;

/** A request as it is after these persons said yes; a grant where it has terms. */
function granted(asked: ApprovalRequest, by: readonly string[], terms: { uses: number; forMs: number } | null) {
  const atMs = Date.now();
  const consents = by.map((one) => ({
    by: one,
    atMs,
    reason: 'x',
    uses: terms?.uses ?? 1,
    useForMs: terms?.forMs ?? 1,
  }));
  const { digest, approvals } = asked.order;
  const { id } = asked;
  const grant =
    terms === null
      ? null
      : { id, digest, approvals, uses: terms.uses, untilMs: atMs + terms.forMs, grantedAtMs: atMs, by };
  return { ...asked, consents, grant };
}

test('who writes a grant without the key, or moves or changes one that was signed, lets nothing pass', {
  skip,
}, async (t) => {
  const { one, other, mark, read, recordOf, grants, become } = await approvalVictims(t);
  const id = await askedFor(one.book);
  await become(id, 'pending');
  const text = await recordOf();
  const asked = readApprovalRecord(text)!;
  const good = granted(asked, [ANN], { uses: 1, forMs: 60_000 });
  const elsewhere = approvalRecord(requestAskedFor('A'.repeat(22), approvalOrder({ path: '/salaries' }), Date.now()));
  const signed = approvalMark('test', text, good, key);
  const forged = [
    approvalMark('test', text, good, stranger),
    approvalMark('test', text, good, null),
    approvalMark('production', text, good, key),
    approvalMark('test', elsewhere, good, key),
    signed.replace('[1,', '[20,'),
    signed.replace('ann', 'bob'),
    signed.replace(/(\[1,)(\d+)\]/, (_, uses: string, end: string) => `${uses}${Number(end) + 1}]`),
    approvalMark('test', text, granted(asked, [ANN], { uses: 21, forMs: 60_000 }), key),
    approvalMark('test', text, granted(asked, [ANN], { uses: 1, forMs: MAX_USE_MS + 1 }), key),
    'granted',
    '',
  ];
  for (const each of forged) {
    await mark(text, each);
    await read();
    assert.deepEqual(grants(), [0, 0], each);
  }
  for (const { events } of [one, other])
    assert.ok(events.some((event) => event.kind === 'learned' && event.rejected.length > 0));
  await mark(text, signed);
  await become(id, 'granted');
  assert.deepEqual(grants(), [1, 1]);
});

test('what no trusted key signed, or only looks like an end, keeps out no grant', { skip }, async (t) => {
  const { one, mark, marked, read, recordOf, grants, become } = await approvalVictims(t);
  const forgeries = (text: string, asked: ApprovalRequest) => [
    approvalMark('test', text, granted(asked, [ANN], { uses: 1, forMs: 60_000 }), stranger),
    `${Date.now()} 0 []`,
    'nothing',
  ];
  for (const n of [0, 1, 2]) {
    const order = approvalOrder({ path: `/forged/${n}` });
    const id = await askedFor(one.book, order);
    await become(id, 'pending');
    const text = await recordOf(order.digest);
    const forged = forgeries(text, readApprovalRecord(text)!)[n]!;
    await mark(text, forged, order.digest);
    await read();
    assert.deepEqual(grants(order.digest), [0, 0]);
    const given = { digest: order.digest, approvals: order.approvals };
    assert.equal((await one.book.grant(yes(id, given), Date.now())).result, 'stored', forged);
    await become(id, 'granted');
    assert.deepEqual(grants(order.digest), [1, 1]);
    assert.doesNotMatch(await marked(), new RegExp(`^${RegExp.escape(forged)}$`, 'm'));
  }
});

test('a signed decision that came meanwhile is not overwritten', { skip }, async (t) => {
  const { one, mark, recordOf, become } = await approvalVictims(t);
  const id = await askedFor(one.book);
  await become(id, 'pending');
  const text = await recordOf();
  const first = granted(readApprovalRecord(text)!, [BOB], null);
  await mark(text, approvalMark('test', text, first, key));
  // It may have been read before: then the same person would be counted twice.
  const { result } = await one.book.grant(yes(id, { by: BOB, quorum: 2 }), Date.now());
  assert.equal(result, 'conflict');
});

test('who changes what a person is shown makes another request of it, whose grant lets the first one not pass', {
  skip,
}, async (t) => {
  const { one, write, read, recordOf, grants, become, states, redis } = await approvalVictims(t);
  const id = await askedFor(one.book);
  await become(id, 'pending');
  const text = await recordOf();
  const { askedAtMs } = readApprovalRecord(text)!;
  for (const [n, shown] of [
    approvalOrder({ path: '/harmless' }),
    approvalOrder({ task: { ...approvalOrder().task!, subject: 'somebody' } }),
    approvalOrder({ sensitivity: 'public' }),
    approvalOrder({ declared: { id: 't', purpose: 'finance' } }),
    approvalOrder({ headers: [['x-amount', '1']] }),
    // A body that could be read is not kept from the person either.
    approvalOrder({ body: { ...approvalOrder().body!, shown: null } }),
  ].entries()) {
    const fake = `thief${n}`.padEnd(22, 'x');
    await write(FIELD, approvalRecord(requestAskedFor(fake, shown, askedAtMs)));
    await become(fake, 'pending');
    assert.equal((await one.book.grant(yes(fake), Date.now())).result, 'conflict', 'it was the true one that was read');
    const tricked = await one.book.grant(yes(fake, { digest: shown.digest }), Date.now());
    assert.notEqual(tricked.result, 'conflict');
    assert.deepEqual(grants(), [0, 0]);
  }
  const body = { ...approvalOrder().body!, shown: '{"amount":1}' };
  const lie = requestAskedFor('lie'.padEnd(22, 'x'), { ...approvalOrder(), body }, askedAtMs + 1);
  const ahead = requestAskedFor('ahead'.padEnd(22, 'x'), approvalOrder(), Date.now() + 60_000);
  for (const each of [lie, ahead]) {
    await write(FIELD, approvalRecord(each));
    await read();
    assert.deepEqual(states(each.id), [null, null]);
  }
  for (const each of ['x', '', `1 []`, text.replace('pending', ''), text.replace(/^\d+/, '1'), text.slice(0, -1)]) {
    await redis.admin('DEL', APPROVALS);
    await write(FIELD, each);
    await read();
    assert.deepEqual(states(id), ['pending', 'pending'], 'what is known stays');
  }
});

test('who deletes a refusal or a withdrawal, or shows the grant of before, opens nothing, and it is written back', {
  skip,
}, async (t) => {
  const { one, mark, marked, read, recordOf, states, become, grants, late, redis } = await approvalVictims(t);
  const id = await askedFor(one.book);
  await become(id, 'pending');
  const text = await recordOf();
  assert.equal((await one.book.grant(yes(id), Date.now())).result, 'stored');
  const grant = await marked();
  const close = { id, kind: 'withdrawn', by: BOB, reason: 'it was the wrong one' } as const;
  assert.equal((await one.book.close(close, Date.now())).result, 'stored');
  await become(id, 'withdrawn');
  const end = await marked();
  for (const each of [null, grant, 'nothing']) {
    await mark(text, each);
    await read();
    assert.deepEqual(states(id), ['withdrawn', 'withdrawn'], String(each));
    await until('the withdrawal in the store', async () => ((await marked()) === end ? true : null));
  }
  await redis.admin('DEL', APPROVALS);
  await redis.admin('HINCRBY', 'authz:{test}:approvals:meta', 'seq', '5');
  await until('what was written back', async () => ((await recordOf()) === text ? true : null));
  const book = await late();
  assert.deepEqual([book.find(id)?.closing?.kind, book.grantsOf(FIELD, Date.now()).length], ['withdrawn', 0]);
  assert.deepEqual(grants(), [0, 0]);
});

test('who shows the first yes of two again makes no second one of it, and takes no grant back by it', {
  skip,
}, async (t) => {
  const { one, mark, marked, read, recordOf, states, become, grants } = await approvalVictims(t);
  const id = await askedFor(one.book);
  await become(id, 'pending');
  const text = await recordOf();
  assert.equal((await one.book.grant(yes(id, { quorum: 2 }), Date.now())).result, 'stored');
  const first = await marked();
  await mark(text, first.replace(' 1 [', ' 2 ['));
  await read();
  assert.deepEqual(grants(), [0, 0]);
  await until('the first yes', async () => {
    await mark(text, first);
    return (await one.book.grant(yes(id, { quorum: 2, by: BOB }), Date.now())).result === 'stored' ? true : null;
  });
  await become(id, 'granted');
  await mark(text, first);
  await read();
  assert.deepEqual(states(id), ['granted', 'granted']);
});

test('a refusal that nobody signed refuses, and none of a time to come is one', { skip }, async (t) => {
  const { one, mark, read, recordOf, states, become } = await approvalVictims(t);
  const id = await askedFor(one.book);
  await become(id, 'pending');
  const text = await recordOf();
  const asked = readApprovalRecord(text)!;
  const refused = (atMs: number) =>
    ({ ...asked, closing: { kind: 'refused', atMs, by: 'thief', reason: 'x' } }) as const;
  await mark(text, approvalMark('test', text, refused(asked.askUntilMs + MAX_USE_MS + 1), null));
  await read();
  assert.deepEqual(states(id), ['pending', 'pending']);
  await mark(text, approvalMark('test', text, refused(Date.now()), null));
  await become(id, 'refused');
});

test('what only looks like a refusal keeps no withdrawal out', { skip }, async (t) => {
  const { one, mark, read, recordOf, states, become, marked } = await approvalVictims(t);
  const id = await askedFor(one.book);
  assert.equal((await one.book.grant(yes(id), Date.now())).result, 'stored');
  await become(id, 'granted');
  await mark(await recordOf(), `${Date.now()} 0 []`);
  await read();
  assert.deepEqual(states(id), ['granted', 'granted']);
  const close = { id, kind: 'withdrawn', by: BOB, reason: 'x' } as const;
  assert.equal((await one.book.close(close, Date.now())).result, 'stored');
  await become(id, 'withdrawn');
  assert.match(await marked(), /withdrawn/);
});

test('records, marks and those that wait, of any length and number, are read by nobody, and take no place of others', {
  skip,
}, async (t) => {
  const { redis, one, other, note, become, mark, recordOf, grants, read } = await approvalVictims(t);
  const id = await askedFor(one.book);
  assert.equal((await one.book.grant(yes(id), Date.now())).result, 'stored');
  await become(id, 'granted');
  const long = "return redis.call('HSET', KEYS[1], ARGV[1], string.rep('9', 20000000))";
  await redis.admin('EVAL', long, '1', APPROVALS, 'long');
  await note('long');
  await mark(await recordOf(), 'x'.repeat(100_000));
  await read();
  assert.deepEqual(grants(), [1, 1]);
  const many = "for i = 1, 100000 do redis.call('ZADD', KEYS[1], '9e15', 'x' .. i) end";
  await redis.admin('EVAL', many, '1', PENDING);
  // The first answer may come too late: Redis is busy with what the thief wrote.
  const full = await until('an answer', async () => {
    const { result } = await other.book.ask(approvalOrder({ path: '/other' }), Date.now());
    return result === 'unavailable' ? null : result;
  });
  assert.equal(full, 'full');
  await redis.admin('DEL', PENDING, APPROVALS);
  await until('the request', async () =>
    (await other.book.ask(approvalOrder({ path: '/other' }), Date.now())).result === 'pending' ? true : null,
  );
});

test('the store grants nothing late by its own clock, whatever that of a process says', { skip }, async (t) => {
  const { one } = await approvalVictims(t);
  const past = Date.now() - ASK_MS + 300;
  const id = await askedFor(one.book, approvalOrder(), past);
  const { askUntilMs } = one.book.find(id)!;
  await until('its end', () => (Date.now() > askUntilMs ? true : null));
  assert.deepEqual(await one.book.grant(yes(id), past), { result: 'conflict', detail: 'it is expired' });
});

test('of two who grant at one moment one does', { skip }, async (t) => {
  const { one, redis, become, grants } = await approvalVictims(t);
  const second = await approvalsOf(t, storeOptions(redis), signs);
  const id = await askedFor(one.book);
  await become(id, 'pending');
  await until('the request', () => second.book.find(id));
  const decided = await Promise.all([
    one.book.grant(yes(id), Date.now()),
    second.book.grant(yes(id, { by: BOB, uses: 20 }), Date.now()),
  ]);
  assert.deepEqual(decided.map(({ result }) => result).toSorted(), ['conflict', 'stored']);
  await become(id, 'granted');
  assert.deepEqual(grants(), [1, 1]);
});
