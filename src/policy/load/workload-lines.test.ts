import assert from 'node:assert/strict';
import { once } from 'node:events';
import { appendFile, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { idOf } from '../../../test/support/inventory.ts';
import { estate, settings } from '../../../test/support/policy.ts';
import { Refusal } from '../../base/outcome.ts';
import { formatProblem } from '../../source/problem.ts';
import { Engine } from '../decide/engine.ts';
import { revisionOf } from '../text/sources.ts';
import { SnapshotHolder } from './holder.ts';
import { validateApart } from './load.ts';
import { readParts } from './read.ts';

const entry = (name: string, more: object = {}): string =>
  `${JSON.stringify({ id: `spiffe://prod.example/jobs/${name}`, owner: 'payments', kind: 'job', ...more })}\n`;

const NAMED = `${estate}workloadsFile: workloads.jsonl\n`;

interface Place {
  readonly root: string;
  readonly folder: string;
  readonly inventory: string;
  readonly lines: string;
}

async function place(t: TestContext, lines: string | null): Promise<Place> {
  const root = await mkdtemp(join(tmpdir(), 'lines-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const at = {
    root,
    folder: join(root, 'policies'),
    inventory: join(root, 'inventory.yaml'),
    lines: join(root, 'workloads.jsonl'),
  };
  await Promise.all([mkdir(at.folder), mkdir(join(root, 'guardrails'))]);
  await writeFile(join(at.folder, 'a.cedar'), '@id("a") permit (principal, action, resource);');
  await writeFile(at.inventory, NAMED);
  if (lines !== null) await writeFile(at.lines, lines);
  return at;
}

const pathsOf = (at: Place) => ({
  folder: at.folder,
  inventory: at.inventory,
  guardrails: join(at.root, 'guardrails'),
});

/** Watchers alone must do: the regular look is too far away to help. */
async function opened(t: TestContext, at: Place): Promise<SnapshotHolder> {
  const engine = new Engine();
  const holder = await SnapshotHolder.open({
    paths: pathsOf(at),
    settings,
    engine,
    clock: () => Date.UTC(2026, 10, 25),
    pollMs: 3_600_000,
  });
  const alive = setInterval(() => {}, 1000);
  t.after(async () => {
    clearInterval(alive);
    await holder.close();
    engine.close();
  });
  return holder;
}

function knows(holder: SnapshotHolder, name: string): boolean {
  const found = holder.current()?.inventory.workload(idOf(`spiffe://prod.example/jobs/${name}`));
  return found !== undefined && !(found instanceof Refusal);
}

const problems = (holder: SnapshotHolder): string => holder.status().problems.map(formatProblem).join('\n');

suite('workloads.jsonl beside the inventory', () => {
  test('is served, and a change of it is a new revision', async (t) => {
    const at = await place(t, entry('a') + entry('b'));
    const holder = await opened(t, at);
    assert.equal(problems(holder), '');
    assert.deepEqual([knows(holder, 'a'), knows(holder, 'b'), knows(holder, 'c')], [true, true, false]);
    const { revision } = holder.status();
    const loaded = once(holder.events, 'loaded');
    await appendFile(at.lines, entry('c'));
    await loaded;
    assert.ok(knows(holder, 'c'));
    assert.notEqual(holder.status().revision, revision);
    await writeFile(at.lines, entry('a') + entry('b'));
    await once(holder.events, 'loaded');
    assert.equal(holder.status().revision, revision, 'what is in it counts, not when it was written');
  });

  test('that is broken, or gone, keeps the last good snapshot, and says so at its line', async (t) => {
    const at = await place(t, entry('a'));
    const holder = await opened(t, at);
    const { revision } = holder.status();
    let refused = once(holder.events, 'refused');
    await writeFile(at.lines, entry('a') + entry('b', { owner: 'nobody' }));
    await refused;
    assert.match(problems(holder), /^workloads\.jsonl:2:\d\d: owner: no team is called 'nobody'/);
    refused = once(holder.events, 'refused');
    await rm(at.lines);
    await refused;
    assert.match(problems(holder), /no workloads\.jsonl stands beside this file/);
    assert.equal(holder.status().revision, revision);
    assert.ok(knows(holder, 'a') && !knows(holder, 'b'));
  });

  test('is read again when a symlink is swapped, as a volume of Kubernetes does', async (t) => {
    const at = await place(t, null);
    await mkdir(join(at.root, '..1'));
    await mkdir(join(at.root, '..2'));
    await writeFile(join(at.root, '..1', 'workloads.jsonl'), entry('a'));
    await writeFile(join(at.root, '..2', 'workloads.jsonl'), entry('b'));
    await symlink('..1', join(at.root, '..data'));
    await symlink(join('..data', 'workloads.jsonl'), at.lines);
    const holder = await opened(t, at);
    assert.ok(knows(holder, 'a') && !knows(holder, 'b'), problems(holder));
    const loaded = once(holder.events, 'loaded');
    await symlink('..2', join(at.root, '..data_tmp'));
    await rename(join(at.root, '..data_tmp'), join(at.root, '..data'));
    await loaded;
    assert.ok(!knows(holder, 'a') && knows(holder, 'b'));
  });

  test('is not read again for a change of policies', async (t) => {
    const at = await place(t, entry('a'));
    const holder = await opened(t, at);
    const before = holder.current()?.inventory.content.tables[1]?.ids.bytes.buffer;
    await writeFile(join(at.folder, 'b.cedar'), '@id("b") permit (principal, action, resource);');
    await once(holder.events, 'loaded');
    const after = holder.current()?.inventory.content.tables[1]?.ids.bytes.buffer;
    const first = new Uint8Array(before ?? new ArrayBuffer());
    assert.ok(first.length > 0 && after !== undefined);
    // The same memory, not a copy: what is written in one is seen in the other.
    first[0] = 0;
    assert.equal(new Uint8Array(after)[0], 0);
  });

  test('that is another one when the worker reads it is not judged, and is tried again', async (t) => {
    const at = await place(t, entry('a'));
    const { sources } = await readParts(pathsOf(at), settings);
    assert.ok(!Array.isArray(sources));
    assert.ok(!('problems' in (await validateApart(sources))));
    await appendFile(at.lines, entry('b'));
    const judged = await validateApart(sources);
    assert.ok('problems' in judged && judged.transient);
    assert.match(judged.problems.map(formatProblem).join(), /^workloads\.jsonl:1:1: was written while it was read/);
    await rm(at.lines);
    const gone = await validateApart(sources);
    assert.ok('problems' in gone && gone.transient);
  });

  test('is a regular file, and part of the revision before it was read', async (t) => {
    const at = await place(t, entry('a'));
    const read = async () => (await readParts(pathsOf(at), settings)).sources;
    const first = await read();
    assert.ok(!Array.isArray(first));
    assert.equal(revisionOf(first), revisionOf((await read()) as typeof first));
    await appendFile(at.lines, entry('b'));
    assert.notEqual(revisionOf(first), revisionOf((await read()) as typeof first));
    await rm(at.lines);
    await mkdir(at.lines);
    const folder = await read();
    assert.ok(Array.isArray(folder));
    assert.match(folder.map(formatProblem).join(), /^workloads\.jsonl:1:1: is no regular file/);
  });
});
