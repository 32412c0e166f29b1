import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { idOf, inventoryOf, problemsOf, workloadOf } from '../../test/support/inventory.ts';
import { Refusal } from '../base/outcome.ts';
import type { Workload } from './model.ts';

const batch = { under: 'spiffe://prod.example/ns/batch', owner: 'platform', kind: 'job' };

test('a workload that no entry holds for is unregistered', () => {
  const inventory = inventoryOf({ workloads: [batch] });
  const stranger = inventory.workload(idOf('spiffe://prod.example/ns/other/sa/x'));
  assert.ok(stranger instanceof Refusal);
  assert.equal(stranger.reason, 'caller_unregistered');
  assert.equal(workloadOf(inventory, 'spiffe://prod.example/ns/batch/sa/x').kind, 'job');
});

test('a prefix holds by whole segments, strictly below itself, in its own trust domain', () => {
  const inventory = inventoryOf({ workloads: [batch] });
  for (const id of [
    'spiffe://prod.example/ns/batch',
    'spiffe://prod.example/ns/batches/sa/x',
    'spiffe://prod.example.evil/ns/batch/sa/x',
  ]) {
    assert.ok(inventory.workload(idOf(id)) instanceof Refusal, id);
  }
});

test('a prefix may be a whole trust domain', () => {
  const inventory = inventoryOf({ workloads: [{ under: 'spiffe://partner.example', owner: 'platform', kind: 'job' }] });
  assert.equal(workloadOf(inventory, 'spiffe://partner.example/a').owner, 'platform');
  assert.ok(inventory.workload(idOf('spiffe://partner.example.evil/a')) instanceof Refusal);
});

test('the longest entry wins, and takes from shorter ones what it does not state', () => {
  const inventory = inventoryOf({
    workloads: [
      { id: 'spiffe://prod.example/ns/batch/sa/nightly', owner: 'payments', labels: { tier: 'b' } },
      { ...batch, loosens: true, relay: true, labels: { tier: 'a', zone: 'eu' }, networks: ['10.0.0.0/8'] },
      { under: 'spiffe://prod.example', owner: 'platform' },
    ],
  });
  const nightly = workloadOf(inventory, 'spiffe://prod.example/ns/batch/sa/nightly');
  assert.deepEqual(
    { ...nightly, id: nightly.id.text, labels: Object.fromEntries(nightly.labels) },
    {
      id: 'spiffe://prod.example/ns/batch/sa/nightly',
      owner: 'payments',
      kind: 'job',
      external: false,
      relay: true,
      groups: [],
      labels: { tier: 'b', zone: 'eu' },
      networks: ['10.0.0.0/8'],
      entry: 'spiffe://prod.example/ns/batch/sa/nightly',
    },
  );
  const other = workloadOf(inventory, 'spiffe://prod.example/ns/batch/sa/other');
  assert.equal(other.entry, 'spiffe://prod.example/ns/batch');
  assert.equal(other.owner, 'platform');
});

test('without a kind a workload is an agent, and an agent takes input from outside unless it says that it does not', () => {
  const inventory = inventoryOf({
    workloads: [
      { id: 'spiffe://prod.example/unsaid', owner: 'payments' },
      { id: 'spiffe://prod.example/agent', owner: 'payments', kind: 'agent' },
      { id: 'spiffe://prod.example/closed', owner: 'payments', kind: 'agent', external: false },
      { id: 'spiffe://prod.example/job', owner: 'payments', kind: 'job' },
      { id: 'spiffe://prod.example/mailbox', owner: 'payments', kind: 'job', external: true },
    ],
  });
  const facts = (name: string) => {
    const { kind, external } = workloadOf(inventory, `spiffe://prod.example/${name}`);
    return [kind, external];
  };
  assert.deepEqual(facts('unsaid'), ['agent', true]);
  assert.deepEqual(facts('agent'), ['agent', true]);
  assert.deepEqual(facts('closed'), ['agent', false]);
  assert.deepEqual(facts('job'), ['job', false]);
  assert.deepEqual(facts('mailbox'), ['job', true]);
});

test('what is true of all below a prefix is true of one that does not say otherwise', () => {
  const workloads = [
    { under: 'spiffe://prod.example/ns', owner: 'platform', kind: 'job', external: true, relay: true },
    { id: 'spiffe://prod.example/ns/x', owner: 'payments' },
  ];
  const { kind, external, relay } = workloadOf(inventoryOf({ workloads }), 'spiffe://prod.example/ns/x');
  assert.deepEqual({ kind, external, relay }, { kind: 'job', external: true, relay: true });
});

