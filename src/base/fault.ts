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
