import type { CostEstate } from './process.ts';

/** What one input cost the sidecar, in milliseconds of CPU over all its threads. */
export interface Cost {
  readonly median: number;
  readonly worst: number;
  readonly runs: number;
}

const WARM = 1;
const SCREENED = 2;
const RUNS = 20;
/** Inputs below are cheap enough for a look; above it they are measured in full. */
const SCREEN_MS = 2;

/** Sends one message again and again. Audit and metrics of one run are paid for in its own or in the next one's figure. */
export async function costOf(estate: CostEstate, message: Uint8Array): Promise<Cost> {
  for (let at = 0; at < WARM; at++) await estate.client.check(message);
  const figures: number[] = [];
  let before = estate.cpuMs();
  const run = async (count: number) => {
    for (let at = 0; at < count; at++) {
      await estate.client.check(message);
      const after = estate.cpuMs();
      figures.push(after - before);
      before = after;
    }
  };
  await run(SCREENED);
  if (Math.min(...figures) > SCREEN_MS) await run(RUNS - SCREENED);
  const sorted = figures.toSorted((a, b) => a - b);
  return { median: sorted[Math.floor(sorted.length / 2)]!, worst: sorted.at(-1)!, runs: sorted.length };
}
