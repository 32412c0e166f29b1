import type { Caller } from '../identity/caller.ts';
import type { CheckInput } from '../input.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { Target } from '../inventory/model.ts';
import { Refusal } from '../outcome.ts';
import { readDeclared } from './declared.ts';
import type { Why } from './model.ts';
import type { TaskOptions } from './options.ts';

/** Finds out why a caller asks, and through whom. `now` is in milliseconds since the epoch. */
export type ReadTask = (
  input: CheckInput,
  target: Target,
  caller: Caller,
  known: Inventory,
  now: number,
) => Promise<Why | Refusal>;

/** The stage that reads tasks, by these options. */
export function taskReader(options: TaskOptions): ReadTask {
  return async (input, _target, caller) => {
    const declared = readDeclared(input.headers, options.headers);
    if (declared instanceof Refusal) return declared;
    return { task: null, declared, chain: [caller.workload], claims: [], responseHeaders: [] };
  };
}
