import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { loaded, question, sourcesOf } from '../../../test/support/policy.ts';
import { formatProblem } from '../../source/problem.ts';
import { Engine, newInstance } from '../decide/engine.ts';
import { refusalOf } from '../decide/permit.ts';
import { judgeEmergency } from './emergency.ts';
import { type EmergencyEvents, EmergencyHolder } from './emergency-holder.ts';
import { SnapshotHolder } from './holder.ts';

const NOW = Date.UTC(2026, 10, 30, 12);
const DAY_MS = 86_400_000;
const at = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');
const AGENT = 'spiffe://prod.example/ns/agents/sa/billing-agent';
const INVOICE = 'GET payments.internal/api/invoices/7';

const forbid = (
  id: string,
  body = 'resource in Mesh::Host::"payments.internal"',
  until = at(NOW + 3 * DAY_MS),
): string => `@id("${id}") @until("${until}") forbid (principal, action, ${body});\n`;
const PERMIT = '@id("all") permit (principal, action, resource);\n';
const { schema } = sourcesOf({});
const cedar = newInstance();

function problemsOf(text: string): string {
  const judged = judgeEmergency([{ file: 'emergency/a.cedar', text }], schema, cedar, NOW);
  assert.ok('files' in judged);
  const verdict = judged.files.get('emergency/a.cedar')!;
  return 'problems' in verdict ? verdict.problems.map(formatProblem).join('\n') : '';
}

test('a forbid with an end is good, whatever it names: nothing but the schema judges it', () => {
  assert.equal(problemsOf(forbid('stop')), '');
  assert.equal(problemsOf(forbid('stop', 'resource in Mesh::Api::"gone.internal/nobody-knows"')), '');
});

test('the forbid of docs/policies.md is good on the day before its end', () => {
  const page = readFileSync(join(import.meta.dirname, '..', '..', '..', 'docs', 'policies.md'), 'utf8');
  const shown = /^```cedar emergency\n([\s\S]*?)^```$/m.exec(page)?.[1];
  assert.ok(shown !== undefined);
  assert.equal(problemsOf(shown), '');
});

for (const [what, text, said] of [
  ['a permit', forbid('a').replace('forbid', 'permit'), /holds forbids alone/],
  [
    'without an end',
    '@id("a") forbid (principal, action, resource);',
    /does not say until when.*@until\("2026-12-01T12:00:00Z"\)/,
  ],
  ['with a day for an end', forbid('a', 'resource', '2026-12-01'), /@until is no instant in UTC/],
  ['with a day that no month has', forbid('a', 'resource', '2026-11-31T00:00:00Z'), /@until is no instant/],
  ['that holds for months', forbid('a', 'resource', at(NOW + 31 * DAY_MS)), /more than 30 days/],
  ['in shadow', `@mode("shadow") ${forbid('a')}`, /@mode is no annotation that is known here/],
  [
    'that asks for an approval',
    `@approval("resource-owner") ${forbid('a')}`,
    /@approval is no annotation that is known here/,
  ],
  ['against the schema', forbid('a').replace(';', ' when { resource.nothing };'), /nothing/],
  ['that is no Cedar', forbid('a').replace('forbid (', 'forbid '), /./],
  ['without an id', forbid('a').replace('@id("a")', ''), /has no id/],
  [
    'that reads what was opened before',
    forbid('a').replace(';', ' when { context.touched.sensitivity >= 2 };'),
    /reads neither what was opened before/,
  ],
  [
    'that a request passes by leaving something out',
    forbid('a').replace(';', ' when { context has task && context.task.assurance < 3 };'),
    /passes this forbid/,
  ],
  ['with 51 policies', Array.from({ length: 51 }, (_, n) => forbid(`a${n}`)).join(''), /more than 50 policies/],
] as const) {
  test(`a policy ${what} is refused`, () => assert.match(problemsOf(text), said));
}

