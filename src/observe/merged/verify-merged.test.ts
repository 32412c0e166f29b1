import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { auditRecord } from '../../../test/support/audit-observe.ts';
import { fileAudit } from '../../../test/support/file-audit.ts';
import { newFolder, removeFolders } from '../../../test/support/policy-cli.ts';
import { digest } from '../line.ts';
import { MergedAudit, type MergedOptions } from './verify-merged.ts';

after(removeFolders);
const LONG = 60_000;

/** Starts a sidecar's audit, records, stops: the chain of the product, once for each of `sessions`. */
async function written(...sessions: readonly number[]): Promise<readonly string[]> {
  const path = join(newFolder(), 'audit.jsonl');
  for (const records of sessions) await append(path, records);
  return readFileSync(path, 'utf8').split('\n').slice(0, -1);
}

async function append(path: string, records: number): Promise<void> {
  const audit = await fileAudit(path);
  for (let at = 0; at < records; at++) await audit.record(auditRecord({ decision: `d-${at}` }), LONG);
  await audit.close(LONG);
}

async function verify(
  files: readonly (readonly string[])[],
  options: Partial<MergedOptions> = {},
  wanted: readonly string[] = [],
) {
  const merged = new MergedAudit(wanted, { skipForeign: false, member: null, ...options });
  for (const lines of files)
    assert.equal(await merged.read([Buffer.from(lines.map((line) => `${line}\n`).join(''))]), null);
  return merged.report();
}

const faultsOf = async (files: readonly (readonly string[])[]) => (await verify(files)).faults.map(({ kind }) => kind);
const [one, other] = [await written(4, 3), await written(5)];
/** 5 and 4 lines of two starts. */
const [first, second] = [one.slice(0, 5), one.slice(5)];

test('the rotated files of one chain are whole in any order', async () => {
  for (const files of [[first, second], [second, first], [[...one].reverse()], one.map((line) => [line])]) {
    const { faults, lines, records, boots, chains } = await verify(files);
    assert.deepEqual([faults, lines, records, boots], [[], 9, 7, 2]);
    assert.deepEqual(chains, [{ continues: false, last: lastOf(one) }]);
  }
});

test('the chains of two sidecars in one file are kept apart', async () => {
  const mixed = one.flatMap((line, at) => (other[at] === undefined ? [line] : [line, other[at]]));
  const { faults, lines, chains } = await verify([mixed]);
  assert.deepEqual([faults, lines], [[], 15]);
  assert.deepEqual(
    chains.map(({ last }) => last),
    [lastOf(one), lastOf(other)],
  );
});

test('what a shipper sends twice is counted once, and one that differs is a fault', async () => {
  const { faults, lines, repeated } = await verify([one, first, [...second].reverse()]);
  assert.deepEqual([faults, lines, repeated], [[], 9, 9]);
  const changed = first[2]!.replace('"allow"', '"deny"');
  assert.notEqual(changed, first[2]);
  assert.deepEqual(await faultsOf([one, [changed]]), ['changed']);
});

test('each line between two others that is missing or changed is a fault, at its file and line', async () => {
  for (let at = 1; at < one.length - 1; at++) {
    const without = one.toSpliced(at, 1);
    const faults = await faultsOf([without]);
    // Without its first line, a start follows nothing that is here.
    assert.deepEqual(faults, at === 4 ? ['cut'] : at === 5 ? [] : ['gap'], `without line ${at + 1}`);
    const changed = one.with(at, one[at]!.replace('"time":"2', '"time":"1'));
    assert.ok((await faultsOf([changed])).length > 0, `with line ${at + 1} changed`);
  }
  const [fault] = (await verify([second, first.toSpliced(2, 1)])).faults;
  assert.deepEqual([fault?.file, fault?.line], [1, 3]);
  assert.match(fault!.message, /has number 4 of start [0-9a-f]{32} after 2: 1 lines are missing/);
});

test('a chain whose beginning is not here says so; its end is only missed by a hash from elsewhere', async () => {
  const { faults, chains } = await verify([second]);
  assert.deepEqual([faults, chains.map(({ continues }) => continues)], [[], [true]]);
  const end = digest(one.at(-1)!);
  assert.deepEqual((await verify([one], {}, [end])).missing, []);
  assert.deepEqual((await verify([one.slice(0, -1)], {}, [end])).missing, [end]);
});

test('two starts that follow one line are a fault: a file was put back', async () => {
  const path = join(newFolder(), 'audit.jsonl');
  await append(path, 2);
  const copy = readFileSync(path);
  await append(path, 1);
  const once = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  writeFileSync(path, copy);
  await append(path, 1);
  const again = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  assert.deepEqual(await faultsOf([once]), []);
  assert.deepEqual(await faultsOf([once, again]), ['forked']);
});

test('a write that was cut off is admitted by the start after it, and any other strange line is none', async () => {
  const path = join(newFolder(), 'audit.jsonl');
  await append(path, 1);
  appendFileSync(path, '{"time":"2026');
  await append(path, 1);
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  const { faults, torn } = await verify([lines]);
  assert.deepEqual([faults, torn], [[], 1]);
  assert.deepEqual(await faultsOf([[...lines, 'hello']]), ['unreadable']);
  const skipped = await verify([[...lines, 'hello']], { skipForeign: true });
  assert.deepEqual([skipped.faults, skipped.foreign], [[], 2]);
});

test('lines in a member of the objects of a shipper are read as they were written', async () => {
  const wrapped = one.map((line, at) => JSON.stringify({ host: 'node-1', message: at % 2 === 0 ? line : `${line}\n` }));
  assert.deepEqual((await verify([wrapped], { member: 'message' })).faults, []);
  // What a pipeline parsed and wrote anew is not what was hashed.
  const parsed = one.map((line) => JSON.stringify({ message: JSON.stringify({ ...JSON.parse(line), added: 1 }) }));
  assert.ok((await verify([parsed], { member: 'message' })).faults.length > 0);
  assert.equal((await verify([wrapped], { member: 'absent' })).lines, 0);
});

function lastOf(lines: readonly string[]) {
  const line = lines.at(-1)!;
  const { boot, seq } = JSON.parse(line) as { boot: string; seq: number };
  return { boot, seq, hash: digest(line) };
}
