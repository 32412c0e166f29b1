import type { SoakResult } from './run.ts';
import { approvalOverSidecars } from './store/once.ts';

const SIDECARS = 4;
const USES = 10_000;
const SHORT_USES = 1000;

/**
 * `npm run soak -- approvals [short]`: one request that was approved for one use, and one that was for seven, 10,000 times over four
 * sidecars with one store: as many pass, whatever comes at once.
 */
export async function run(args: readonly string[]): Promise<SoakResult> {
  const uses = args.includes('short') ? SHORT_USES : USES;
  const one = await approvalOverSidecars(SIDECARS, uses, 1);
  const several = await approvalOverSidecars(SIDECARS, uses, 7);
  return { line: `${one.line}; ${several.line}`, faults: [...one.faults, ...several.faults] };
}
