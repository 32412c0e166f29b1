import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Inventory } from '../../src/inventory/inventory.ts';
import type { Snapshot } from '../../src/policy/decide/snapshot.ts';
import { type CaseResult, difference, judgeCase, readCases } from '../../src/policy/load/cases.ts';
import type { SourceFile } from '../../src/policy/text/source-file.ts';
import { formatProblem } from '../../src/source/problem.ts';

/** Makes a test of each policy case of a file, and returns what the policies said. */
export function testCases(file: SourceFile, snapshot: Snapshot<Inventory>): CaseResult[] {
  const results: CaseResult[] = [];
  for (const found of readCases(file, snapshot.inventory, snapshot.headers)) {
    if (!('expected' in found)) assert.fail(formatProblem(found));
    const result = judgeCase(found, snapshot);
    results.push(result);
    test(`${file.file}: ${found.name}`, () => {
      assert.equal(difference(found, result), null);
    });
  }
  return results;
}
