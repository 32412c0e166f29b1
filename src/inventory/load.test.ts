import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inventoryOf, problemsIn, problemsOf, workloadOf } from '../../test/support/inventory.ts';
import { signalKinds } from '../behaviour/signals.ts';
import { formatProblem } from '../source/problem.ts';
import { loadInventory, restoreInventory } from './load.ts';

const good = `teams: [payments]
approvals: [resource-owner]
purposes:
  reconcile-invoices: { in: [finance] }
  finance: {}
workloads:
  - id: spiffe://prod.example/ns/agents/sa/billing-agent
    owner: payments
    kind: agent
resources:
  - host: payments.internal
    owner: payments
`;

const faults: [name: string, find: string, replace: string, problem: RegExp][] = [
  [
    'the old name of a key',
    '    kind: agent',
    '    lower: true',
    /^inventory.yaml:9:5: workloads\[0\].lower: was renamed; write 'loosens'$/,
  ],
  ['an unknown key', '    kind: agent', '    knid: agent', /^inventory.yaml:9:5: workloads\[0\].knid: no such key/],
  ['a key twice', '    kind: agent', '    kind: agent\n    kind: job', /^inventory.yaml:10:5: Map keys must be unique/],
  [
    'a value outside its list',
    'kind: agent',
    'kind: robot',
    /^inventory.yaml:9:11: workloads\[0\].kind: write "agent" or/,
  ],
  [
    'a number for a name',
    'owner: payments\n    kind',
    'owner: 7\n    kind',
    /^inventory.yaml:8:12: workloads\[0\].owner: not a text/,
  ],
  [
    'a word for a truth value',
    'kind: agent',
    'kind: agent\n    relay: yes',
    /^inventory.yaml:10:12: workloads\[0\].relay: write true or false/,
  ],
  ['a list that is left empty', 'teams: [payments]', 'teams:', /^inventory.yaml:1:7: teams: not a list; write \[\]/],
  ['a missing section', 'teams: [payments]\n', '', /^inventory.yaml:1:1: teams: missing/],
  ['a missing key', '- host: payments.internal\n    ', '- ', /^inventory.yaml:11:5: resources\[0\].host: missing/],
  [
    'a wider purpose that is not listed',
    'in: [finance]',
    'in: [finanec]',
    /^inventory.yaml:4:30: .*no purpose is called 'finanec'/,
  ],
  [
    'a team that is not listed',
    'teams: [payments]',
    'teams: [payment]',
    /^inventory.yaml:8:12: .*no team is called 'payments'/,
  ],
  ['an alias', 'finance: {}', 'finance: &a {}\n  other: *a', /^inventory.yaml:5:15: the anchor/],
  ['a tag', 'owner: payments\n    kind', 'owner: !!str payments\n    kind', /^inventory.yaml:8:18: the tag/],
  ['a merge key', 'finance: {}', 'finance: {}\n  <<: {}', /^inventory.yaml:6:3: the key '<<' is not read/],
  [
    'the key __proto__',
    'finance: {}',
    'finance: {}\n  __proto__: {}',
    /^inventory.yaml:6:3: the key '__proto__' is not read/,
  ],
  ['a key that is no text', 'finance: {}', 'finance: {}\n  7: {}', /^inventory.yaml:6:3: a key that is no text/],
  ['a second document', 'teams:', '--- {}\n---\nteams:', /a second document begins here/],
  [
    'half of a surrogate pair, which no router and no Cedar takes',
    'host: payments.internal\n',
    'host: payments.internal\n    apis: [{ name: x, path: "/a\\uD800" }]\n',
    /^inventory.yaml:12:29: half of a surrogate pair/,
  ],
  ['another YAML', 'teams:', '%YAML 1.1\n---\nteams:', /^inventory.yaml:1:1: YAML 1.1 reads some values differently/],
  ['broken YAML', 'teams: [payments]', 'teams: [payments', /^inventory.yaml:\d+:\d+: /],
  [
    'a name with a slash',
    'teams: [payments]',
    'teams: [payments, a/b]',
    /^inventory.yaml:1:19: teams\[1\]: a name is letters/,
  ],
  [
    'a purpose with a space',
    'finance: {}',
    'finance: {}\n  "a b": {}',
    /^inventory.yaml:6:3: purposes\["a b"\]: a purpose is letters/,
  ],
];

test('the positive control of the faults below loads', () => {
  assert.ok(!Array.isArray(loadInventory(good, 'inventory.yaml', { ownTrustDomains: new Set() })));
});

