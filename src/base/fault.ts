/** Why something could not be read, in words for the log or the person who wrote it. Returned, never thrown. */
export class Fault {
  readonly detail: string;

  constructor(detail: string) {
    this.detail = detail;
    Object.freeze(this);
  }
}

/** The message of whatever was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Ends a reading at its first fault. Thrown by `fail`, caught by `reading`, seen nowhere else. */
class Stop extends Fault {}

/** Stops the reading that `reading` began. */
export function fail(detail: string): never {
  throw new Stop(detail);
}

/** What `read` returns, or `refuse` of the fault that it met. A throw of any other kind is a bug, and goes on. */
export function reading<T, F>(read: () => T, refuse: (detail: string) => F): T | F {
  try {
    return read();
  } catch (error) {
    if (error instanceof Stop) return refuse(error.detail);
    throw error;
  }
}
