import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { blocks, page } from '../../test/docs/markdown.ts';
import { idOf, problemsOf } from '../../test/support/inventory.ts';
import { Refusal } from '../base/outcome.ts';
import { MAX_LINE_BYTES } from '../source/json-lines.ts';
import { formatProblem } from '../source/problem.ts';
import type { Inventory } from './inventory.ts';
import type { EntryLines } from './lines.ts';
import { loadInventory } from './load.ts';

const own = new Set(['prod.example']);
const job = { owner: 'payments', kind: 'job' };
const a = { id: 'spiffe://prod.example/a', ...job };
const good = JSON.stringify(a);

function chunked(bytes: Buffer, size: number): EntryLines {
  const length = Math.ceil(bytes.length / size);
  const chunks = Array.from({ length }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
  return { file: 'workloads.jsonl', chunks: () => chunks };
}

function load(file: string | Buffer, workloads: readonly object[] = [], chunk = 64 * 1024, more: object = {}) {
  const sections = { teams: ['payments', 'platform'], workloads, resources: [], workloadsFile: 'workloads.jsonl' };
  const lines = chunked(Buffer.from(file), chunk);
  return loadInventory(JSON.stringify({ ...sections, ...more }), 'inventory.yaml', { ownTrustDomains: own, lines });
}

function problemsOfLines(...of: Parameters<typeof load>): string[] {
  const loaded = load(...of);
  assert.ok(Array.isArray(loaded), 'the lines load without a problem');
  return loaded.map(formatProblem);
}

function inventoryOfLines(...of: Parameters<typeof load>): Inventory {
  const loaded = load(...of);
  if (Array.isArray(loaded)) assert.fail(loaded.map(formatProblem).join('\n'));
  return loaded;
}

const linesOf = (workloads: readonly object[]): string =>
  workloads.map((entry) => `${JSON.stringify(entry)}\n`).join('');

const under = { under: 'spiffe://prod.example/ns', owner: 'platform', kind: 'agent' };
const credentials = [{ issuer: 'https://idp.example', subject: 'x' }];
const faults: [name: string, workloads: readonly object[]][] = [
  ['an unknown key', [{ ...a, knid: 'agent' }]],
  ['the old name of a key', [{ ...a, lower: true }]],
  ['a value outside its list', [{ ...a, kind: 'robot' }]],
  ['a number for a name', [{ ...a, owner: 7 }]],
  ['a word for a truth value', [{ ...a, relay: 'yes' }]],
  ['no network', [{ ...a, networks: ['10.0.0.0'] }]],
  ['an empty list', [{ ...a, networks: [] }]],
  ['half a credential', [{ ...a, credentials: [{ issuer: 'https://idp.example' }] }]],
  ['a label with a slash', [{ ...a, labels: { 'a/b': 'x' } }]],
  ['no date', [{ ...a, reviewed: '1 November' }]],
  ['neither id nor under', [job]],
  ['id and under', [{ ...a, under: a.id }]],
  ['no SPIFFE ID', [{ ...a, id: 'spiffe://Prod.example/a' }]],
  ['the id of a trust domain', [{ ...a, id: 'spiffe://prod.example' }]],
  ['under with groups and credentials', [{ ...under, groups: ['g'], credentials }]],
  ['an entry twice', [a, a]],
  ['an entry three times', [a, { ...a, relay: true }, a]],
  ['a prefix twice', [under, under]],
  ['no owner', [{ id: a.id, kind: 'job' }]],
  ['an owner that is no team', [{ ...a, owner: 'paymnets' }]],
  ['a service that does not say whether it relays', [{ ...a, kind: 'service' }]],
  ['a kind that is loosened', [under, { ...job, id: 'spiffe://prod.example/ns/x' }]],
  [
    'what a longer prefix loosens',
    [
      { ...under, external: true },
      { ...under, under: `${under.under}/x`, external: false },
    ],
  ],
  ['loosens without a shorter entry', [{ ...a, loosens: true }]],
  ['loosens that loosens nothing', [under, { id: `${under.under}/x`, loosens: true }]],
  [
    'one credential of two workloads',
    [
      { ...a, credentials },
      { ...a, id: `${a.id}/b`, credentials },
    ],
  ],
  ['several at once', [{ ...a, kind: 'robot' }, { ...job }, { ...a, owner: 'nobody' }, { ...under, under: 'x' }]],
];

for (const [name, workloads] of faults) {
  test(`${name} is refused in the same words in both forms, at its line`, () => {
    const inFile = problemsOf({ workloads }).map((problem) => {
      const [, index, rest = ''] = /^workloads\[(\d+)\](?:: |\.)?(.*)$/.exec(problem) ?? [];
      return `${Number(index) + 1}: ${rest}`;
    });
    const inLines = problemsOfLines(linesOf(workloads)).map((problem) => {
      const [, line, rest] = /^workloads\.jsonl:(\d+):\d+: (.*)$/.exec(problem) ?? [];
      return `${line}: ${rest}`;
    });
    assert.deepEqual(inLines.toSorted(), inFile.toSorted());
    // Whatever is wrong among the entries of one form is wrong where they stand in both.
    for (let cut = 1; cut < workloads.length; cut++) {
      const apart = problemsOfLines(linesOf(workloads.slice(cut)), workloads.slice(0, cut));
      assert.equal(apart.length, inFile.length, apart.join('\n'));
    }
  });
}

const rest = good.slice(1);
const broken: [name: string, file: string | Buffer, problem: RegExp][] = [
  ['a torn line', `${good}\n${good.slice(0, 40)}`, /^workloads.jsonl:2:\d+: .*; each line is one entry, in JSON$/],
  ['two entries in a line', `${good}${good}\n`, /:1:\d+: something after the value; each line/],
  ['an entry over two lines', `${good.replace(',', ',\n')}\n`, /:1:\d+: a member name is missing; each line/],
  ['a list', `[${good}]\n`, /:1:1: not a map of keys/],
  ['null', 'null\n', /:1:1: not a map of keys/],
  ['a key twice', `{"kind":"job",${rest}\n`, /:1:\d+: the member "kind" is repeated; each line/],
  ['the key __proto__', `{"__proto__":{},${rest}\n`, /:1:\d+: .*__proto__/],
  ['an unknown key, at its place', `{"knid":"job",${rest}\n`, /:1:2: knid: no such key/],
  ['a value, at its place', `${good}\n${good.replace('"job"', '"robot"')}\n`, /:2:\d\d: kind: write "agent" or/],
  ['a number that no double holds', `{"owner":1e999,${rest}\n`, /:1:\d+: a number that no double holds/],
  ['half of a surrogate pair', `{"labels":{"a":"\\ud800"},${rest}\n`, /:1:\d+: a lone surrogate in the string/],
  ['a comment', `# ${good}\n`, /:1:1: not a JSON value/],
  ['a byte order mark within', `${good}\n\ufeff${good}\n`, /:2:1: not a JSON value/],
  [
    'bytes that are no UTF-8',
    Buffer.concat([Buffer.from(good), Buffer.from([0x0a, 0xc3, 0x28])]),
    /:2:1: not valid UTF-8/,
  ],
  ['UTF-16', Buffer.from(`${good}\n`, 'utf16le'), /:1:\d+: not a JSON value|:1:\d+: a member name is missing/],
  ['a huge line', `${good}\n${' '.repeat(MAX_LINE_BYTES + 1)}\n`, /:2:1: a line of more than 65536 bytes/],
  ['a line cut in a carriage return', `${good.replace(',', '\r')}\n`, /:1:\d+: /],
];

for (const [name, file, problem] of broken) {
  test(`${name} is a problem that names its line`, () => {
    const found = problemsOfLines(file);
    assert.match(found[0] ?? '', problem);
    assert.deepEqual(problemsOfLines(file, [], 7), found, 'however it arrives');
  });
}

test('a byte order mark at the begin, CRLF, empty lines, and no end of the last line are taken', () => {
  const b = { ...a, id: 'spiffe://prod.example/ä'.replace('ä', 'b'), labels: { city: 'Zürich' } };
  const whole = JSON.stringify(b);
  for (const file of [`${good}\n${whole}\n`, `\ufeff${good}\r\n${whole}\r\n`, `\n\n${good}\n \t\n${whole}`]) {
    for (const chunk of [1, 3, 64 * 1024]) {
      const inventory = inventoryOfLines(file, [], chunk);
      const found = inventory.workload(idOf(b.id));
      assert.equal(found instanceof Refusal ? null : found.labels.get('city'), 'Zürich');
      assert.equal([...inventory.entries()].length, 2);
    }
  }
  assert.equal([...inventoryOfLines('').entries()].length, 0);
});

test('a line may be as long as its limit, and a longer one is not kept', () => {
  const line = good + ' '.repeat(MAX_LINE_BYTES - good.length);
  inventoryOfLines(`${line}\n`);
  assert.match(problemsOfLines(`${line} \n`)[0] ?? '', /a line of more than/);
  function* endless(): Generator<Buffer> {
    for (let i = 0; i < 2000; i++) yield Buffer.alloc(1024 * 1024, 0x20);
  }
  const lines: EntryLines = { file: 'workloads.jsonl', chunks: endless };
  const before = process.memoryUsage().arrayBuffers;
  const text = JSON.stringify({ teams: [], workloads: [], resources: [], workloadsFile: 'workloads.jsonl' });
  const loaded = loadInventory(text, 'inventory.yaml', { ownTrustDomains: own, lines });
  assert.ok(Array.isArray(loaded) && loaded.length === 1);
  assert.ok(process.memoryUsage().arrayBuffers - before < 1024 * 1024 * 1024);
});

test('a report of lines has an end', () => {
  const found = problemsOfLines(`{}\n`.repeat(5000));
  assert.equal(found.length, 1000);
  assert.equal(problemsOfLines(linesOf(Array.from({ length: 5000 }, () => a))).length, 1000);
});

test('a file that is named and missing is a problem, and one that is there and not named', () => {
  const missing = problemsOf({ workloadsFile: 'workloads.jsonl' });
  assert.match(missing.join(), /workloadsFile: no workloads.jsonl stands beside this file/);
  assert.match(problemsOf({ workloadsFile: 'other.jsonl' }).join(), /workloadsFile: write "workloads.jsonl"/);
  const unnamed = problemsOfLines(linesOf([a]), [], 1024, { workloadsFile: undefined });
  assert.match(unnamed.join(), /^inventory.yaml:1:1: workloads.jsonl stands beside this file and is not read/);
});

test('what policies may name is listed from lines too', () => {
  const { known } = inventoryOfLines(linesOf([{ ...a, groups: ['g'], labels: { tier: '1' }, credentials }]));
  const names = [known.groups, known.workloadLabels, known.issuers, known.trustDomains].map((set) => [...set]);
  assert.deepEqual(names, [['g'], ['tier'], ['https://idp.example'], ['prod.example']]);
  assert.equal(inventoryOfLines(linesOf([{ ...a, credentials }])).credential('https://idp.example', 'x')?.text, a.id);
});

test('an entry that stands in lines is what it is in the file, in every estate that loads, wherever each stands', () => {
  const segment = fc.constantFrom('a', 'b', 'ab');
  const entry = fc.record(
    {
      scope: fc.constantFrom('id', 'under'),
      path: fc.array(segment, { minLength: 1, maxLength: 4 }),
      kind: fc.constantFrom('agent', 'job'),
      external: fc.boolean(),
      relay: fc.boolean(),
      owner: fc.constantFrom('payments', 'platform'),
      labels: fc.dictionary(fc.constantFrom('x', 'y'), fc.constantFrom('1', '2')),
      loosens: fc.constant(true),
    },
    { requiredKeys: ['scope', 'path', 'owner'] },
  );
  let loaded = 0;
  const paths = fc.array(fc.array(segment, { minLength: 1, maxLength: 5 }), { minLength: 8, maxLength: 8 });
  const text = (path: readonly string[]): string => `spiffe://prod.example/${path.join('/')}`;
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 6 }), fc.nat(6), paths, (list, cut, asked) => {
      const workloads = list.map(({ scope, path, ...facts }) => ({ [scope]: text(path), ...facts }));
      const apart = load(linesOf(workloads.slice(cut)), workloads.slice(0, cut));
      const whole = loadInventory(
        JSON.stringify({ teams: ['payments', 'platform'], workloads, resources: [] }),
        'inventory.yaml',
        { ownTrustDomains: own },
      );
      assert.equal(Array.isArray(apart), Array.isArray(whole));
      if (Array.isArray(apart) || Array.isArray(whole)) return;
      loaded++;
      for (const id of [...asked, ...list.map(({ path }) => path)].map(text)) {
        assert.deepEqual(apart.workload(idOf(id)), whole.workload(idOf(id)));
        assert.equal(
          apart.lists(id),
          list.some(({ path }) => `${text(path)}/`.startsWith(`${id}/`)),
        );
      }
    }),
    { numRuns: 2000 },
  );
  assert.ok(loaded > 200, `only ${loaded} estates loaded`);
});

