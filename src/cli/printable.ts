import { plainJson } from '../observe/text.ts';
import type { Command } from './commands.ts';

/** What moves a cursor, hides, or reorders text: policies, tests and audit lines may come from anybody. */
const UNSEEN = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{DI}]/gu;

/** Text for a terminal, with what is unseen written out as Cedar writes it. */
export function plain(text: string): string {
  return text.replace(UNSEEN, (found) => `\\u{${(found.codePointAt(0) ?? 0).toString(16)}}`);
}

/** The value as JSON of several lines, with what is unseen escaped as JSON does it. */
export const indentedJson = (value: unknown): string => plainJson(value, undefined, 2);

/** A command whose output shows nothing unseen, wherever its words come from. */
export const plainOutput = ({ usage, run }: Command): Command => ({
  usage,
  run: (args, io) => run(args, { ...io, out: (text) => io.out(plain(text)), err: (text) => io.err(plain(text)) }),
});
