import { playExchanges } from '../support/exchanges.ts';
import type { SoakResult } from './run.ts';

/** `npm run soak -- exchanges [SEQUENCES]`: sequences of requests to exchange tokens, good and bad: none widens anything. SOAK_SEED begins elsewhere. */
export async function run([count = '100000']: readonly string[]): Promise<SoakResult> {
  const first = Number(process.env.SOAK_SEED ?? 0);
  const faults: string[] = [];
  let [granted, refused] = [0, 0];
  for (let seed = first; seed < first + Number(count); seed++) {
    const played = playExchanges(seed);
    granted += played.granted;
    refused += played.refused;
    if (played.widened !== null) faults.push(`wider than before: ${played.widened}`);
  }
  const line = `${count} sequences, ${granted} tokens granted, ${refused} requests refused, ${faults.length} wider`;
  return { line, faults: faults.slice(0, 20) };
}
