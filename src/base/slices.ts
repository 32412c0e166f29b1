import { setImmediate } from 'node:timers/promises';

/** Work in steps: it gives the thread back after each, and its result at the end. */
export type Steps<T> = Generator<void, T>;

/** The longest that work of ours holds the thread that serves checks, in milliseconds, but for its longest step. */
const SLICE_MS = 4;

/** Turns at a thread that others wait for. */
export class Turns {
  readonly #sliceMs: number;
  #began = performance.now();

  /** `sliceMs`: how long one turn may be. */
  constructor(sliceMs: number) {
    this.#sliceMs = sliceMs;
  }

  /** Whether this turn has been long enough. */
  get over(): boolean {
    return performance.now() - this.#began >= this.#sliceMs;
  }

  /** Lets the others have theirs. */
  async next(): Promise<void> {
    await setImmediate();
    this.#began = performance.now();
  }
}

/** Runs all steps, in turns. */
export async function inSlices<T>(steps: Steps<T>): Promise<T> {
  const turns = new Turns(SLICE_MS);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    if (turns.over) await turns.next();
  }
}

/** Runs all steps at once. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}
