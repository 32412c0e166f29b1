import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { test } from 'node:test';
import { blocks, page, repository } from '../docs/markdown.ts';
import { cached } from '../support/cache.ts';
import { copyExample } from '../support/estate.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { finish, run } from '../support/run.ts';

const VERSION = '4.7.0';

const installed = (): Promise<string> =>
  cached('pre-commit', VERSION, async (into) => {
    await run('python3', ['-m', 'pip', 'install', '--quiet', '--target', into, `pre-commit==${VERSION}`]);
  });

test('pre-commit runs the hook of docs/ci.md: good policies are committed, and broken ones are not', async (t) => {
  const packages = await installed();
  const dir = temporaryFolder();
  t.after(() => removeFolder(dir));
  const env = {
    ...process.env,
    PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
    PYTHONPATH: packages,
    PRE_COMMIT_HOME: join(dir, '.cache'),
    GIT_CONFIG_GLOBAL: join(dir, '.gitconfig'),
  };
  writeFileSync(env.GIT_CONFIG_GLOBAL, '[user]\nname = author\nemail = author@prod.example\n');
  const tree = join(dir, 'tree');
  const bin = join(tree, 'node_modules', '.bin');
  mkdirSync(bin, { recursive: true });
  // test/package.test.ts has the package itself there.
  const program = join(bin, 'cedar-ext-authz');
  writeFileSync(program, `#!/bin/sh\nexec node ${join(repository, 'src', 'main.ts')} "$@"\n`);
  chmodSync(program, 0o755);
  copyExample(tree);
  writeFileSync(join(tree, 'package.json'), '{}');
  writeFileSync(join(tree, '.gitignore'), 'node_modules\n');
  const [hook] = blocks(page('docs/ci.md').text).filter(({ info }) => info === 'yaml pre-commit');
  writeFileSync(join(tree, '.pre-commit-config.yaml'), hook!.text);
  const git = (...args: readonly string[]) => finish('git', args, { cwd: tree, env });
  const commit = async (message: string) => {
    await git('add', '--all');
    return git('commit', '-m', message);
  };
  await run('git', ['init', '--quiet'], { cwd: tree, env });
  await run('python3', ['-m', 'pre_commit', 'install'], { cwd: tree, env });

  const good = await commit('the example');
  assert.equal(good.code, 0, good.stderr);
  assert.match(good.stderr, /policies load and pass their tests\.+Passed/);

  const file = join(tree, 'policies', 'payments.cedar');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace('principal', 'pricipal'));
  const broken = await commit('broken');
  assert.equal(broken.code, 1);
  assert.match(broken.stderr, /policies load and pass their tests\.+Failed[\s\S]*policies\/payments\.cedar:\d+:\d+: /);

  writeFileSync(file, text);
  writeFileSync(join(tree, 'README.md'), 'Policies.\n');
  const other = await commit('a page');
  assert.match(other.stderr, /policies load and pass their tests\.+\(no files to check\)Skipped/);
});