test('whatever stands in a file, it is judged and nothing is thrown', () => {
  const parts = [
    '@id("a")',
    '@until("2026-12-01T12:00:00Z")',
    'forbid',
    'permit',
    '(principal, action, resource)',
    ';',
    'when {',
    '}',
    '"',
    '//',
    '\u0000',
    'context.task',
    '@',
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...parts), { maxLength: 12 }), (words) => {
      problemsOf(words.join(' '));
    }),
    { numRuns: 200 },
  );
});

interface Folder {
  readonly holder: EmergencyHolder;
  readonly engine: Engine;
  readonly policies: string;
  write(name: string, text: string): void;
  clockMs: number;
}

async function opened(t: TestContext, files: Readonly<Record<string, string>> = {}): Promise<Folder> {
  const policies = mkdtempSync(join(tmpdir(), 'emergency-'));
  const write = (name: string, text: string): void => {
    mkdirSync(dirname(join(policies, name)), { recursive: true });
    writeFileSync(join(policies, name), text);
  };
  for (const [name, text] of Object.entries(files)) write(name, text);
  const engine = new Engine();
  const folder = { engine, policies, write, clockMs: NOW } as Omit<Folder, 'holder'> & { clockMs: number };
  const holder = await EmergencyHolder.open({
    folder: policies,
    engine,
    clock: () => folder.clockMs,
    pollMs: 3_600_000,
  });
  t.after(async () => {
    await holder.close();
    engine.close();
    rmSync(policies, { recursive: true, force: true });
  });
  return Object.assign(folder, { holder });
}

const idsOf = (holder: EmergencyHolder): readonly string[] => holder.status().policies.map(({ id }) => id);
const said = (holder: EmergencyHolder): string => holder.status().problems.map(formatProblem).join('\n');

test('an emergency forbid is over every permit and every approval, and the decision names it', async (t) => {
  const { holder } = await opened(t, { 'emergency/stop.cedar': forbid('stop') });
  const { snapshot } = loaded({ 'a.cedar': PERMIT });
  const emergency = holder.current();
  assert.ok(emergency !== null);
  const beside = snapshot.beside(emergency);
  const asked = question(snapshot.inventory, AGENT, INVOICE);
  assert.equal(snapshot.decide(asked).result, 'allow');
  const verdict = beside.decide({ ...asked, touched: null });
  assert.deepEqual([verdict.result, verdict.forbids, verdict.approvals], ['deny', ['emergency/stop'], []]);
  assert.equal(refusalOf([verdict])?.reason, 'policy_forbidden');
  assert.equal(beside.decide(question(snapshot.inventory, AGENT, 'GET docs.internal/x')).result, 'allow');
  assert.notEqual(beside.revision, snapshot.revision);
});

test('one that fails to evaluate denies', async (t) => {
  const overflow = 'resource) when { resource.sensitivity * 9223372036854775807 * 9 > 0 }';
  const { holder } = await opened(t, {
    'emergency/a.cedar': `@id("a") @until("${at(NOW + DAY_MS)}") forbid (principal, action, ${overflow};`,
  });
  const { snapshot } = loaded({ 'a.cedar': PERMIT });
  const verdict = snapshot.beside(holder.current()!).decide(question(snapshot.inventory, AGENT, INVOICE));
  assert.equal(verdict.result, 'error');
  assert.deepEqual(
    verdict.errors.map(({ policy }) => policy),
    ['emergency/a'],
  );
});

test('of a file that does not pass, what it held before stays; the others change, and one that is removed is gone', async (t) => {
  const folder = await opened(t, { 'emergency/a.cedar': forbid('a'), 'emergency/b.cedar': forbid('b') });
  const { holder } = folder;
  assert.deepEqual([idsOf(holder), said(holder), holder.sound], [['a', 'b'], '', true]);
  folder.write('emergency/a.cedar', 'forbid (');
  folder.write('emergency/c/c.cedar', forbid('c'));
  await holder.refresh();
  assert.deepEqual(idsOf(holder).toSorted(), ['a', 'b', 'c']);
  assert.match(said(holder), /^emergency\/a\.cedar:1/);
  rmSync(join(folder.policies, 'emergency', 'b.cedar'));
  folder.write('emergency/a.cedar', forbid('a2'));
  await holder.refresh();
  assert.deepEqual([idsOf(holder).toSorted(), said(holder)], [['a2', 'c'], '']);
  rmSync(join(folder.policies, 'emergency'), { recursive: true });
  await holder.refresh();
  assert.equal(holder.current(), null);
});

