/** How many entries are remembered and how many may be, and the bytes that they count as. */
export interface StateLoad {
  readonly entries: number;
  readonly limit: number;
  readonly bytes: number;
  readonly byteLimit: number;
}

/** What one entry may take, with its share in the tables: measured, and rounded up. */
const ENTRY_BYTES = 512;

/** The load of so many entries, of which so many may be there. */
export const stateLoad = (entries: number, limit: number): StateLoad => ({
  entries,
  limit,
  bytes: entries * ENTRY_BYTES,
  byteLimit: limit * ENTRY_BYTES,
});

/** The most that a caller may take beside so many entries of others: half of what they leave. Nobody fills the state alone. */
export const shareOf = (limit: number, others: number): number => Math.ceil((limit - others) / 2);
