import type { TestContext } from 'node:test';
import { fieldOf } from '../../src/state/tasks/task-record.ts';
import { Redis } from './redis.ts';
import { signs, trusts } from './redis-books.ts';
import { registryOf } from './redis-registries.ts';
import { storeOptions } from './redis-states.ts';
import { registration } from './registering.ts';
import { until } from './until.ts';

export const TASKS = 'authz:{test}:tasks';
export const MARKS = 'authz:{test}:tasks:marks';
export const META = 'authz:{test}:tasks:meta';
export const LOG = 'authz:{test}:tasks:log';
const { issuer } = registration();
/** The field of one of the tasks of `registration`. */
export const fieldFor = (id: string): string => fieldOf({ issuer, id });

/** A sidecar that takes orders, one that believes them, and a thief who can write anything into their store. */
export async function victims(t: TestContext) {
  const redis = await Redis.of(t);
  await redis.age('test');
  const one = await registryOf(t, storeOptions(redis), { keys: signs });
  const other = await registryOf(t, storeOptions(redis), { keys: trusts });
  const note = async (field: string): Promise<void> => {
    const seq = await redis.admin('HINCRBY', META, 'seq', '1');
    await redis.admin('XADD', LOG, `${seq}-0`, 'f', field);
  };
  const write = async (field: string, record: string): Promise<void> => {
    await redis.admin('HSET', TASKS, field, record);
    await note(field);
  };
  const mark = async (field: string, record: string, text: string | null): Promise<void> => {
    const script =
      text === null
        ? "return redis.call('HDEL', KEYS[1], redis.sha1hex(ARGV[1]))"
        : "return redis.call('HSET', KEYS[1], redis.sha1hex(ARGV[1]), ARGV[2])";
    await redis.admin('EVAL', script, '1', MARKS, record, ...(text === null ? [] : [text]));
    await note(field);
  };
  const recordOf = (id: string) => redis.admin('HGET', TASKS, fieldFor(id));
  /** Waits until both have read everything that was written before. */
  const read = async (): Promise<void> => {
    const after = Date.now();
    for (const { registry } of [one, other])
      await until('what was written', () =>
        Date.now() - (registry.stalenessMs(Date.now()) ?? Date.now()) > after ? true : null,
      );
  };
  const states = (id: string) =>
    [one, other].map(({ registry: { lookup } }) => {
      const task = lookup.find(issuer, id);
      return task === null ? null : lookup.stateOf(task, Date.now());
    });
  const become = (id: string, state: string | null) =>
    until(`${id} is ${state}`, () => (states(id).every((one) => one === state) ? true : null));
  const late = async () => (await registryOf(t, storeOptions(redis), { keys: trusts })).registry;
  return { redis, one, other, note, write, mark, recordOf, read, states, become, late };
}
