import { tryFacts } from '../support/fact-calls.ts';
import { shippedFacts } from '../support/proved.ts';
import type { SoakResult } from './run.ts';

const CALLS = 100_000;
const ASKS = 500;

/**
 * `npm run soak -- facts [CALLS]`: every call that the product makes satisfies every fact that `policy prove` takes for
 * given. The seed is printed; FACTS_SEED repeats a run.
 */
export async function run([most = String(CALLS)]: readonly string[]): Promise<SoakResult> {
  const seed = Number(process.env.FACTS_SEED ?? Date.now() % 2 ** 31);
  const shipped = await shippedFacts();
  const { calls, estates, faults } = await tryFacts(shipped, seed, Number(most), ASKS);
  const line = `facts: ${calls} calls over ${estates} estates satisfy ${shipped.length} facts and those of their inventories (seed ${seed})`;
  return { line, faults };
}
