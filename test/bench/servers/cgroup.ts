import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../../src/base/fault.ts';

/** A memory cgroup of Linux, below that of this process. */
export interface MemoryLimit {
  /** The same command line, inside the group. */
  readonly within: (
    file: string,
    args: readonly string[],
  ) => { readonly file: string; readonly args: readonly string[] };
  /** Once nothing runs in it. */
  readonly remove: () => void;
}

/** A group with a limit; or why there can be none here: it takes root, or a part of the hierarchy that was handed over. */
export function limitMemory(bytes: number): MemoryLimit | string {
  const lines = readFileSync('/proc/self/cgroup', 'utf8').trim().split('\n');
  const path = (controller: string) =>
    lines.map((line) => line.split(':')).find(([, controllers]) => controllers?.split(',').includes(controller))?.[2];
  // Version 1 has a hierarchy for memory, version 2 one for all.
  const first = path('memory');
  const parent = first === undefined ? join('/sys/fs/cgroup', path('') ?? '') : join('/sys/fs/cgroup/memory', first);
  const group = join(parent, `authz-bench-${process.pid}`);
  try {
    mkdirSync(group);
    const file = join(group, first === undefined ? 'memory.max' : 'memory.limit_in_bytes');
    if (!existsSync(file)) throw new Error('the memory controller is not handed over');
    writeFileSync(file, String(bytes));
  } catch (error) {
    return messageOf(error);
  }
  return {
    within: (file, args) => ({
      file: 'sh',
      args: ['-c', 'echo $$ > "$0" && exec "$@"', join(group, 'cgroup.procs'), file, ...args],
    }),
    remove: () => rmdirSync(group),
  };
}
