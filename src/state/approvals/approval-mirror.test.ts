import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { ANN, approvalOrder, BOB } from '../../../test/support/approvals.ts';
import { approvalMark } from './approval-mark.ts';
import { ApprovalMirror } from './approval-mirror.ts';
import { approvalRecord } from './approval-record.ts';
import { type ApprovalRequest, ASK_MS, MAX_USE_MS, SHOWN_MS } from './book.ts';
import { requestAskedFor } from './decisions.ts';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const NOW = 1_800_000_000_000;
const HOUR_MS = 3_600_000;
const { digest, approvals } = approvalOrder();
const asked = (letter: string, atMs = NOW, order = approvalOrder()) => requestAskedFor(letter.repeat(22), order, atMs);

function granted(request: ApprovalRequest, forMs: number): ApprovalRequest {
  const atMs = request.askedAtMs;
  const consents = [{ by: ANN, atMs, reason: 'r', uses: 1, useForMs: forMs }];
  const grant = { id: request.id, digest, approvals, uses: 1, untilMs: atMs + forMs, grantedAtMs: atMs, by: [ANN] };
  return { ...request, consents, grant };
}
const begun = (request: ApprovalRequest, by: string): ApprovalRequest => ({
  ...request,
  consents: [{ by, atMs: request.askedAtMs, reason: 'r', uses: 1, useForMs: 600_000 }],
});
const refused = (request: ApprovalRequest, atMs = NOW): ApprovalRequest => ({
  ...request,
  closing: { kind: 'refused', atMs, by: BOB, reason: 'no' },
});

function mirrorOf(most = 100) {
  const clock = { now: NOW };
  const mirror = new ApprovalMirror({
    namespace: 'test',
    trustedKeys: () => [publicKey],
    most,
    skewMs: 5000,
    now: () => clock.now,
  });
  /** Takes a request, with the mark that says what became of it; gives what was learned, and the fields that the store lacks. */
  const take = async (request: ApprovalRequest, marked: ApprovalRequest | string | null = null) => {
    const bare = { ...request, consents: [], grant: null, closing: null };
    const record = approvalRecord(bare);
    const mark =
      marked === null || typeof marked === 'string' ? marked : approvalMark('test', record, marked, privateKey);
    const lost: { readonly field: string; readonly mark: string }[] = [];
    const learned = await mirror.take([{ record, mark }], lost as Parameters<typeof mirror.take>[1]);
    return { ...learned, lost };
  };
  const grants = (nowMs = clock.now) => mirror.table.grantsOf(digest, nowMs).length;
  return { mirror, clock, take, grants };
}

test('what was learned is told once, and what is not believed too', async () => {
  const { take, grants } = mirrorOf();
  const one = asked('A');
  assert.deepEqual(await take(one), { asked: [one.id], decided: [], rejected: [], lost: [] });
  assert.deepEqual(await take(one), { asked: [], decided: [], rejected: [], lost: [] });
  const forged = await take(one, 'forged');
  assert.deepEqual([forged.rejected, forged.decided], [[one.id], []]);
  assert.deepEqual((await take(one, 'forged')).rejected, []);
  assert.deepEqual((await take(one, 'another')).rejected, [one.id]);
  assert.deepEqual((await take(one, granted(one, HOUR_MS))).decided, [one.id]);
  assert.deepEqual(await take(one, granted(one, HOUR_MS)), { asked: [], decided: [], rejected: [], lost: [] });
  assert.equal(grants(), 1);
});

test('what goes less far than what is known is not taken, and the store lacks what is known', async () => {
  const one = asked('A');
  const grant = granted(one, HOUR_MS);
  const other = { ...grant, grant: { ...grant.grant!, uses: 2 } };
  const steps = [null, begun(one, ANN), grant, refused(one)];
  for (const [at, known] of steps.entries())
    for (const less of [...steps.slice(0, at), ...(known === grant ? [other] : [])]) {
      const { take, mirror } = mirrorOf();
      await take(one, known);
      const before = mirror.table.find(one.id);
      const { decided, lost } = await take(one, less);
      assert.deepEqual([decided, lost.length], [[], 1], `${at}`);
      assert.equal(lost[0]?.field, digest);
      assert.deepEqual(mirror.table.find(one.id), before);
    }
  const { take, mirror } = mirrorOf();
  await take(one, begun(one, ANN));
  await take(one, begun(one, BOB));
  assert.equal(mirror.table.find(one.id)?.consents[0]?.by, ANN, 'the first yes counts');
  const both = { ...grant, consents: [...begun(one, ANN).consents, ...begun(one, BOB).consents], grant: null };
  assert.deepEqual((await take(one, both)).decided, [one.id]);
});