test('a folder that cannot be read keeps what it held', async (t) => {
  const folder = await opened(t, { 'emergency/a.cedar': forbid('a') });
  renameSync(folder.policies, `${folder.policies}-away`);
  await folder.holder.refresh();
  assert.deepEqual(idsOf(folder.holder), ['a']);
  assert.match(said(folder.holder), /cannot be read/);
  renameSync(`${folder.policies}-away`, folder.policies);
  await folder.holder.refresh();
  assert.equal(said(folder.holder), '');
});

test('a file that is broken at the start leaves the process without a sound state, until it is mended', async (t) => {
  const folder = await opened(t, { 'emergency/a.cedar': 'forbid (' });
  assert.equal(folder.holder.sound, false);
  folder.write('emergency/a.cedar', forbid('a'));
  await folder.holder.refresh();
  assert.deepEqual([folder.holder.sound, idsOf(folder.holder)], [true, ['a']]);
  folder.write('emergency/b.cedar', 'forbid (');
  await folder.holder.refresh();
  assert.equal(folder.holder.sound, true);
});

test('no new file drives out what is in force, by its number or by an id', async (t) => {
  const folder = await opened(t, { 'emergency/z.cedar': forbid('z') });
  folder.write('emergency/a.cedar', Array.from({ length: 50 }, (_, n) => forbid(`a${n}`)).join(''));
  folder.write('emergency/b.cedar', forbid('z'));
  await folder.holder.refresh();
  assert.deepEqual(idsOf(folder.holder), ['z']);
  assert.match(said(folder.holder), /more than 50 policies[\s\S]*the id z is taken by emergency\/z\.cedar/);
});

test('it warns a day ahead, once, and goes at its end', async (t) => {
  const folder = await opened(t, { 'emergency/a.cedar': forbid('a') + forbid('b', 'resource', at(NOW + 4 * DAY_MS)) });
  const told: string[] = [];
  const { events } = folder.holder;
  events.on('ending', ({ id }: EmergencyEvents['ending'][0]) => told.push(`${id} ends`));
  events.on('changed', (policies, ended) =>
    told.push(`${policies.map(({ id }) => id)} hold, ${ended.map(({ id }) => id)} ended`),
  );
  await folder.holder.refresh();
  assert.deepEqual(told, []);
  folder.clockMs = NOW + 2 * DAY_MS + 1;
  await folder.holder.refresh();
  await folder.holder.refresh();
  assert.deepEqual(told.splice(0), ['a ends']);
  folder.clockMs = NOW + 3 * DAY_MS - 1;
  assert.equal(folder.holder.current()?.policies.length, 2);
  folder.clockMs++;
  assert.deepEqual(
    folder.holder.current()?.policies.map(({ id }) => id),
    ['b'],
  );
  assert.deepEqual(told.splice(0), ['b hold, a ended']);
});

test('the other policies are read as if the folder were not there', async (t) => {
  const folder = await opened(t, { 'a.cedar': PERMIT, 'emergency/broken.cedar': 'forbid (' });
  writeFileSync(join(folder.policies, 'inventory.yaml'), sourcesOf({}).inventory.text);
  const { settings } = sourcesOf({});
  const paths = { folder: folder.policies, inventory: join(folder.policies, 'inventory.yaml') };
  const holder = await SnapshotHolder.open({
    paths,
    settings,
    engine: folder.engine,
    clock: () => NOW,
    pollMs: 3_600_000,
  });
  t.after(() => holder.close());
  assert.deepEqual(holder.status().problems, []);
  assert.ok(holder.current()?.policies.some(({ id }) => id === 'all'));
});