test('workloads beyond those that are kept are found again', () => {
  const many = Array.from({ length: 20_000 }, (_, i) => ({ ...a, id: `${a.id}/${i}`, labels: { n: String(i) } }));
  const inventory = inventoryOfLines(linesOf(many), [under]);
  for (const round of [1, 2]) {
    for (const [i, { id }] of many.entries()) {
      const found = inventory.workload(idOf(id));
      assert.equal(found instanceof Refusal ? null : found.labels.get('n'), String(i), `round ${round}`);
    }
  }
  assert.ok(inventory.workload(idOf(`${a.id}/20000`)) instanceof Refusal);
});

test('the key and the line of docs/policies.md add a workload to its inventory', () => {
  const { text } = page('docs/policies.md');
  const block = (info: string): string => blocks(text).find((one) => one.info === info)!.text;
  const lines = chunked(Buffer.from(block('json')), 64);
  const inventory = `${block('yaml shop/inventory.yaml')}\n${block('yaml')}`;
  const loaded = loadInventory(inventory, 'inventory.yaml', { ownTrustDomains: new Set(['shop.example']), lines });
  if (Array.isArray(loaded)) assert.fail(loaded.map(formatProblem).join('\n'));
  const found = loaded.workload(idOf('spiffe://shop.example/ns/orders/sa/packer-7'));
  assert.ok(!(found instanceof Refusal) && found.owner === 'orders' && !found.external);
});
