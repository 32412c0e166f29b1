import { type Io, MISUSED } from './io.ts';
import { plain } from './plain.ts';
import { CHECK_USAGE, policyCheck } from './policy-check.ts';
import { EXPLAIN_USAGE, policyExplain } from './policy-explain.ts';
import { policyReach, REACH_USAGE } from './policy-reach.ts';
import { policyReplay, REPLAY_USAGE } from './policy-replay.ts';
import { policyTest, TEST_USAGE } from './policy-test.ts';

type Command = (args: readonly string[], io: Io) => Promise<number>;

const COMMANDS: Readonly<Record<string, readonly [run: Command, usage: string]>> = {
  check: [policyCheck, CHECK_USAGE],
  test: [policyTest, TEST_USAGE],
  explain: [policyExplain, EXPLAIN_USAGE],
  replay: [policyReplay, REPLAY_USAGE],
  reach: [policyReach, REACH_USAGE],
};

export const POLICY_USAGE = `policy check|test|explain|replay|reach
                                    what a folder of policies holds, decides and would change (policy VERB --help)
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
  return run(rest, { ...io, out: (text) => io.out(plain(text)), err: (text) => io.err(plain(text)) });
}
