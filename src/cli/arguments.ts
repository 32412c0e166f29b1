import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { messageOf } from '../base/fault.ts';
import { type Io, MISUSED } from './io.ts';

export type Parsed<O extends ParseArgsOptionsConfig> = ReturnType<
  typeof parseArgs<{ readonly options: O; readonly allowPositionals: true; readonly strict: true }>
>;

/** Options and other arguments of a command, or the exit code after the fault and the usage were printed. */
export function readArguments<const O extends ParseArgsOptionsConfig>(
  args: readonly string[],
  options: O,
  usage: string,
  io: Io,
): Parsed<O> | number {
  try {
    const parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true, tokens: true });
    const named = parsed.tokens.flatMap((token) => (token.kind === 'option' ? [token.name] : []));
    const twice = named.find(
      (name, i) => options[name]?.type === 'string' && options[name]?.multiple !== true && named.indexOf(name) !== i,
    );
    if (twice !== undefined) return misuse(`--${twice} is stated twice`, usage, io);
    return parsed;
  } catch (error) {
    if ('local' in options && args.some((arg) => /^--ours(?:=|$)/.test(arg)))
      return misuse('--ours was renamed; write --local', usage, io);
    return misuse(messageOf(error), usage, io);
  }
}

/** Says what is wrong with a command line, and how it is written. */
export function misuse(problem: string, usage: string, io: Io): number {
  io.err(`${problem}\n\n${usage}`);
  return MISUSED;
}
