import { type Condition, weakenedGuards } from './mutants.ts';
import { root, runMutation } from './run.ts';

/** Does each bound of a legacy account have a test? One after another is deleted or weakened; the tests must notice. */
const sources = [
  'src/identity/api-key.ts',
  'src/identity/legacy.ts',
  'src/identity/legacy-certificate.ts',
  'src/inventory/legacy/rules.ts',
];

const tests = [
  'src/identity/api-key.test.ts',
  'src/identity/legacy-certificate.test.ts',
  'src/inventory/legacy/rules.test.ts',
  'test/cases/legacy-keys.test.ts',
  'test/cases/legacy-certificates.test.ts',
];

const conditions: readonly Condition[] = [
  ['api-key.ts', 'now >= from', 'true'],
  ['api-key.ts', 'now < to', 'true'],
  ['legacy.ts', 'inNetworks(workload, client) === true', 'inNetworks(workload, client) !== false'],
  ['legacy-certificate.ts', "connection.source.principal.startsWith('spiffe://')", 'false'],
  ['legacy-certificate.ts', 'one.id.text !== id.text', 'false'],
  ['legacy-certificate.ts', 'names.some(({ form }) => form === forms.uri)', 'false'],
  ['legacy-certificate.ts', 'seconds <= remembered.pathNotAfter', 'true'],
  ['legacy/rules.ts', "kind !== 'legacy'", 'false'],
  ['legacy/rules.ts', 'networks === null', 'false'],
  ['legacy/rules.ts', '!hosts.has(host)', 'false'],
  ['legacy/rules.ts', 'livesMs <= 0', 'false'],
  ['legacy/rules.ts', 'livesMs > LONGEST_KEY_MS', 'false'],
];

process.exitCode = await runMutation({
  name: 'legacy',
  mutants: sources.flatMap((file) => weakenedGuards(root, file, conditions)),
  conditions,
  tests,
  near: (file) => tests.filter((test) => test === file.replace(/\.ts$/, '.test.ts')),
  explained: {},
});
