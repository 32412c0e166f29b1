import { type Command, group } from './commands.ts';
import type { Io } from './io.ts';
import { CHECK_USAGE, policyCheck } from './policy-check.ts';
import { EXPLAIN_USAGE, policyExplain } from './policy-explain.ts';
import { policyReach, REACH_USAGE } from './policy-reach.ts';
import { policyReplay, REPLAY_USAGE } from './policy-replay.ts';
import { policyTest, TEST_USAGE } from './policy-test.ts';
import { plain } from './printable.ts';

const verb = (usage: string, run: Command['run']): Command => ({
  usage,
  run: (args, io) => run(args, { ...io, out: (text) => io.out(plain(text)), err: (text) => io.err(plain(text)) }),
});

/** `policy VERB …`: the tools for whoever writes policies. */
export const policy = group('policy', {
  check: verb(CHECK_USAGE, policyCheck),
  test: verb(TEST_USAGE, policyTest),
  explain: verb(EXPLAIN_USAGE, policyExplain),
  replay: verb(REPLAY_USAGE, policyReplay),
  reach: verb(REACH_USAGE, policyReach),
});

/** Runs `policy VERB …`. */
export const policyCommand = (args: readonly string[], io: Io): Promise<number> => policy.run(args, io);
