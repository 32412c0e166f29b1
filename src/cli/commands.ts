import type { ParseArgsOptionsConfig } from 'node:util';
import { misuse, type Parsed, readArguments } from './arguments.ts';
import { DONE, type Io } from './io.ts';

/** One command, or a group of them. */
export interface Command {
  /** Its synopsis and its options, as `--help` prints them. */
  readonly usage: string;
  readonly run: (args: readonly string[], io: Io) => Promise<number>;
  /** The verbs of a group, each a command of its own. */
  readonly verbs?: Commands;
}

export type Commands = Readonly<Record<string, Command>>;

/** A command line that was read. */
export type CommandLine<O extends ParseArgsOptionsConfig> = Parsed<O> & {
  /** Says what is wrong with it beside, and gives the exit code. */
  readonly misuse: (problem: string) => number;
};

/** A command that takes these options. */
export function command<const O extends ParseArgsOptionsConfig>(
  usage: string,
  options: O,
  run: (line: CommandLine<O>, io: Io) => Promise<number>,
): Command {
  return {
    usage,
    run: async (args, io) => {
      const parsed = readArguments(args, options, usage, io);
      if (typeof parsed === 'number') return parsed;
      return run({ ...parsed, misuse: (problem) => misuse(problem, usage, io) }, io);
    },
  };
}

/** A group of commands: its help is that of all its verbs. */
export function group(name: string, verbs: Commands): Command {
  const usage = Object.values(verbs)
    .map((verb) => verb.usage)
    .join('\n');
  return { usage, verbs, run: (args, io) => dispatch(verbs, args, { usage, within: `${name} ` }, io) };
}

/**
 * Runs the command that the first argument names. `--help` or `-h` before a `--` prints the help of the command on standard
 * output, whatever else the line holds; so does a line that names no command.
 */
export async function dispatch(
  commands: Commands,
  [name, ...rest]: readonly string[],
  { usage, within }: { readonly usage: string; readonly within: string },
  io: Io,
): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h') return help(usage, io);
  const command = commandOf(commands, name);
  if (command === undefined) return misuse(`there is no command ${JSON.stringify(within + name)}`, usage, io);
  const own = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest;
  const asksForHelp = own.includes('--help') || own.includes('-h');
  if (asksForHelp && (command.verbs === undefined || own[0]?.startsWith('-'))) return help(command.usage, io);
  return command.run(rest, io);
}

/** The command or verb that these names lead to. */
export function find(commands: Commands, [name = '', ...rest]: readonly string[]): Command | undefined {
  const command = commandOf(commands, name);
  if (rest.length === 0 || command === undefined) return command;
  return command.verbs === undefined ? undefined : find(command.verbs, rest);
}

function help(usage: string, io: Io): number {
  io.out(usage);
  return DONE;
}

const commandOf = (commands: Commands, name: string): Command | undefined =>
  Object.hasOwn(commands, name) ? commands[name] : undefined;
