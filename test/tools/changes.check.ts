import assert from 'node:assert/strict';
import { cpSync, globSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { suite, test } from 'node:test';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { finish } from '../support/run.ts';

const root = join(import.meta.dirname, '..', '..');

/** What a change touches besides is made anew by the tests: `UPDATE=1`, `UPDATE_GOLDEN=1`. */
const GENERATED =
  /^(?:test\/|src\/.*\.test\.ts$|docs\/(?:configuration|metrics|messages)\.md$|docs\/.*\.schema\.json$)/;
const generators = [
  'src/observe/pages.test.ts',
  'src/observe/line-schema.test.ts',
  'src/config/reference.test.ts',
  'test/docs/schemas.test.ts',
];
const always = ['test/imports.test.ts', 'test/names.test.ts', ...generators];

/** The tests that notice a change which is not whole, by the name of its patch. */
const noticing: Readonly<Record<string, readonly string[]>> = {
  reason: ['src/http', 'src/envoy', 'test/cases/reasons.test.ts', 'test/cases/reasons-docs.test.ts'],
  fact: [
    'src/check',
    'src/policy/decide',
    'src/policy/lint/absence.test.ts',
    'src/policy/lint/mistakes.test.ts',
    'src/policy/load/cases.test.ts',
    'src/tools/audited.test.ts',
    'test/cases/golden.test.ts',
    'test/docs/audit.test.ts',
  ],
  metric: ['src/observe', 'src/app'],
  'config-key': ['src/config', 'src/app'],
  'issuer-kind': ['src/config', 'src/task', 'src/identity'],
};

// Two at a time: compiling and testing one of them leaves half of a small machine idle.
suite('the changes of docs/changes', { concurrency: 2 }, () => {
  const patches = globSync('docs/changes/*.patch', { cwd: root });

  test('each has its tests', () => {
    assert.deepEqual(patches.map((path) => basename(path, '.patch')).toSorted(), Object.keys(noticing).toSorted());
  });

  for (const path of patches) {
    test(`${path} touches at most four files by hand, and is whole`, async (t) => {
      const files = [...readFileSync(join(root, path), 'utf8').matchAll(/^\+\+\+ b\/(.+)$/gm)].map(([, name]) => name!);
      const byHand = files.filter((name) => !GENERATED.test(name));
      assert.ok(byHand.length <= 4, byHand.join(', '));
      const copy = temporaryFolder();
      t.after(() => removeFolder(copy));
      const { stdout } = await finish('git', ['ls-files'], { cwd: root });
      for (const name of stdout.trim().split('\n')) cpSync(join(root, name), join(copy, name));
      symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
      await run(copy, 'git', ['apply', '--whitespace=error-all', join(root, path)]);
      await run(copy, process.execPath, [join('node_modules', 'typescript', 'bin', 'tsc'), '-p', '.']);
      const golden = { UPDATE: '1', UPDATE_GOLDEN: '1' };
      await run(copy, process.execPath, ['--test', ...generators, 'test/cases/golden.test.ts'], golden);
      const tests = noticing[basename(path, '.patch')]!.flatMap((name) =>
        name.endsWith('.ts') ? [name] : globSync(`${name}/**/*.test.ts`, { cwd: copy }),
      );
      await run(copy, process.execPath, ['--test', '--test-concurrency=2', ...always, ...tests]);
    });
  }
});

/** Runs a command in the copy, which must succeed. */
async function run(cwd: string, command: string, args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<void> {
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  const { code, stdout, stderr } = await finish(command, args, { cwd, env: { ...environment, ...more } });
  assert.equal(code, 0, `${command} ${args.join(' ').slice(0, 200)}\n${stdout.slice(-6000)}\n${stderr.slice(-2000)}`);
}
