/**
 * The wall clock with the resolution of the monotonic one, for times that others compare with theirs. `Date.now()` shows whole
 * milliseconds, and the monotonic clock drifts away from it: wherever the two disagree, this one follows the wall.
 */
export class WallTime {
  #shiftMs = performance.timeOrigin;

  /** What an instant of `performance.now()` of a moment ago is, in whole microseconds since the epoch. */
  micros(instantMs: number): number {
    const now = performance.now();
    const aheadMs = now + this.#shiftMs - Date.now();
    // The millisecond that the wall clock shows began at most one before.
    if (aheadMs < 0 || aheadMs >= 1) this.#shiftMs -= aheadMs < 0 ? aheadMs : aheadMs - 1;
    return Math.round((instantMs + this.#shiftMs) * 1000);
  }
}
