/** The time, and something done later. Handed in, so that tests move it by hand. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Runs something once after so many milliseconds; the result cancels it. */
  after(milliseconds: number, run: () => void): () => void;
}

/** The clock of the machine. What waits on it does not keep the process alive. */
export const systemClock: Clock = {
  now: Date.now,
  after(milliseconds, run) {
    const timer = setTimeout(run, milliseconds).unref();
    return () => clearTimeout(timer);
  },
};

/** Resolves after so many milliseconds, or as soon as `sooner` does. */
export async function pause(clock: Clock, milliseconds: number, sooner?: Promise<void>): Promise<void> {
  const over = Promise.withResolvers<void>();
  const cancel = clock.after(milliseconds, over.resolve);
  await (sooner === undefined ? over.promise : Promise.race([over.promise, sooner]));
  cancel();
}
