import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { estate, question, settings } from '../../../test/support/policy.ts';
import { formatProblem } from '../../source/problem.ts';
import { Engine } from '../decide/engine.ts';
import { SnapshotHolder } from './holder.ts';

const AGENT = 'spiffe://prod.example/ns/agents/sa/billing-agent';
const API = 'spiffe://prod.example/ns/payments/sa/api';
const ALL = '@id("all") permit (principal, action, resource);';
const PLATFORM = 'teams/platform/a.cedar';
/** docs.internal belongs to platform: the forbid of this team. */
const NOT_DOCS = '@id("no-docs") forbid (principal, action, resource in Mesh::Team::"platform");';
const EMERGENCY = '@id("emergency") forbid (principal, action, resource == Mesh::Endpoint::"docs.internal/secret");';
const oneCase = (caller: string, request: string, expect: string): string =>
  `cases: [{ name: x, caller: "${caller}", request: ${request}, expect: ${expect} }]`;

class Folder {
  readonly root: string;
  holder: SnapshotHolder | null = null;

  private constructor(root: string) {
    this.root = root;
  }

  static async with(t: TestContext, files: Readonly<Record<string, string>>): Promise<Folder> {
    const folder = new Folder(await mkdtemp(join(tmpdir(), 'teams-')));
    await mkdir(join(folder.root, 'guardrails'));
    await writeFile(join(folder.root, 'inventory.yaml'), estate);
    await folder.write(files);
    const alive = setInterval(() => {}, 1000);
    t.after(async () => {
      clearInterval(alive);
      await folder.holder?.close();
      await rm(folder.root, { recursive: true });
    });
    return folder;
  }

  async write(files: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, text] of Object.entries(files)) {
      const path = join(this.root, 'policies', name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
    }
    await this.holder?.refresh();
  }

  async open(): Promise<void> {
    const { root } = this;
    const paths = {
      folder: join(root, 'policies'),
      inventory: join(root, 'inventory.yaml'),
      guardrails: join(root, 'guardrails'),
    };
    const clock = () => Date.UTC(2026, 10, 25);
    this.holder = await SnapshotHolder.open({ paths, settings, engine: new Engine(), clock, pollMs: 3_600_000 });
  }

  /** The result for a request, and whether there is a snapshot at all. */
  decide(caller: string, request: string): string {
    const snapshot = this.holder?.current();
    return snapshot ? snapshot.decide(question(snapshot.inventory, caller, request)).result : 'no snapshot';
  }

  get problems(): string {
    return this.holder!.status().problems.map(formatProblem).join('\n');
  }

  get heldBack(): readonly string[] {
    return this.holder!.status().heldBack;
  }
}

/** Ways in which the folder of a team goes wrong, each of which must bind that team alone. */
const wrong: [what: string, files: Readonly<Record<string, string>>][] = [
  ['a typing error', { [PLATFORM]: '@id("no-docs") forbid (principal, action, resorce in Mesh::Team::"platform");' }],
  ['an empty file', { [PLATFORM]: '' }],
  ['a file of comments only', { [PLATFORM]: '// Nobody reads docs.' }],
  ['a name that is nowhere listed', { [PLATFORM]: NOT_DOCS.replace(';', ' when { resource == Mesh::Host::"x.y" };') }],
  ['a scope that reaches others', { 'teams/platform/b.cedar': '@id("b") forbid (principal, action, resource);' }],
  ['a schema that cannot be read', { 'teams/platform/x.cedarschema': 'namespace X {' }],
  ['a schema of ours', { 'teams/platform/x.cedarschema': 'namespace Mesh { entity X; }' }],
  ['a test that fails', { 'teams/platform/tests/a.yaml': oneCase(AGENT, 'GET docs.internal/1', 'allow') }],
  ['a test that cannot be read', { 'teams/platform/tests/a.yaml': 'cases: [' }],
  ['an id that another has', { 'teams/platform/b.cedar': NOT_DOCS.replace('no-docs', 'all') }],
  ['an id that another team has', { 'teams/platform/b.cedar': NOT_DOCS.replace('no-docs', 'theirs') }],
];

const good = {
  'a.cedar': ALL,
  [PLATFORM]: NOT_DOCS,
  'teams/payments/a.cedar': '@id("theirs") permit (principal, action, resource in Mesh::Team::"payments");',
  'teams/support/z.cedar': '@id("support") permit (principal, action, resource in Mesh::Team::"support");',
};