for (const [name, find, replace, problem] of faults) {
  test(`${name} is a problem that names its place`, () => {
    const text = good.replace(find, replace);
    assert.notEqual(text, good);
    assert.match(problemsIn(text)[0] ?? '', problem);
  });
}

test('one report holds the problems of every part, in the order of the file', () => {
  const text = good
    .replace('in: [finance]', 'in: [finanec]')
    .replace('kind: agent', 'kind: robot')
    .replace('host: payments.internal\n    owner: payments', 'host: Payments.internal\n    owner: nobody');
  assert.deepEqual(
    problemsIn(text).map((problem) => problem.split(' ')[0]),
    ['inventory.yaml:4:30:', 'inventory.yaml:9:11:', 'inventory.yaml:11:11:', 'inventory.yaml:12:12:'],
  );
});

test('a character that ends a line elsewhere, or nowhere, is a problem: a comment here would be a key there', () => {
  for (const odd of ['\r', '\u0085', '\u2028', '\u2029', '\u0000', '\u000b', '\u001b', '\ufeff']) {
    const problems = problemsIn(good.replace('kind: agent\n', `kind: agent # takes mail${odd}    relay: true\n`));
    assert.match(problems.join('\n'), /^inventory.yaml:9:29: the character U\+[0-9A-F]{4}, which readers/);
  }
  for (const text of [`\ufeff${good}`, good.replaceAll('\n', '\r\n'), `${good}# tab\t ä \u{1f600}\n`]) {
    assert.ok(!Array.isArray(loadInventory(text, 'inventory.yaml', { ownTrustDomains: new Set() })));
  }
});

test('an empty file, a list and a scalar are problems, not crashes', () => {
  for (const text of ['', '# nothing\n'])
    assert.deepEqual(problemsIn(text), [
      'inventory.yaml:1:1: the file is empty; state at least teams, workloads and resources',
    ]);
  for (const text of ['---\n', 'null', '[]', '7', '"x"']) assert.ok(problemsIn(text).length > 0, text);
});

test('hostile text is refused, never thrown', () => {
  for (const text of [
    '['.repeat(100_000),
    '{"a":'.repeat(50_000),
    `a: &a [*a]`,
    '\u0000',
    '%YAML 9.9\n---\n{}',
    `${'- '.repeat(20_000)}x`,
  ]) {
    assert.ok(problemsIn(text).length > 0, text.slice(0, 20));
  }
  assert.match(problemsIn(`${good}#${'x'.repeat(33 * 1024 * 1024)}`)[0] ?? '', /split the estate/);
});

test('a circle of purposes is a problem; wider purposes are found over any distance', () => {
  const circle = problemsOf({ purposes: { a: { in: ['b'] }, b: { in: ['a'] }, c: { in: ['a'] } } });
  assert.equal(circle.filter((problem) => /belongs to itself/.test(problem)).length, 2);
  const inventory = inventoryOf({ purposes: { a: { in: ['b', 'c'] }, b: { in: ['d'] }, c: { in: ['d'] }, d: {} } });
  assert.deepEqual(inventory.widerPurposes('a'), ['b', 'c', 'd']);
  assert.deepEqual(inventory.widerPurposes('d'), []);
  assert.equal(inventory.widerPurposes('toString'), null);
});

test('what a policy may name is listed', () => {
  const { known } = inventoryOf({
    approvals: ['resource-owner'],
    signals: ['burst'],
    purposes: { finance: {} },
    workloads: [
      {
        id: 'spiffe://prod.example/a',
        owner: 'payments',
        groups: ['g'],
        labels: { pci: 'true' },
        credentials: [{ issuer: 'https://ci.example', subject: 's' }],
      },
    ],
    resources: [
      { host: 'h', scopes: ['s'], labels: { tier: '1' }, apis: [{ name: 'x', path: '/x/{id}', scopes: ['t'] }] },
    ],
  });
  assert.deepEqual(Object.fromEntries(Object.entries(known).map(([name, set]) => [name, [...set]])), {
    teams: ['payments', 'platform'],
    groups: ['g'],
    purposes: ['finance'],
    approvals: ['resource-owner'],
    signals: [...signalKinds, 'burst'],
    scopes: ['s', 't'],
    hosts: ['h'],
    apis: ['h/x'],
    workloadLabels: ['pci'],
    resourceLabels: ['tier', 'param.id'],
    issuers: ['https://ci.example'],
    trustDomains: ['prod.example'],
  });
});

