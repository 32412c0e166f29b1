import { type Command, group } from './commands.ts';
import type { Io } from './io.ts';
import { policyCheck } from './policy-check.ts';
import { policyExplain } from './policy-explain.ts';
import { policyReach } from './policy-reach.ts';
import { policyReplay } from './policy-replay.ts';
import { policyTest } from './policy-test.ts';
import { plain } from './printable.ts';

const printable = ({ usage, run }: Command): Command => ({
  usage,
  run: (args, io) => run(args, { ...io, out: (text) => io.out(plain(text)), err: (text) => io.err(plain(text)) }),
});

/** `policy VERB …`: the tools for whoever writes policies. */
export const policy = group('policy', {
  check: printable(policyCheck),
  test: printable(policyTest),
  explain: printable(policyExplain),
  replay: printable(policyReplay),
  reach: printable(policyReach),
});

/** Runs `policy VERB …`. */
export const policyCommand = (args: readonly string[], io: Io): Promise<number> => policy.run(args, io);
