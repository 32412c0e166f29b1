import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

/**
 * Exit codes of every command. FAILED is an answer: problems were found, a decision would change, or the sidecar could not
 * serve. UNREAD is none: a file that was named is absent, cannot be read, or is not what it has to be. MISUSED is EX_USAGE
 * of sysexits.h.
 */
export const DONE = 0;
export const FAILED = 1;
export const UNREAD = 2;
export const MISUSED = 64;

/** Where a command writes. */
export interface Io {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** What `-` reads. */
  readonly in?: () => AsyncIterable<Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Says what is wrong, and gives the exit code. */
export function failWith(message: string, io: Io): number {
  io.err(`${message}\n`);
  return FAILED;
}

/** The lines of a file, in their order. */
export function linesOf(file: string): AsyncIterable<string> {
  return createInterface({ input: createReadStream(file, 'utf8'), crlfDelay: Infinity });
}

/** Says that a file cannot be read, and gives the exit code. */
export function unread(file: string, error: unknown, io: Io): number {
  const { code, message } = error as NodeJS.ErrnoException;
  io.err(`${file}: cannot be read (${code ?? message}); name a file that is there\n`);
  return UNREAD;
}
