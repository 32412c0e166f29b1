import type { TestContext } from 'node:test';
import { stateOfRequest } from '../../src/state/approvals/request-state.ts';
import { approvalOrder } from './approvals.ts';
import { Redis } from './redis.ts';
import { approvalsOf } from './redis-approvals.ts';
import { signs, trusts } from './redis-books.ts';
import { storeOptions } from './redis-states.ts';
import { until } from './until.ts';

const name = (end: string): string => `authz:{test}:approvals${end}`;
export const APPROVALS = name('');
export const MARKS = name(':marks');
export const PENDING = name(':pending');
export const FIELD = approvalOrder().digest;

/** A process that takes grants, one that believes them, and a thief who can write anything into their store. */
export async function approvalVictims(t: TestContext) {
  const redis = await Redis.of(t);
  await redis.age('test');
  const one = await approvalsOf(t, storeOptions(redis), signs);
  const other = await approvalsOf(t, storeOptions(redis), trusts);
  const both = [one.book, other.book];
  const note = async (field: string): Promise<void> => {
    const seq = await redis.admin('HINCRBY', name(':meta'), 'seq', '1');
    await redis.admin('XADD', name(':log'), `${seq}-0`, 'f', field);
  };
  const write = async (field: string, record: string): Promise<void> => {
    await redis.admin('HSET', APPROVALS, field, record);
    await note(field);
  };
  const mark = async (record: string, text: string | null, field = FIELD): Promise<void> => {
    const script =
      text === null
        ? "return redis.call('HDEL', KEYS[1], redis.sha1hex(ARGV[1]))"
        : "return redis.call('HSET', KEYS[1], redis.sha1hex(ARGV[1]), ARGV[2])";
    await redis.admin('EVAL', script, '1', MARKS, record, ...(text === null ? [] : [text]));
    await note(field);
  };
  const recordOf = (field = FIELD) => redis.admin('HGET', APPROVALS, field);
  const marked = async () => (await redis.admin('HVALS', MARKS)).trim();
  /** Waits until both have read everything that was written before. */
  const read = async (): Promise<void> => {
    const after = Date.now();
    for (const book of both)
      await until('what was written', () =>
        Date.now() - (book.stalenessMs(Date.now()) ?? Date.now()) > after ? true : null,
      );
  };
  const states = (id: string) =>
    both.map((book) => {
      const request = book.find(id);
      return request === null ? null : stateOfRequest(request, Date.now());
    });
  const become = (id: string, state: string | null) =>
    until(`it is ${state}`, () => (states(id).every((each) => each === state) ? true : null));
  /** How many grants let the request of this digest pass, at each of them. */
  const grants = (digest = FIELD) => both.map((book) => book.grantsOf(digest, Date.now()).length);
  const late = async () => (await approvalsOf(t, storeOptions(redis), trusts)).book;
  return { redis, one, other, note, write, mark, marked, recordOf, read, states, become, grants, late };
}
