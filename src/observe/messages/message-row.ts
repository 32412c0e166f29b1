/** From the least to the most urgent. */
export const levels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof levels)[number];

/** One message of the log as docs/messages.md shows it. */
export interface MessageRow {
  readonly level: LogLevel;
  /** The members beside `time`, `level` and `message`. */
  readonly fields: readonly string[];
  /** What happened, and what to do about it. */
  readonly use: string;
}
