import { type LogLevel, levels } from './messages/message-row.ts';
import type { MessageOf } from './messages.ts';
import { plainJson } from './text.ts';

/** Facts beside the message: never a token, never a key, never the body of a request. */
export type LogFields = Readonly<Record<string, unknown>>;

/** The log of the sidecar itself, by the messages of its table. Decisions stand in the audit, not here. */
export type Log = { readonly [L in LogLevel]: (message: MessageOf<L>, fields?: LogFields) => void };

/** A log of any text. */
type TextLog = { readonly [L in LogLevel]: (message: string, fields?: LogFields) => void };

export interface LogOptions {
  /** The lowest level that is written. */
  readonly level: LogLevel;
  /** Takes one line with its line feed. */
  readonly write: (line: string) => void;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

const MAX_TEXT = 4096;

/**
 * A log of JSON lines: `time`, `level`, `message`, then the fields. An Error is written with its name, message, stack and
 * causes. Nothing that is logged can throw, break the line, or forge another one.
 */
export function createLog({ level, write, now }: LogOptions): TextLog {
  const least = levels.indexOf(level);
  const at =
    (name: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      if (levels.indexOf(name) < least) return;
      const head = { time: new Date(now()).toISOString(), level: name, message };
      write(`${line(head, fields)}\n`);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function line(head: Readonly<Record<string, string>>, fields: LogFields): string {
  try {
    // The head comes first in the line, and no field can take its place.
    return plainJson({ ...head, ...fields, ...head }, writable);
  } catch {
    return plainJson({ ...head, unwritable: Object.keys(fields) }, writable);
  }
}

/** What JSON cannot hold, or only at any length. */
function writable(_: string, value: unknown): unknown {
  if (typeof value === 'string') return value.length <= MAX_TEXT ? value : `${value.slice(0, MAX_TEXT)}…`;
  if (typeof value === 'bigint') return String(value);
  if (!(value instanceof Error)) return value;
  const { name, message, stack, cause } = value;
  return cause === undefined ? { name, message, stack } : { name, message, stack, cause };
}
