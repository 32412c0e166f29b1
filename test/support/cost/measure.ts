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

/** Sends one input again and again, newly signed where it is signed: what is remembered is not the cost. Audit and metrics of one run are paid for in its own or in the next one's figure. */
export async function costOf(estate: CostEstate, message: () => Uint8Array): Promise<Cost> {
  const figures: number[] = [];
  const run = async (count: number) => {
    // Made beforehand: what the sidecar does while a client signs is not their cost.
    const messages = Array.from({ length: WARM + count }, message);
    for (const warm of messages.splice(0, WARM)) await estate.client.check(warm);
    let before = estate.cpuMs();
    for (const one of messages) {
      await estate.client.check(one);
      const after = estate.cpuMs();
      figures.push(after - before);
      before = after;
    }
  };
  await run(SCREENED);
  if (Math.min(...figures) > SCREEN_MS) await run(RUNS - SCREENED);
  const sorted = figures.toSorted((a, b) => a - b);
  return { median: sorted[Math.floor((sorted.length - 1) / 2)]!, worst: sorted.at(-1)!, runs: sorted.length };
}
