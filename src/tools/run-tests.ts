import type { Inventory } from '../inventory/inventory.ts';
import type { Snapshot } from '../policy/decide/snapshot.ts';
import { type CaseResult, difference, type PolicyCase, readCases, runCase } from '../policy/load/cases.ts';
import type { SourceFile } from '../policy/text/source-file.ts';
import type { Sources } from '../policy/text/sources.ts';
import type { Problem } from '../source/problem.ts';

/** What came of one case. */
export interface Outcome {
  readonly stated: PolicyCase;
  readonly result: CaseResult;
  /** How the two differ, in one line; null when they do not. */
  readonly differs: string | null;
}

/** What came of the cases of one file. */
export interface TestRun {
  readonly source: SourceFile;
  readonly outcomes: readonly Outcome[];
}

/** Runs every case of the folder's tests; cases that cannot be read are problems instead. */
export function runTests({ tests }: Sources, snapshot: Snapshot<Inventory>): TestRun[] | Problem[] {
  const problems: Problem[] = [];
  const runs: TestRun[] = [];
  for (const source of tests) {
    const outcomes: Outcome[] = [];
    for (const stated of readCases(source, snapshot.inventory, snapshot.headers)) {
      if (!('questions' in stated)) {
        problems.push(stated);
        continue;
      }
      const result = runCase(stated, (question) => snapshot.decide(question));
      outcomes.push({ stated, result, differs: difference(stated, result) });
    }
    runs.push({ source, outcomes });
  }
  return problems.length > 0 ? problems : runs;
}

/** Tells what `runTests` gave. */
export const areRuns = (result: TestRun[] | Problem[]): result is TestRun[] =>
  result.every((item) => 'outcomes' in item);
