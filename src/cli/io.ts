import { parseArgs } from 'node:util';

/**
 * Exit codes: EX_USAGE of sysexits.h for what the command line or the config gets wrong, 2 for input that cannot be read,
 * 1 for everything else.
 */
export const DONE = 0;
export const FAILED = 1;
export const UNREAD = 2;
export const MISUSED = 64;

/** Where a command writes. */
export interface Io {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The value of `--NAME`, or the only positional argument; null when it is neither, or when there is more. */
export function soleArgument(args: readonly string[], name: string): string | null {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { [name]: { type: 'string' } },
      allowPositionals: true,
      strict: true,
    });
    const named = values[name];
    const all = [...(typeof named === 'string' ? [named] : []), ...positionals];
    return all.length === 1 ? (all[0] ?? null) : null;
  } catch {
    return null;
  }
}
