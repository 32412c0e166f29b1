import { group } from '../commands.ts';
import type { Io } from '../io.ts';
import { policyExplain } from '../policy-explain.ts';
import { policyReach } from '../policy-reach.ts';
import { policyReplay } from '../policy-replay.ts';
import { policyTest } from '../policy-test.ts';
import { plainOutput } from '../printable.ts';
import { policyCheck } from './check.ts';
import { policyCompare } from './compare.ts';
import { policyProve } from './prove.ts';

/** `policy VERB …`: the tools for whoever writes policies. */
export const policy = group('policy', {
  check: plainOutput(policyCheck),
  test: plainOutput(policyTest),
  explain: plainOutput(policyExplain),
  replay: plainOutput(policyReplay),
  reach: plainOutput(policyReach),
  prove: plainOutput(policyProve),
  compare: plainOutput(policyCompare),
});

/** Runs `policy VERB …`. */
export const policyCommand = (args: readonly string[], io: Io): Promise<number> => policy.run(args, io);
