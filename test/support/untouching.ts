import type { Stages } from '../../src/check/stages.ts';
import { NOTHING_TOUCHED, type TouchedFacts } from '../../src/policy/decide/touched.ts';
import { UNTOUCHING } from '../../src/state/redemption.ts';

/** A stage for which this was opened before, and that records nothing. */
export const untouching = (facts: TouchedFacts = NOTHING_TOUCHED): Stages['touched'] => ({
  read: () => ({ facts, history: { id: '', sinceMs: 0 }, records: new Map() }),
  touching: () => UNTOUCHING,
});
