import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run as spiffe } from '../conformance/spiffe.ts';
import { run as limbo } from '../conformance/x509-limbo.ts';
import { run as traps } from '../conformance/x509-traps.ts';

/** The corpora as one test, for the runs over mutants alone: `npm test` runs them by name. */
for (const [name, run] of Object.entries({ spiffe, limbo, traps })) {
  test(name, () => assert.deepEqual(run().failures, []));
}