test('a workload of a foreign trust domain is external, whatever the file says', () => {
  const workloads = [{ under: 'spiffe://partner.example/x', owner: 'platform', kind: 'job', external: false }];
  const id = 'spiffe://partner.example/x/job';
  assert.equal(workloadOf(inventoryOf({ workloads }), id).external, true);
  assert.equal(workloadOf(inventoryOf({ workloads }, new Set(['partner.example'])), id).external, false);
});

test('a service states whether it acts for others', () => {
  const service = { id: 'spiffe://prod.example/api', owner: 'payments', kind: 'service' };
  assert.match(problemsOf({ workloads: [service] }).join(), /a service states whether it acts for others/);
  assert.equal(workloadOf(inventoryOf({ workloads: [{ ...service, relay: false }] }), service.id).relay, false);
});

test('somebody owns every workload, and the owner is a listed team', () => {
  const job = { id: 'spiffe://prod.example/job', kind: 'job' };
  assert.match(problemsOf({ workloads: [job] }).join(), /nobody owns this entry/);
  assert.match(problemsOf({ workloads: [{ ...job, owner: 'paymnets' }] }).join(), /no team is called 'paymnets'/);
  assert.equal(workloadOf(inventoryOf({ workloads: [{ ...job, owner: 'payments' }] }), job.id).owner, 'payments');
});

const loosenings: [name: string, shorter: object, longer: object, stricter: object][] = [
  ['kind: agent', { kind: 'agent' }, { kind: 'job' }, { kind: 'agent' }],
  ['kind: legacy', { kind: 'legacy' }, { kind: 'service', relay: false }, { kind: 'legacy' }],
  ['external: true', { kind: 'job', external: true }, { external: false }, {}],
  ['kind: agent, the default', {}, { kind: 'job' }, { kind: 'agent' }],
  ['external: true, the default', { kind: 'agent' }, { external: false }, {}],
  ['external: true, the default', {}, { kind: 'agent', external: false }, { external: true }],
  ['relay: true', { kind: 'job', relay: true }, { relay: false }, {}],
  ['networks', { kind: 'job', networks: ['10.2.0.0/16'] }, { networks: ['10.0.0.0/8'] }, { networks: ['10.2.7.0/24'] }],
  ['networks', { kind: 'job', networks: ['10.2.0.0/16'] }, { networks: ['10.2.0.0/8'] }, { networks: ['10.2.0.0/16'] }],
  ['networks', { kind: 'job', networks: ['10.2.0.0/16'] }, { networks: ['fd00::/8'] }, { networks: ['10.2.0.0/16'] }],
];

for (const [name, shorter, longer, stricter] of loosenings) {
  test(`a longer entry loosens '${name}' only with loosens: true (${JSON.stringify(longer)})`, () => {
    const under = { under: 'spiffe://prod.example/ns', owner: 'platform', ...shorter };
    const id = { id: 'spiffe://prod.example/ns/x', owner: 'payments' };
    assert.match(problemsOf({ workloads: [under, { ...id, ...longer }] }).join(), new RegExp(`loosens '${name}`));
    inventoryOf({ workloads: [under, { ...id, ...longer, loosens: true }] });
    inventoryOf({ workloads: [under, { ...id, ...stricter }] });
  });
}

test('loosens: true that lowers nothing is a problem: it would loosen a later change without a word', () => {
  const under = { under: 'spiffe://prod.example/ns', owner: 'platform', kind: 'job' };
  const id = { id: 'spiffe://prod.example/ns/x', loosens: true };
  assert.match(problemsOf({ workloads: [under, id] }).join(), /nothing of the entry .* is loosened/);
  assert.match(problemsOf({ workloads: [{ ...id, owner: 'platform' }] }).join(), /no shorter entry holds here/);
});

test('an entry states either id or under, and one place has one entry', () => {
  const job = { owner: 'payments', kind: 'job' };
  const id = 'spiffe://prod.example/a';
  assert.match(problemsOf({ workloads: [job] }).join(), /either 'id'/);
  assert.match(problemsOf({ workloads: [{ ...job, id, under: id }] }).join(), /either 'id'/);
  assert.match(
    problemsOf({
      workloads: [
        { ...job, id },
        { ...job, id },
      ],
    }).join(),
    /has an entry already/,
  );
  assert.match(
    problemsOf({
      workloads: [
        { ...job, under: id },
        { ...job, under: id },
      ],
    }).join(),
    /has an entry already/,
  );
  inventoryOf({
    workloads: [
      { ...job, id },
      { ...job, under: id },
    ],
  });
});

