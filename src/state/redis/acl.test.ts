import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { denial, proven, storedActivity } from '../../../test/support/activity.ts';
import { ANN, approvalOrder, askedFor, yes } from '../../../test/support/approvals.ts';
import { orderOf } from '../../../test/support/orders.ts';
import { noRedis, Redis } from '../../../test/support/redis.ts';
import { documentedAcl } from '../../../test/support/redis-acl.ts';
import { approvalsOf } from '../../../test/support/redis-approvals.ts';
import { signs } from '../../../test/support/redis-books.ts';
import { registryOf } from '../../../test/support/redis-registries.ts';
import { claimOn as claim, sidecarState, storeOptions } from '../../../test/support/redis-states.ts';
import { begun } from '../../../test/support/registering.ts';
import { until } from '../../../test/support/until.ts';
import { Fault } from '../../base/fault.ts';
import { ASK_MS } from '../approvals/book.ts';
import type { RedisState } from './store.ts';

const skip = noRedis;

const documented = documentedAcl('test', 'secret');

/** A state that logs in as a user of these rules, with everything that it does done once. */
async function outcome(t: TestContext, redis: Redis, rules: readonly string[]): Promise<string> {
  await redis.admin('ACL', 'SETUSER', 'authz', 'reset', ...rules);
  const passwordFile = join(redis.dir, 'password');
  writeFileSync(passwordFile, 'secret');
  const user = { username: 'authz', passwordFile };
  await redis.admin('SCRIPT', 'FLUSH');
  // A slot that has ended is dropped with the first claim.
  await redis.admin('DEL', 'authz:{test}:history', 'authz:{test}:revocations', 'authz:{test}:lifts');
  await redis.admin('HSET', 'authz:{test}:proofs', '1', '1');
  const { state } = await sidecarState(t, storeOptions(redis, { user, replicas: 1, timeoutMs: 1000 }));
  const { fault } = await until('contact', () => {
    const status = state.status();
    return status.fault === 'not reached yet' ? null : status;
  });
  if (fault !== null) return fault;
  const claimed = await claim(state, 'proof');
  if (claimed.result === 'unavailable') return claimed.detail;
  const ordered = await orders(t, state);
  const listed = await listing(t, state);
  await state.stop();
  await redis.admin('DEL', 'authz:{test}:proof:proof');
  return ordered ?? (listed instanceof Fault ? listed.detail : claimed.result);
}

/** What goes wrong with orders, read and written; null: nothing. */
async function orders(t: TestContext, state: RedisState): Promise<string | null> {
  const book = await state.openBook(
    () => signs,
    () => {},
  );
  t.after(() => book.stop());
  // Up to date again: then a wait for changes was answered too.
  const begun = Date.now();
  const read = await until('revocations', () => {
    const now = Date.now();
    if (now - (book.stalenessMs(now) ?? now) > begun) return 'read';
    const unknown = book.unknown(now) ?? '';
    return /NOPERM|no permissions|can't run/i.test(unknown) ? unknown : null;
  });
  const order = orderOf('r-1');
  const revoked = await book.revoke(order, Date.now());
  const lifted = await book.lift({ id: 'r-1', reason: 'r', by: 'b', atMs: Date.now() });
  await book.stop();
  if (read !== 'read') return read;
  for (const result of [revoked, lifted]) if ('detail' in result) return result.detail;
  return null;
}

/** Keeps what lists show, more workloads than there may be, and reads all of it. */
async function listing(t: TestContext, state: RedisState): Promise<unknown> {
  const { activity } = storedActivity(t, state, { workloads: 1 });
  activity.keep(denial());
  for (const name of ['a', 'b']) activity.recorder.allow(proven(name), null, Date.now());
  await activity.writer.stop(5000);
  const { fault } = activity.writer;
  if (fault !== null) return fault;
  const read = [await activity.decisions({}, 1, null), await activity.allLastUses(1, null)];
  return read.find((page) => page instanceof Fault);
}

test('the rules of docs/state.md are enough for the user, and none of them is too much', { skip }, async (t) => {
  const redis = await Redis.of(t);
  await Redis.of(t, { config: [`replicaof 127.0.0.1 ${redis.port}`] });
  await until('replication', async () =>
    (await redis.admin('INFO', 'replication')).includes('state=online') ? true : null,
  );
  assert.equal(await outcome(t, redis, documented), 'fresh');
  const commands = documented.filter((rule) => rule.startsWith('+'));
  assert.ok(commands.length > 10);
  for (const command of commands) {
    const without = documented.filter((rule) => rule !== command);
    assert.match(await outcome(t, redis, without), /NOPERM|no permissions|can't run/i, `without ${command}`);
  }
  const elsewhere = documented.map((rule) => rule.replace('{test}', '{other}'));
  assert.match(await outcome(t, redis, elsewhere), /NOPERM|No permissions/i);
});

test('the rules are enough for registered tasks and approvals too', { skip }, async (t) => {
  const redis = await Redis.of(t);
  await redis.admin('ACL', 'SETUSER', 'authz', 'reset', ...documented);
  const passwordFile = join(redis.dir, 'password');
  writeFileSync(passwordFile, 'secret');
  const user = { username: 'authz', passwordFile };
  await redis.age('test');
  const { registry } = await registryOf(t, storeOptions(redis, { user }), { keys: signs });
  const past = Date.now() - 30_000;
  const { issuer, id } = await begun(registry, { leaseMs: 60_000 }, past);
  assert.equal((await registry.heartbeat({ issuer, id }, 'b', Date.now())).result, 'stored');
  assert.equal((await registry.end({ issuer, id }, 'b', 'r', Date.now())).result, 'stored');
  assert.equal(registry.unknown(Date.now()), null);
  const { book } = await approvalsOf(t, storeOptions(redis, { user }), signs);
  const asked = await askedFor(book);
  assert.equal((await book.grant(yes(asked), Date.now())).result, 'stored');
  assert.equal((await book.close({ id: asked, kind: 'withdrawn', by: ANN, reason: 'r' }, Date.now())).result, 'stored');
  const expired = approvalOrder({ path: '/expired' });
  const { askUntilMs } = book.find(await askedFor(book, expired, Date.now() - ASK_MS + 100))!;
  await until('its end', () => (Date.now() > askUntilMs ? true : null));
  await askedFor(book, expired);
});
