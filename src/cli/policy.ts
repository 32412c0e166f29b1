import { type Io, MISUSED } from './io.ts';
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

/** What moves a cursor, hides, or reorders text: policies, tests and audit lines may come from anybody. */
const UNSEEN =
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\udb40[\udc00-\udfff]/g;

function plain(text: string): string {
  return text.replace(UNSEEN, (found) =>
    [...found].map((one) => `\\u{${(one.codePointAt(0) ?? 0).toString(16)}}`).join(''),
  );
}

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
