import { type Io, MISUSED } from './io.ts';
import { CHECK_USAGE, policyCheck } from './policy-check.ts';
import { policyTest, TEST_USAGE } from './policy-test.ts';

type Command = (args: readonly string[], io: Io) => Promise<number>;

const COMMANDS: Readonly<Record<string, readonly [run: Command, usage: string]>> = {
  check: [policyCheck, CHECK_USAGE],
  test: [policyTest, TEST_USAGE],
};

export const POLICY_USAGE = `policy check|test                  what a folder of policies holds, and what it would decide
                                    (policy VERB --help)
`;

/** `policy VERB …`: the tools for whoever writes policies. */
export async function policyCommand([verb = '--help', ...rest]: readonly string[], io: Io): Promise<number> {
  const [run, usage] = Object.hasOwn(COMMANDS, verb) ? (COMMANDS[verb] ?? []) : [];
  if (run === undefined || usage === undefined) {
    const all = Object.values(COMMANDS).map(([, text]) => text);
    const [say, code] = verb === '--help' || verb === '-h' ? [io.out, 0] : [io.err, MISUSED];
    say(all.join('\n'));
    return code;
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    io.out(usage);
    return 0;
  }
  return run(rest, io);
}
