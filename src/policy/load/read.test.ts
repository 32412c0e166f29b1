import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { estate, settings } from '../../../test/support/policy.ts';
import { formatProblem } from '../../source/problem.ts';
import { readSources } from './read.ts';

async function place(t: TestContext): Promise<{ folder: string; inventory: string; guardrails: string }> {
  const root = await mkdtemp(join(tmpdir(), 'read-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const [folder, guardrails, inventory] = [
    join(root, 'policies'),
    join(root, 'guardrails'),
    join(root, 'inventory.yaml'),
  ];
  await Promise.all([mkdir(folder), mkdir(guardrails)]);
  await writeFile(inventory, estate);
  await writeFile(join(folder, 'a.cedar'), '@id("a") permit (principal, action, resource);');
  return { folder, inventory, guardrails };
}

async function problems(at: Awaited<ReturnType<typeof place>>): Promise<string[]> {
  const { sources } = await readSources(at, settings);
  return Array.isArray(sources) ? sources.map(formatProblem) : [];
}

suite('reading the sources', () => {
  test('files are taken in a folder and below, by whatever links lead to them', async (t) => {
    const at = await place(t);
    await mkdir(join(at.folder, 'below'));
    await symlink(join(at.folder, 'a.cedar'), join(at.folder, 'below', 'b.cedar'));
    const { sources } = await readSources(at, settings);
    assert.ok(!Array.isArray(sources));
    assert.deepEqual(
      sources.policies.map(({ file }) => file),
      ['a.cedar', 'below/b.cedar'],
    );
  });

  test('tests are found however deep they stand below a folder of tests', async (t) => {
    const at = await place(t);
    const names = ['tests/a.yaml', 'teams/payments/tests/b.yml', 'tests/payments/deep/c.yaml', 'notes.yaml'];
    for (const name of names) {
      await mkdir(join(at.folder, dirname(name)), { recursive: true });
      await writeFile(join(at.folder, name), 'cases: []');
    }
    const { sources } = await readSources(at, settings);
    assert.ok(!Array.isArray(sources));
    assert.deepEqual(
      sources.tests.map(({ file }) => file),
      ['teams/payments/tests/b.yml', 'tests/a.yaml', 'tests/payments/deep/c.yaml'],
    );
  });

  test('a policy whose file would be passed over is a problem', async (t) => {
    const at = await place(t);
    await writeFile(join(at.folder, 'B.Cedar'), '@id("b") forbid (principal, action, resource);');
    assert.match((await problems(at)).join('\n'), /^B\.Cedar:1:1: would not be read/);
  });

  const passedOver: [name: string, noted: boolean, text?: string][] = [
    ['x.cedar.txt', true],
    ['x.cedar.json', true],
    ['x.cedar.bak', true],
    ['x.cedr', true],
    ['x.ceder', true],
    ['x.cedars', true],
    ['x.cdear', true],
    ['x.cedarshema', true],
    ['below/x.ceder', true],
    ['tests/x.json', true],
    ['tests/x.yaml.off', true],
    ['tests/x.YAML', true],
    ['Tests/x.yaml', true],
    ['test/x.yml', true],
    ['teams/payments/test/x.yml', true],
    ['cases.yaml', true, '# ours\ncases:\n  - name: x\n'],
    ['cases.json', true, '{ "cases": [] }'],
    ['kustomization.yaml', false, 'resources: []\n'],
    ['README', false],
    ['README.md', false],
    ['tests/README.md', false],
    ['x.txt', false],
    ['x.radar', false],
    ['.x.cedar.swp', false],
    ['a.cedar', false, '@id("a") permit (principal, action, resource);'],
    ['tests/x.yaml', false],
  ];
  for (const [name, noted, text = 'x'] of passedOver) {
    test(`${name} ${noted ? 'gets a note, since nobody reads it' : 'gets no note'}`, async (t) => {
      const at = await place(t);
      await mkdir(dirname(join(at.folder, name)), { recursive: true });
      await writeFile(join(at.folder, name), text);
      const { notes } = await readSources(at, settings);
      assert.deepEqual(
        notes.map(({ file }) => file),
        noted ? [name] : [],
      );
    });
  }

  test('the inventory gets no note where it lies among the policies', async (t) => {
    const at = await place(t);
    const inventory = join(at.folder, 'inventory.yaml');
    await writeFile(inventory, `${estate}\n# cases:`);
    assert.deepEqual((await readSources({ ...at, inventory }, settings)).notes, []);
  });

  test('a pipe is refused, not waited for', { timeout: 10_000 }, async (t) => {
    const at = await place(t);
    execFileSync('sh', ['-c', 'mkfifo "$0"', join(at.folder, 'b.cedar')]);
    assert.deepEqual(await problems(at), ['b.cedar:1:1: is no regular file; remove it']);
  });

  test('a device is refused, not read to an end that it does not have', { timeout: 10_000 }, async (t) => {
    const at = await place(t);
    await symlink('/dev/zero', join(at.folder, 'b.cedar'));
    assert.deepEqual(await problems(at), ['b.cedar:1:1: is no regular file; remove it']);
  });

  test('a circle of links ends', async (t) => {
    const at = await place(t);
    for (const name of ['x', 'y', 'z']) await symlink('.', join(at.folder, name));
    assert.match((await problems(at)).join('\n'), /nested deeper than 8 folders; move it up/);
  });

  test('a folder of thousands of folders is not walked to its end', async (t) => {
    const at = await place(t);
    for (let i = 0; i < 2001; i++) await mkdir(join(at.folder, `f${i}`));
    assert.match((await problems(at)).join('\n'), /more than 2000 folders/);
  });
});