test('content is the same for the same meaning, and another for another', () => {
  const content = (text: string, own: string[] = []) => {
    const loaded = loadInventory(text, 'inventory.yaml', { ownTrustDomains: new Set(own) });
    assert.ok(!Array.isArray(loaded));
    return loaded.content;
  };
  const base = content(good);
  assert.deepEqual(content(`# a comment\n${good.replace('[payments]', '["payments"]')}`), base);
  const moved = good.replace('    owner: payments\n    kind: agent', '    kind: agent\n    owner: payments');
  assert.notEqual(moved, good);
  assert.deepEqual(content(moved), base);
  assert.notDeepEqual(content(good.replace('kind: agent', 'kind: job')), base);
  assert.notDeepEqual(content(good, ['prod.example']), base);
});

test('an inventory is restored from its content, and from nothing else', () => {
  const loaded = loadInventory(good, 'inventory.yaml', { ownTrustDomains: new Set(['prod.example']) });
  assert.ok(!Array.isArray(loaded));
  const restored = restoreInventory(loaded.content);
  assert.deepEqual([...(restored?.entries() ?? [])], [...loaded.entries()]);
  assert.deepEqual(restored?.content, loaded.content);
  const agent = 'spiffe://prod.example/ns/agents/sa/billing-agent';
  assert.deepEqual(restored === null ? null : workloadOf(restored, agent), workloadOf(loaded, agent));
  const { text: content, tables, digest } = loaded.content;
  for (const text of ['', '{}', 'null']) assert.equal(restoreInventory({ text, tables, digest }), null);
  assert.equal(restoreInventory({ text: content.replace('"teams":["payments"]', '"teams":[]'), tables, digest }), null);
});

test('a map of fifty thousand keys is read, and the one that stands twice is found', { timeout: 20_000 }, () => {
  const keys = Array.from({ length: 50_000 }, (_, i) => `  p${i}: {}\n`).join('');
  const text = good.replace('purposes:\n', `purposes:\n${keys}  p7: {}\n`);
  assert.notEqual(text, good);
  assert.match(problemsIn(text).join('\n'), /^inventory.yaml:50004:3: Map keys must be unique: 'p7' stands here twice/);
});

const many = (count: number, line: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join('');
const hosted = (apis: string): string => `teams: [a]\nworkloads: []\nresources:\n  - host: h\n    apis:\n${apis}`;
const large: [what: string, text: string, says: RegExp | null][] = [
  ['names that are no text', `teams: [${'1,'.repeat(140_000)}]`, /^inventory.yaml:1:9: teams\[0\]: not a text/],
  ['unknown keys', many(60_000, (i) => `k${i}: 1\n`), /k0: no such key/],
  ['apis', hosted(many(20_000, (i) => `      - { name: a${i}, path: /a${i} }\n`)), null],
  ['apis of one path', hosted(many(3000, (i) => `      - { name: a${i}, path: /a }\n`)), /neither this nor '\/a'/],
  [
    'networks within networks',
    `teams: [a]
resources: []
workloads:
  - { under: "spiffe://a/x", owner: a, networks: [${many(2000, (i) => `10.${i >> 8}.${i & 255}.0/24,`)}] }
  - { id: "spiffe://a/x/y", owner: a, networks: [${many(2000, (i) => `10.${i >> 8}.${i & 255}.0/25,`)}] }
`,
    null,
  ],
  [
    'purposes, each in the next',
    `teams: [a]\nworkloads: []\nresources: []\npurposes:\n${many(20_000, (i) => `  p${i}: { in: [p${i + 1}] }\n`)}  p20000: {}\n`,
    /more than 256 wider purposes/,
  ],
];
for (const [what, text, says] of large) {
  test(`a file of many ${what} is judged, and its report has an end`, { timeout: 20_000 }, () => {
    const problems = loadInventory(text, 'inventory.yaml', { ownTrustDomains: new Set() });
    if (says === null) return assert.ok(!Array.isArray(problems));
    assert.ok(Array.isArray(problems));
    assert.match(problems.map(formatProblem).join('\n'), says);
    assert.ok(problems.length <= 1000);
  });
}

test('an inventory of two thousand workloads loads', () => {
  const workloads = Array.from({ length: 2_000 }, (_, n) => ({
    id: `spiffe://prod.example/w/${n}`,
    owner: 'payments',
    kind: 'job',
  }));
  assert.equal([...inventoryOf({ workloads }).entries()].length, 2_000);
});
