import type { Reason } from '../../../src/base/outcome.ts';
import type { Answer } from '../../support/world.ts';
import type { AskOf } from '../../support/world-asks.ts';

/** A refused request beside its positive control, from which it differs in one thing. */
export interface Pair {
  readonly good: AskOf;
  readonly bad: AskOf;
  /** Played in this world instead of the mesh. */
  readonly world?: 'proxies' | 'asking' | 'legacy';
}

/** What needs a world of its own, or a certain state of it. */
export interface Scene {
  readonly play: () => Promise<{ readonly good: Answer; readonly bad: Answer }>;
  /** What becomes of the control, where it cannot be permitted. */
  readonly goodIs?: Reason;
}

export type ReasonCase = Pair | Scene;

/** The cases of one family of reasons: none may be missing. */
export type Family<F extends string> = Readonly<Record<Extract<Reason, `${F}_${string}`>, ReasonCase>>;

export const pair = (good: AskOf, bad: AskOf): Pair => ({ good, bad });