test('ids are SPIFFE IDs; one workload has a path', () => {
  const job = { owner: 'payments', kind: 'job' };
  for (const id of [
    'prod.example/a',
    'spiffe://Prod.example/a',
    'spiffe://prod.example/a/',
    'spiffe://prod.example/a/../b',
  ]) {
    assert.match(problemsOf({ workloads: [{ ...job, id }] }).join(), /not a SPIFFE ID/, id);
  }
  assert.match(problemsOf({ workloads: [{ ...job, id: 'spiffe://prod.example' }] }).join(), /add a path/);
});

test('an under entry carries neither groups nor credentials', () => {
  const credentials = [{ issuer: 'https://idp.example', subject: 'x' }];
  const found = problemsOf({ workloads: [{ ...batch, groups: ['g'], credentials }] });
  assert.match(found.join(), /carries no groups/);
  assert.match(found.join(), /carries no credentials/);
});

test('one issuer and subject names one workload', () => {
  const credentials = [{ issuer: 'https://idp.example', subject: 'erp' }];
  const erp = { id: 'spiffe://prod.example/erp', owner: 'payments', kind: 'legacy', credentials };
  const inventory = inventoryOf({ workloads: [erp] });
  assert.equal(inventory.credential('https://idp.example', 'erp')?.text, erp.id);
  assert.equal(inventory.credential('https://idp.example', 'erp2'), null);
  assert.equal(inventory.credential('https://idp.examplee', 'rp'), null);
  const twice = problemsOf({ workloads: [erp, { ...erp, id: 'spiffe://prod.example/crm' }] });
  assert.match(twice.join(), /is spiffe:\/\/prod.example\/erp already/);
});

test('entries are listed with the day of their last review', () => {
  const inventory = inventoryOf({ workloads: [{ ...batch, reviewed: '2026-11-01' }] });
  assert.deepEqual(
    [...inventory.entries()],
    [{ entry: batch.under, scope: 'under', owner: 'platform', kind: 'job', reviewed: '2026-11-01' }],
  );
  assert.match(problemsOf({ workloads: [{ ...batch, reviewed: '1 November' }] }).join(), /a date is written/);
});

/** What must not get lost from a shorter entry to the workloads below it. */
const strictness: ((workload: Workload) => boolean)[] = [
  ({ kind }) => kind === 'agent',
  ({ kind }) => kind === 'legacy',
  ({ external }) => external,
  ({ relay }) => relay,
  ({ networks }) => networks !== null,
];

test('the longest prefix never loosens: what a shorter entry states holds below it, in every estate that loads without lower', () => {
  const segment = fc.constantFrom('a', 'b');
  const entry = fc.record(
    {
      path: fc.array(segment, { minLength: 1, maxLength: 4 }),
      kind: fc.constantFrom('agent', 'service', 'job', 'legacy'),
      external: fc.boolean(),
      relay: fc.boolean(),
      networks: fc.constantFrom(['10.0.0.0/8'], ['10.1.0.0/16'], ['192.168.0.0/16']),
    },
    { requiredKeys: ['path', 'relay'] },
  );
  let loaded = 0;
  fc.assert(
    fc.property(
      fc.array(entry, { minLength: 2, maxLength: 4 }),
      fc.array(segment, { minLength: 5, maxLength: 5 }),
      (list, path) => {
        const workloads = list.map(({ path: at, ...facts }) => ({ under: spiffe(at), owner: 'platform', ...facts }));
        const whole = tryInventory(workloads);
        if (whole === null) return;
        loaded++;
        const id = spiffe(path);
        for (const shorter of workloads.filter(({ under }) => id.startsWith(`${under}/`))) {
          const stated = workloadOf(inventoryOf({ workloads: [shorter] }), id);
          const actual = workloadOf(whole, id);
          strictness.forEach((strict, rule) => {
            const isStated = rule > 1 || shorter.kind !== undefined;
            const defaulted = rule === 2 && shorter.external === undefined;
            if (isStated && !defaulted && strict(stated)) assert.ok(strict(actual), `${shorter.under} rule ${rule}`);
          });
        }
      },
    ),
    { numRuns: 500 },
  );
  assert.ok(loaded > 50, `only ${loaded} estates loaded`);
});

function spiffe(path: readonly string[]): string {
  return `spiffe://prod.example/${path.join('/')}`;
}

function tryInventory(workloads: readonly object[]) {
  try {
    return inventoryOf({ workloads });
  } catch (error) {
    if (error instanceof assert.AssertionError) return null;
    throw error;
  }
}
