/** The stages of one check that are timed. */
export type TimedStage = 'identity' | 'task' | 'facts' | 'policy' | 'commit';

/** Divides the time of one check among its stages, in whole microseconds. */
export class Stopwatch {
  readonly micros: Partial<Record<TimedStage, number>> = {};
  #since = performance.now();

  /** The time since the last call was the stage's. */
  lap(stage: TimedStage): void {
    const now = performance.now();
    this.micros[stage] = Math.round((now - this.#since) * 1000);
    this.#since = now;
  }
}
