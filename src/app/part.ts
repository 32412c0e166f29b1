/** One part of the running sidecar. */
export interface Part {
  /** What keeps the sidecar from being ready, one line each. `nowMs`: milliseconds since the epoch, as below. */
  missing(nowMs: number): readonly string[];
  /** What `/status` shows of it: plain data without secrets. */
  status(nowMs: number): PartStatus;
  /** Ends it. Resolves when nothing of it is left. */
  stop(): void | Promise<void>;
}

/** Members of the page. Lists that several parts have under one name are one list there. */
export type PartStatus = Readonly<Record<string, unknown>>;

/** What all parts miss. */
export function missingIn(parts: readonly Part[], nowMs: number): readonly string[] {
  return parts.flatMap((part) => part.missing(nowMs));
}

/** What all parts show. */
export function statusOf(parts: readonly Part[], nowMs: number): PartStatus {
  const all: Record<string, unknown> = {};
  for (const [name, value] of parts.flatMap((part) => Object.entries(part.status(nowMs)))) {
    const before = all[name];
    all[name] = Array.isArray(before) && Array.isArray(value) ? [...before, ...value] : value;
  }
  return all;
}

/** Ends the parts, the last first. */
export async function stopAll(parts: readonly Pick<Part, 'stop'>[]): Promise<void> {
  for (const part of parts.toReversed()) await part.stop();
}

/** ISO 8601, as logs and audit write times. `at` in milliseconds since the epoch. */
export const timeText = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());
