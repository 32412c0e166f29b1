import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { estate, settings } from '../../../test/support/policy.ts';
import { SpiffeId } from '../../base/spiffe-id.ts';
import { formatProblem } from '../../source/problem.ts';
import { controlPolicies } from '../control/decide.ts';
import { Engine } from '../decide/engine.ts';
import { CONTROL_GUARDRAILS } from '../text/guardrails.ts';
import { SnapshotHolder } from './holder.ts';
import { readParts } from './read.ts';

const agent = SpiffeId.parse('spiffe://prod.example/ns/agents/sa/billing-agent');
assert.ok(agent instanceof SpiffeId);
const permit = (id: string, team: string): string =>
  `@id("${id}") permit (principal, action, resource in Control::Team::"${team}");`;

async function place(t: TestContext) {
  const root = await mkdtemp(join(tmpdir(), 'control-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const inventory = join(root, 'inventory.yaml');
  await writeFile(inventory, estate);
  const folder = join(root, 'policies');
  const write = async (name: string, text: string) => {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  };
  await write('a.cedar', '@id("a") permit (principal, action, resource);');
  return { paths: { folder, inventory }, write, remove: (name: string) => rm(join(folder, name), { recursive: true }) };
}

test('the folder control is read apart, with the shipped schema and guardrails; without it nothing of them is', async (t) => {
  const { paths, write } = await place(t);
  const without = (await readParts(paths, settings)).sources;
  assert.ok(!Array.isArray(without));
  assert.equal(without.control, undefined);
  assert.ok(without.guardrails.every(({ file }) => !file.includes('control')));
  await write('control/tests/a.yaml', 'cases: []');
  await write('control/deep/p.cedar', permit('p', 'payments'));
  const { sources } = await readParts(paths, settings);
  assert.ok(!Array.isArray(sources));
  const names = (files: readonly { readonly file: string }[] = []) => files.map(({ file }) => file);
  assert.deepEqual(names(sources.control?.policies), ['control/deep/p.cedar']);
  assert.deepEqual(names(sources.control?.guardrails), [
    'guardrails/control/proof.cedar',
    'guardrails/control/tasks.cedar',
  ]);
  assert.deepEqual(names(sources.policies), ['a.cedar']);
  assert.deepEqual(names(sources.tests), ['control/tests/a.yaml']);
  assert.deepEqual(names(sources.guardrails), names(without.guardrails));
});

test('the guardrails of the release are those that must be there', async (t) => {
  const { paths, write } = await place(t);
  await write('control/p.cedar', permit('p', 'payments'));
  const { sources } = await readParts(paths, settings);
  assert.ok(!Array.isArray(sources));
  const text = sources.control?.guardrails.map((file) => file.text).join('') ?? '';
  assert.deepEqual([...text.matchAll(/@id\("([^"]+)"\)/g)].map(([, id]) => id).toSorted(), CONTROL_GUARDRAILS);
});

test('control policies are swapped with the rest: a fault in either keeps the last good of both', async (t) => {
  const { paths, write, remove } = await place(t);
  await write('control/p.cedar', permit('p', 'payments'));
  const holder = await SnapshotHolder.open({
    paths,
    settings,
    engine: new Engine(),
    clock: () => Date.UTC(2026, 10, 25),
    pollMs: 3_600_000,
  });
  t.after(() => holder.close());
  /** The teams that may be looked at, and what is wrong with the files. */
  const seen = async () => {
    await holder.refresh();
    const snapshot = holder.current();
    assert.ok(snapshot !== null);
    const policies = controlPolicies(snapshot);
    const may = (name: string) =>
      policies.decide(
        { kind: 'workload', id: agent, proof: 'svid' },
        'view',
        { kind: 'team', name },
        { nowMs: 0, order: null },
      );
    const teams = ['payments', 'support', 'platform'].filter((name) => may(name).allowed);
    return { teams, problems: holder.status().problems.map(formatProblem), revision: snapshot.revision };
  };
  const first = await seen();
  assert.deepEqual([first.teams, first.problems], [['payments'], []]);

  await write('control/p.cedar', permit('p', 'paiments'));
  const broken = await seen();
  assert.deepEqual([broken.teams, broken.revision], [['payments'], first.revision]);
  assert.match(broken.problems.join(), /^control\/p\.cedar:1:\d+: no team is called 'paiments'/);

  await write('control/p.cedar', permit('p', 'support'));
  await write('a.cedar', '@id("a") permit (principal, action');
  const other = await seen();
  assert.deepEqual([other.teams, other.revision], [['payments'], first.revision]);

  await write('a.cedar', '@id("a") permit (principal, action, resource);');
  const mended = await seen();
  assert.deepEqual([mended.teams, mended.problems], [['support'], []]);
  assert.notEqual(mended.revision, first.revision);

  // A team that is held back holds up no control policy.
  await write('teams/payments/x.cedar', 'permit');
  await write('control/q.cedar', permit('q', 'platform'));
  const held = await seen();
  assert.deepEqual(held.teams, ['support', 'platform']);
  assert.match(held.problems.join(), /^teams\/payments\/x\.cedar/);

  await remove('control');
  assert.deepEqual((await seen()).teams, []);
});

test('a guardrail of the control API that was disabled holds again when its time is over', async (t) => {
  const { paths, write } = await place(t);
  await write('control/p.cedar', permit('p', 'payments'));
  let now = Date.UTC(2026, 10, 25);
  const disabledGuardrails = [{ id: 'bearers-only-view-and-revoke', because: 'a migration', untilMs: now + 1000 }];
  const holder = await SnapshotHolder.open({
    paths,
    settings: { ...settings, disabledGuardrails },
    engine: new Engine(),
    clock: () => now,
    pollMs: 3_600_000,
  });
  t.after(() => holder.close());
  const forbids = () => {
    const snapshot = holder.current();
    assert.ok(snapshot !== null, holder.status().problems.map(formatProblem).join());
    const principal = { kind: 'workload', id: agent, proof: 'bearer' } as const;
    const team = { kind: 'team', name: 'payments' } as const;
    return controlPolicies(snapshot).decide(principal, 'explain', team, { nowMs: now, order: null }).forbids;
  };
  assert.deepEqual(forbids(), []);
  now += 1000;
  await holder.refresh();
  assert.deepEqual(forbids(), ['bearers-only-view-and-revoke']);
});