suite('the folder of a team', () => {
  for (const [what, files] of wrong) {
    test(`with ${what} keeps its last good policies, while the rest of the change is served`, async (t) => {
      const folder = await Folder.with(t, good);
      await folder.open();
      assert.equal(folder.decide(AGENT, 'GET docs.internal/1'), 'deny');
      const stop = '@id("emergency") forbid (principal, action, resource in Mesh::Host::"payments.internal");';
      await folder.write({ ...files, 'emergency.cedar': stop });
      assert.deepEqual(folder.heldBack, ['platform'], folder.problems);
      assert.match(folder.problems, /^teams\/platform\/|emergency|is taken by/m);
      assert.equal(folder.decide(AGENT, 'GET docs.internal/1'), 'deny');
      assert.equal(folder.decide(AGENT, 'GET payments.internal/api/invoices/1'), 'deny');
    });

    test(`with ${what} at the start is closed, while the rest is served`, async (t) => {
      const folder = await Folder.with(t, { ...good, ...files });
      await folder.open();
      assert.equal(folder.heldBack.length, 1, folder.problems);
      assert.equal(folder.decide(AGENT, 'GET docs.internal/1'), 'deny');
      assert.equal(folder.decide(API, 'GET payments.internal/api/invoices/1'), 'allow');
      // Mended, it is open again.
      await rm(join(folder.root, 'policies', 'teams', 'platform'), { recursive: true });
      await folder.write({ [PLATFORM]: '@id("docs") permit (principal, action, resource in Mesh::Team::"platform");' });
      assert.deepEqual(folder.heldBack, [], folder.problems);
      assert.equal(folder.problems, '');
      assert.equal(folder.decide(AGENT, 'GET docs.internal/1'), 'allow');
    });
  }

  test('of which nothing good is known: its workloads are stopped too', async (t) => {
    const folder = await Folder.with(t, { ...good, 'teams/payments/a.cedar': 'permit' });
    await folder.open();
    assert.deepEqual(folder.heldBack, ['payments']);
    assert.equal(folder.decide(API, 'GET docs.internal/1'), 'deny');
  });

  test('stops no forbid of the others by its tests, though nobody touched it', async (t) => {
    const tests = { 'teams/support/tests/a.yaml': oneCase(AGENT, 'GET docs.internal/secret', 'allow') };
    const folder = await Folder.with(t, {
      'a.cedar': ALL,
      'teams/support/z.cedar': good['teams/support/z.cedar'],
      ...tests,
    });
    await folder.open();
    assert.equal(folder.decide(AGENT, 'GET docs.internal/secret'), 'allow', folder.problems);
    await folder.write({ 'emergency.cedar': EMERGENCY });
    assert.equal(folder.decide(AGENT, 'GET docs.internal/secret'), 'deny');
    assert.deepEqual(folder.heldBack, ['support']);
    assert.match(folder.problems, /^teams\/support\/tests\/a\.yaml:1:9: x: expected allow, got deny/);
  });

  test('that breaks a test of the whole folder is found among those that changed', async (t) => {
    const tests = { 'tests/a.yaml': oneCase(AGENT, 'GET docs.internal/1', 'allow') };
    const folder = await Folder.with(t, { ...good, [PLATFORM]: NOT_DOCS.replace('forbid', 'permit'), ...tests });
    await folder.open();
    await folder.write({
      [PLATFORM]: NOT_DOCS,
      'teams/payments/a.cedar': '@id("changed") permit (principal, action, resource in Mesh::Team::"payments");',
    });
    assert.deepEqual(folder.heldBack, ['platform'], folder.problems);
    assert.match(folder.problems, /^tests\/a\.yaml/);
    assert.equal(folder.decide(AGENT, 'GET docs.internal/1'), 'allow');
    assert.ok(folder.holder?.current()?.policies.some(({ id }) => id === 'changed'));
  });

  test('that names no team is the fault of the whole: nothing of the change is served', async (t) => {
    const folder = await Folder.with(t, good);
    await folder.open();
    const { revision } = folder.holder!.status();
    await rm(join(folder.root, 'policies', 'teams', 'platform'), { recursive: true });
    await folder.write({ 'teams/platfrom/a.cedar': NOT_DOCS.replace('"platform"', '"platfrom"') });
    assert.equal(folder.holder!.status().revision, revision);
    assert.match(folder.problems, /no team is called 'platfrom'/);
    assert.equal(folder.decide(AGENT, 'GET docs.internal/1'), 'deny');
  });

  test('that is broken alone changes nothing of what is served', async (t) => {
    const folder = await Folder.with(t, good);
    await folder.open();
    const { revision } = folder.holder!.status();
    await folder.write({ [PLATFORM]: 'forbid' });
    assert.deepEqual([folder.holder!.status().revision, folder.heldBack], [revision, ['platform']]);
    await folder.write({ [PLATFORM]: NOT_DOCS });
    assert.deepEqual([folder.heldBack, folder.problems], [[], '']);
  });

  test('does not save what is broken outside of it', async (t) => {
    const folder = await Folder.with(t, good);
    await folder.open();
    await folder.write({ 'a.cedar': 'permit', [PLATFORM]: 'forbid' });
    assert.match(folder.problems, /^a\.cedar/m);
    assert.equal(folder.decide(AGENT, 'GET docs.internal/1'), 'deny');
    assert.equal(folder.decide(AGENT, 'GET payments.internal/api/invoices/1'), 'allow');
  });
});
