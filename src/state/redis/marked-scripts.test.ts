import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { noRedis, Redis } from '../../../test/support/redis.ts';
import { storeOptions } from '../../../test/support/redis-states.ts';
import { Link } from './link.ts';
import { RESTORE_MARKED } from './marked-scripts.ts';
import { recordKeys } from './record-scripts.ts';

const skip = noRedis;
const RECORD = '9000000000000 ["one"]';
const OTHER = '9000000000000 ["other"]';
const [BEGUN, GRANTED, ENDED] = [1, 2, 0].map((number) => `9000000000000 ${number} ["mark"]`) as [
  string,
  string,
  string,
];

/** A store into which what was lost is written back, and what it holds. */
async function restored(t: TestContext) {
  const redis = await Redis.of(t);
  await redis.age('test');
  const link = await Link.open({ ...storeOptions(redis), endpoint: storeOptions(redis).endpoint! });
  assert.ok(link instanceof Link);
  t.after(() => link.close());
  const keys = recordKeys('records', 'marks').map((name) => `authz:{test}:${name}`);
  const [history, records, marks, meta] = keys as [string, string, string, string];
  const restore = async (record: string, mark: string, most = 10, bytes = 10_000): Promise<unknown> => {
    const args = [await redis.admin('GET', history), String(most), String(bytes), 'f', 'digest', record, mark];
    return await link.run(RESTORE_MARKED, keys, args, 5000);
  };
  return {
    restore,
    put: (field: string, record: string) => redis.admin('HSET', records, field, record),
    mark: (record: string, text: string) => redis.admin('HSET', marks, hash('sha1', record, 'hex'), text),
    at: (field: string) => redis.admin('HGET', records, field),
    markOf: (record: string) => redis.admin('HGET', marks, hash('sha1', record, 'hex')),
    changes: async () => Number(await redis.admin('HGET', meta, 'seq')),
    notes: async () => Number(await redis.admin('XLEN', `${records}:log`)),
  };
}

test('what a store lost is written back with its mark, once, and everybody is told', { skip }, async (t) => {
  const { restore, at, markOf, changes, notes } = await restored(t);
  for (let n = 0; n < 2; n++) {
    assert.deepEqual(await restore(RECORD, BEGUN), ['done']);
    assert.deepEqual([await at('f'), await markOf(RECORD), await changes(), await notes()], [RECORD, BEGUN, 1, 1]);
  }
  assert.deepEqual(await restore(RECORD, GRANTED), ['done']);
  assert.deepEqual([await markOf(RECORD), await changes(), await notes()], [GRANTED, 2, 2]);
});

test('what stands in its field is left, and what is written back stands beside it', { skip }, async (t) => {
  const { restore, put, at, markOf, changes } = await restored(t);
  await put('f', OTHER);
  for (let n = 0; n < 2; n++) assert.deepEqual(await restore(RECORD, ENDED), ['done']);
  assert.deepEqual([await at('f'), await at('f digest'), await markOf(RECORD)], [OTHER, RECORD, ENDED]);
  assert.equal(await changes(), 1);
});

test('a mark that goes further stays, and what is none makes way', { skip }, async (t) => {
  const { restore, put, mark, markOf } = await restored(t);
  await put('f', RECORD);
  for (const [held, text, wanted] of [
    [GRANTED, BEGUN, GRANTED],
    [BEGUN, GRANTED, GRANTED],
    [ENDED, GRANTED, ENDED],
    [GRANTED, ENDED, ENDED],
    ['9000000000001 0 ["another end"]', ENDED, ENDED],
    ['nothing', BEGUN, BEGUN],
    ['x'.repeat(70_000), BEGUN, BEGUN],
    [`9000000000000 9 ["${'x'.repeat(70_000)}"]`, BEGUN, BEGUN],
    [GRANTED, '', GRANTED],
  ] as const) {
    await mark(RECORD, held);
    assert.deepEqual(await restore(RECORD, text), ['done']);
    assert.equal(await markOf(RECORD), wanted, `${held.slice(0, 40)} ${text}`);
  }
});

test('a full store takes nothing back, and what it has can be marked all the same', { skip }, async (t) => {
  const { restore, put, at, markOf } = await restored(t);
  await put('other', OTHER);
  assert.deepEqual(await restore(RECORD, BEGUN, 1), ['full']);
  assert.deepEqual(await restore(RECORD, BEGUN, 10, RECORD.length + 127), ['full']);
  assert.equal(await at('f'), '');
  assert.deepEqual(await restore(RECORD, BEGUN, 2, RECORD.length + 128), ['done']);
  assert.deepEqual(await restore(RECORD, ENDED, 1, 0), ['done']);
  assert.deepEqual([await at('f'), await markOf(RECORD)], [RECORD, ENDED]);
});
