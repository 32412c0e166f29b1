import type { ActivityLimits } from './model.ts';

/** What one decision, and one workload with its names, may take in their tables: measured, and rounded up. */
const DECISION_BYTES = 2048;
const WORKLOAD_BYTES = 4096;

/** How many are kept. */
export interface ActivityCounts {
  readonly denials: number;
  readonly allows: number;
  readonly workloads: number;
}

/** How full one kind is, and how full it may be, in entries and in the bytes that they count as. */
export interface ActivityLoad {
  readonly entries: number;
  readonly limit: number;
  readonly bytes: number;
  readonly byteLimit: number;
}

/** How full each kind is. */
export function activityLoads(
  counts: ActivityCounts,
  limits: ActivityLimits,
): readonly (readonly [keyof ActivityCounts, ActivityLoad])[] {
  const of = (kind: keyof ActivityCounts, bytes: number) => {
    const [entries, limit] = [counts[kind], limits[kind]];
    return [kind, { entries, limit, bytes: entries * bytes, byteLimit: limit * bytes }] as const;
  };
  return [of('denials', DECISION_BYTES), of('allows', DECISION_BYTES), of('workloads', WORKLOAD_BYTES)];
}

/** What all of it may take in a store, in bytes. */
export const activityBytes = (limits: ActivityLimits): number =>
  activityLoads(limits, limits).reduce((sum, [, { byteLimit }]) => sum + byteLimit, 0);