test('the last request of a digest counts, whichever is seen first; of two of one moment it is the same everywhere', async () => {
  for (const [first, second] of [
    [asked('A'), asked('B')],
    [asked('C'), asked('B', NOW + 1)],
  ] as const)
    for (const order of [
      [first, second],
      [second, first],
    ]) {
      const { take, mirror } = mirrorOf();
      for (const one of order) await take(one);
      assert.equal(mirror.table.ofDigest(digest)?.id, second.id);
      assert.equal(mirror.size, 1);
    }
});

test('who closed it at one moment elsewhere is not overwritten: two ends say the same', async () => {
  const { take, mirror } = mirrorOf();
  const one = asked('A');
  await take(one, refused(one, NOW));
  const later = await take(one, refused(one, NOW + 1));
  assert.deepEqual([later.lost, mirror.table.find(one.id)?.closing?.atMs], [[], NOW]);
  assert.equal((await take(one, granted(one, MAX_USE_MS))).lost.length, 1);
});

test('the end of a request is not that of the next one of its digest, though the store has the same text for both', async () => {
  const { take, mirror } = mirrorOf();
  const [first, second] = [asked('A'), asked('B', NOW + 1)];
  const atMs = first.askUntilMs + MAX_USE_MS;
  const [text, same] = [first, second].map((one) =>
    approvalMark('test', approvalRecord(one), refused(one, atMs), null),
  );
  assert.equal(text, same);
  await take(first, text);
  const { decided } = await take(second, text);
  assert.deepEqual(decided, [second.id]);
  assert.equal(mirror.table.find(second.id)?.closing?.kind, 'refused');
});

test('a request whose place was taken does not come back with its grant, however long that is good for', async () => {
  const { take, mirror, clock } = mirrorOf();
  const [first, second] = [asked('A'), asked('B', NOW + 1)];
  for (const became of [null, granted(second, 60_000)]) {
    await take(first, granted(first, MAX_USE_MS));
    await take(second, became);
    clock.now = NOW + 5 * HOUR_MS;
    mirror.dropEnded(clock.now - 60_000);
    // Nor where the clock is set back.
    for (const now of [clock.now, NOW + 2]) {
      clock.now = now;
      await take(first, granted(first, MAX_USE_MS));
      assert.notEqual(mirror.table.ofDigest(digest)?.id, first.id);
    }
    clock.now = NOW;
  }
  clock.now = NOW + MAX_USE_MS + SHOWN_MS + 1;
  mirror.dropEnded(clock.now);
  assert.equal(mirror.size, 0);
});

test('what has ended is forgotten, and not learned again; what has not is neither', async () => {
  const { take, mirror, clock } = mirrorOf();
  const one = asked('A');
  const ends = NOW + ASK_MS + SHOWN_MS;
  await take(one);
  mirror.dropEnded(ends - 1);
  assert.equal(mirror.size, 1);
  clock.now = ends;
  assert.deepEqual((await take(one)).asked, []);
  mirror.dropEnded(ends);
  assert.equal(mirror.size, 0);
  assert.deepEqual((await take(one)).asked, []);
  assert.equal(mirror.size, 0);
});

test('a full read finds what the store lacks, as far as it has not ended', async () => {
  const { take, mirror } = mirrorOf();
  const [one, other] = [asked('A'), asked('B', NOW, approvalOrder({ path: '/other' }))];
  await take(one);
  await take(other);
  mirror.beginPass();
  await take(one);
  assert.deepEqual(
    mirror.endPass(NOW).map(({ field }) => field),
    [other.order.digest],
  );
  assert.deepEqual(mirror.endPass(NOW + ASK_MS + SHOWN_MS), []);
});

test('of more requests than a store may hold the others are not read; one takes the place of one', async () => {
  const { take, mirror } = mirrorOf(1);
  const one = asked('A');
  await take(one);
  await take(asked('B', NOW, approvalOrder({ path: '/other' })));
  assert.deepEqual([mirror.size, mirror.table.find(one.id)?.id], [1, one.id]);
  await take(asked('C', NOW + 1));
  assert.deepEqual([mirror.size, mirror.table.ofDigest(digest)?.id], [1, 'C'.repeat(22)]);
});

test('who asks in the future, or writes what is no request, is counted and not read', async () => {
  const { take, mirror } = mirrorOf();
  await take(asked('A', NOW + 5001));
  await mirror.take([{ record: 'x', mark: null }], []);
  await mirror.take([{ record: null, mark: null }], []);
  assert.deepEqual([mirror.size, mirror.unreadable], [0, 2]);
  await take(asked('A', NOW + 5000));
  assert.equal(mirror.size, 1);
  mirror.beginPass();
  assert.equal(mirror.unreadable, 0);
});
