import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'cedar', 'guardrails');
const cedar = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.cedar'))
  .map((name) => readFileSync(join(folder, name), 'utf8'))
  .join('\n');
const rows = readFileSync(join(root, 'docs', 'controls.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split('|').map((cell) => cell.trim()));

/** The annotations of each guardrail, by their names. */
const guardrails = cedar
  .split(/(?=@id\()/)
  .slice(1)
  .map((text) => new Map([...text.matchAll(/@(\w+)\("([^"]*)"\)/g)].map(([, name = '', value = '']) => [name, value])));

const ids = (cell = ''): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, id = '']) => id);

test('docs/controls.md has the sentence of every guardrail, and no other', () => {
  const described = guardrails.map((found) => [found.get('id'), found.get('description')]);
  const documented = rows.filter((cells) => cells.length === 5).map(([, id, sentence]) => [ids(id)[0], sentence]);
  assert.ok(described.length > 0);
  assert.deepEqual(documented.toSorted(), described.toSorted());
});

test('docs/controls.md ties guardrails to controls as their @control annotations do', () => {
  const annotated = guardrails.flatMap((found) =>
    (found.get('control') ?? '').split(', ').map((control) => `${control} ${found.get('id')}`),
  );
  const documented = rows
    .filter((cells) => cells.length === 6)
    .flatMap(([, control, guardrail]) => ids(guardrail).map((id) => `${ids(control)[0]} ${id}`));
  assert.ok(annotated.length >= guardrails.length);
  assert.deepEqual(documented.toSorted(), annotated.toSorted());
});

test('docs/controls.md speaks of every control of the three lists that it takes whole', () => {
  const named = new Set(rows.map(([, control]) => ids(control)[0]));
  const whole = [
    ...Array.from({ length: 10 }, (_, n) => `OWASP-ASI${String(n + 1).padStart(2, '0')}`),
    ...Array.from({ length: 10 }, (_, n) => `OWASP-NHI${n + 1}`),
    ...Array.from({ length: 7 }, (_, n) => `CSA-MAESTRO-L${n + 1}`),
  ];
  assert.deepEqual(
    whole.filter((control) => !named.has(control)),
    [],
  );
});

/** The last table of the page: a sentence, a file, and a test or case in it. */
const shown = readFileSync(join(root, 'docs', 'controls.md'), 'utf8')
  .split('## Where each sentence is shown')[1]
  ?.split('\n')
  .filter((line) => line.startsWith('| ') && line.includes(' | `'))
  .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')));

test('docs/controls.md names a test for each sentence about what stands beside the guardrails', () => {
  const sentences = new Set(
    rows
      .filter((cells) => cells.length === 6)
      .flatMap(([, , , beside = '']) => beside.split(';'))
      .map((sentence) => sentence.trim())
      .filter((sentence) => sentence !== '–'),
  );
  const named = new Set(shown?.map(([sentence = '']) => sentence));
  assert.ok(sentences.size > 30);
  assert.deepEqual([...sentences.difference(named)], []);
});

test('each test that docs/controls.md names is there', () => {
  for (const [sentence, file = '', name = ''] of shown ?? []) {
    const text = readFileSync(join(root, file.replaceAll('`', '')), 'utf8');
    assert.ok(text.includes(name), `${sentence}: ${file} has no '${name}'`);
  }
});

test('docs/controls.md says of every guardrail what it does not do', () => {
  for (const cells of rows.filter(({ length }) => length === 5)) assert.match(cells[3] ?? '', /^[A-Z].*\.$/);
});
