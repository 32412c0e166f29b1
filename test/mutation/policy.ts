import { globSync } from 'node:fs';
import { dirname } from 'node:path';
import { weakened, withoutComplaints, withoutGuards } from './mutants.ts';
import { root, runMutation } from './run.ts';

/**
 * Does each check of policies and of the inventory have a test: lint, limits, reload, what inherits, what never loosens,
 * routes? In a copy of the sources, one guard or complaint after another is deleted, and one condition after another is
 * weakened; the tests must notice. `node test/mutation/policy.ts [WORD]` takes the files whose path holds the word.
 */

const [, , word = ''] = process.argv;
const sources = globSync('src/{policy,policy/lint,inventory}/*.ts', { cwd: root }).filter(
  (file) => !file.endsWith('.test.ts') && file.includes(word),
);
const all = globSync(
  ['src/{inventory,policy}/*.test.ts', 'src/policy/{lint,tools}/*.test.ts', 'test/cedar/*.test.ts'],
  {
    cwd: root,
  },
);
/** Last, and only where all others are content: they take most of the time. */
const slow = all.filter((file) => /differential|hostile|property|holder/.test(file));
const quick = all.filter((file) => !slow.includes(file));
const own = (file: string): readonly string[] => all.filter((test) => test === file.replace(/\.ts$/, '.test.ts'));
const beside = (file: string): readonly string[] =>
  quick.filter((test) => dirname(test).startsWith(dirname(file).replace('/lint', '')));

/** Checks that are no statement of their own: the text of each, which stands there once, and what is left of it. */
const conditions: readonly (readonly [file: string, text: string, weakened: string])[] = [];

process.exitCode = await runMutation({
  name: 'policy',
  mutants: sources.flatMap((file) => [
    ...withoutGuards(root, file),
    ...withoutComplaints(root, file),
    ...conditions
      .filter(([name]) => file.endsWith(`/${name}`))
      .map(([, part, left]) => weakened(root, file, part, left)),
  ]),
  tests: [...quick, ...slow],
  near: (file) => [...new Set([...own(file), ...beside(file)])],
  explained: {},
});
