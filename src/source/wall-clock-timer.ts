import type { Clock } from '../base/clock.ts';

/** A timer stands still while the machine sleeps, and one beyond 2^31-1 ms fires at once; neither holds for steps of this. */
const STEP_MS = 10_000;

/**
 * Runs something once when the wall clock has moved on by so many milliseconds, also where the machine slept meanwhile or
 * the clock was set back. The result cancels it.
 */
export function wakeAfter(clock: Clock, milliseconds: number, run: () => void): () => void {
  const from = clock.now();
  let cancel: () => void = () => {};
  const look = () => {
    const passed = clock.now() - from;
    if (passed >= milliseconds || passed < 0) run();
    else cancel = clock.after(Math.min(milliseconds - passed, STEP_MS), look);
  };
  cancel = clock.after(Math.min(milliseconds, STEP_MS), look);
  return () => cancel();
}
