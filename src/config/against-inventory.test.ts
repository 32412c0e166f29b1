import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inventoryOf } from '../../test/support/inventory.ts';
import { formatProblem } from '../source/problem.ts';
import { againstInventory, type InventoryFindings } from './against-inventory.ts';
import { isConfig, loadConfig } from './load.ts';

const NOW = Date.UTC(2026, 10, 29);
const DAY = 86_400_000;
const NOTHING: InventoryFindings = { problems: [], notes: [] };

const inventory = {
  purposes: { finance: {}, refunds: { in: ['finance'] } },
  workloads: [{ id: 'spiffe://prod.example/ledger', owner: 'payments', kind: 'service', relay: false }],
  resources: [{ host: 'payments.internal', servedBy: ['spiffe://prod.example/envoy'] }],
};
const config = {
  hosts: ['payments.internal'],
  identity: { trustDomains: { 'prod.example': { local: true, bundle: { file: 'a' } } } },
};
const issuer = {
  kind: 'txn-token',
  issuer: 'https://tts.example',
  audience: 'prod.example',
  jwks: { file: 'k' },
  trustDomains: ['prod.example'],
  purposes: ['finance'],
};

function find(more: object, estate: object = {}): InventoryFindings {
  const loaded = loadConfig(JSON.stringify({ ...config, ...more }), 'config.yaml', {});
  if (!isConfig(loaded)) assert.fail(loaded.map(formatProblem).join('\n'));
  return againstInventory(loaded, inventoryOf({ ...inventory, ...estate }), NOW);
}

/** The one problem, or the one note, that this finds. */
function only(kind: keyof InventoryFindings, more: object, estate: object = {}): string {
  const found = find(more, estate);
  assert.deepEqual({ ...found, [kind]: [] }, NOTHING);
  assert.equal(found[kind].length, 1, found[kind].join('\n'));
  return found[kind][0]!;
}

const workload = (more: object) => ({ workloads: [{ owner: 'payments', kind: 'job', ...more }] });
const disabled = (untilMs: number) => ({
  policy: {
    guardrails: { disable: [{ id: 'a', because: 'b', until: new Date(untilMs).toISOString().slice(0, 10) }] },
  },
});

test('a configuration and an inventory that know each other’s names are without findings', () => {
  assert.deepEqual(find({}), NOTHING);
  assert.deepEqual(find({ task: { issuers: [{ ...issuer, purposes: ['finance', 'refunds'] }] } }), NOTHING);
});

test('a host that is served and not in the inventory is a problem', () => {
  const found = only('problems', { hosts: ['payments.internal', 'payment.internal'] });
  assert.match(found, /^hosts\[1\]: the inventory lists no host 'payment\.internal'; add it there/);
  assert.match(only('problems', { hosts: ['payments.internal:8443'] }), /no host 'payments\.internal:8443'/);
});

test('a purpose of an issuer that is not in the inventory is a problem', () => {
  const found = only('problems', { task: { issuers: [{ ...issuer, purposes: ['finance', 'refund'] }] } });
  assert.match(found, /^task\.issuers\[0\]\.purposes\[1\]: the inventory lists no purpose 'refund'/);
});

test('a workload of a trust domain that is not configured is a problem, and a note where a token can name it', () => {
  for (const entry of [{ id: 'spiffe://prod.exmaple/a' }, { under: 'spiffe://prod.exmaple' }]) {
    const found = only('problems', {}, workload(entry));
    assert.match(found, /spiffe:\/\/prod\.exmaple can ever be a caller: identity\.trustDomains has no prod\.exmaple/);
    assert.match(only('notes', { task: { issuers: [issuer] } }, workload(entry)), /can ever be a caller/);
  }
});

test('an issuer of credentials that is not configured is a note, and one of callers or of tasks is none', () => {
  const estate = workload({
    id: 'spiffe://prod.example/ci',
    credentials: [{ issuer: 'https://tts.example', subject: 's' }],
  });
  assert.match(only('notes', {}, estate), /name the issuer https:\/\/tts\.example, which neither/);
  assert.deepEqual(find({ task: { issuers: [issuer] } }, estate), NOTHING);
  const oidc = [{ issuer: 'https://tts.example', jwks: { file: 'k' }, audience: 'a' }];
  assert.deepEqual(find({ identity: { ...config.identity, oidc } }, estate), NOTHING);
});

test('an issuer whose tokens no host takes, for want of an audience, is a problem', () => {
  const oidc = [{ issuer: 'https://idp.example', jwks: { file: 'k' } }];
  const identity = { ...config.identity, oidc };
  assert.match(only('problems', { identity }), /^identity\.oidc\[0\]: no host of the inventory states an audience/);
  const access = { ...issuer, kind: 'access-token', audience: undefined, idClaim: '/i', purposeClaim: '/p' };
  assert.match(only('problems', { task: { issuers: [access] } }), /^task\.issuers\[0\]: no host of the inventory/);
  const resources = [{ host: 'payments.internal', audience: 'spiffe://prod.example/payments' }];
  assert.deepEqual(find({ identity, task: { issuers: [access] } }, { resources }), NOTHING);
});

test('a type of authorization_details about what the inventory does not have is a problem', () => {
  const resources = [
    { host: 'payments.internal', audience: 'x', apis: [{ name: 'invoices', path: '/invoices/{invoice}' }] },
  ];
  const mapped = (api: string, parameter: string) => {
    const types = [{ type: 't', api, parameters: { [parameter]: 'identifier' } }];
    const claims = { idClaim: '/i', purposeClaim: '/p', resources: { claim: '/authorization_details', types } };
    return { task: { issuers: [{ ...issuer, kind: 'access-token', audience: undefined, ...claims }] } };
  };
  assert.deepEqual(find(mapped('payments.internal/invoices', 'invoice'), { resources }), NOTHING);
  assert.match(
    only('problems', mapped('payments.internal/invoice', 'invoice'), { resources }),
    /^task\.issuers\[0\]\.resources\.types\[0\]\.api: the inventory lists no api 'payments\.internal\/invoice';/,
  );
  assert.match(
    only('problems', mapped('payments.internal/invoices', 'id'), { resources }),
    /types\[0\]\.parameters: the path of payments\.internal\/invoices, \/invoices\/\{invoice\}, has no \{id\}/,
  );
});

test('an audience of the control API that a host has too is a problem', () => {
  const resources = [{ host: 'payments.internal', audience: 'spiffe://prod.example/payments' }];
  const audience = (text: string) => ({ control: { audience: text } });
  assert.deepEqual(find(audience('spiffe://prod.example/control'), { resources }), NOTHING);
  assert.match(
    only('problems', audience('spiffe://prod.example/payments'), { resources }),
    /^control\.audience: the host 'payments\.internal' has this audience too/,
  );
});

test('an audience of the token service that a host has too is a problem', () => {
  const resources = [{ host: 'payments.internal', audience: 'spiffe://prod.example/payments' }];
  const listen = { control: { address: '127.0.0.1:1', tls: { files: { certificate: 'a', key: 'b' } } } };
  const audience = (text: string) => ({ listen, tokenService: { keys: './tts.pem', audience: text } });
  assert.deepEqual(find(audience('spiffe://prod.example/tasks'), { resources }), NOTHING);
  assert.match(
    only('problems', audience('spiffe://prod.example/payments'), { resources }),
    /^tokenService\.audience: the host 'payments\.internal' has this audience too/,
  );
});

test('a servedBy of a trust domain that is not configured is a note', () => {
  const resources = [{ host: 'payments.internal', servedBy: ['spiffe://prod.exmaple/envoy'] }];
  assert.match(
    only('notes', {}, { resources }),
    /servedBy of payments\.internal names spiffe:\/\/prod\.exmaple\/envoy/,
  );
});

test('a guardrail is disabled to a day of the next two years; a day that is past is a note', () => {
  assert.deepEqual(find(disabled(NOW + 730 * DAY)), NOTHING);
  assert.match(
    only('problems', disabled(NOW + 732 * DAY)),
    /^policy\.guardrails\.disable\[0\]\.until: lies more than two/,
  );
  assert.match(only('problems', disabled(Date.UTC(9999, 11, 31))), /which is no end/);
  assert.deepEqual(find(disabled(NOW)), NOTHING, 'the day itself is included');
  assert.match(only('notes', disabled(NOW - DAY)), /is past, so a is in force/);
});

test('networks that hold every address, and unlisted hosts that are public, are notes', () => {
  const id = 'spiffe://prod.example/a';
  for (const network of ['0.0.0.0/0', '::/0'])
    assert.match(only('notes', {}, workload({ id, networks: ['10.0.0.0/8', network] })), /which is every address/);
  assert.deepEqual(find({}, workload({ id, networks: ['10.0.0.0/8', 'fd00::/8'] })), NOTHING);
  assert.match(only('notes', {}, { unlisted: { sensitivity: 'public' } }), /^unlisted is public/);
  assert.deepEqual(find({}, { unlisted: { sensitivity: 'internal' } }), NOTHING);
});

test('an instant before which nothing was opened may lie an hour ahead, and no more', () => {
  const touched = (ms: number) => ({
    state: { touched: { nothingBefore: new Date(ms).toISOString().replace(/\.\d+/, '') } },
  });
  for (const ms of [NOW - 1e9, NOW + 3_600_000]) assert.deepEqual(find(touched(ms)), NOTHING);
  assert.match(
    only('problems', touched(NOW + 3_601_000)),
    /^state\.touched\.nothingBefore lies more than an hour ahead/,
  );
});

test('an instant is written in UTC, to the second', () => {
  for (const text of [
    '2026-11-30',
    '2026-11-30T12:00:00+01:00',
    '2026-11-30T12:00:00.5Z',
    '2026-13-30T12:00:00Z',
    'now',
  ]) {
    const loaded = loadConfig(
      JSON.stringify({ ...config, state: { touched: { nothingBefore: text } } }),
      'config.yaml',
      {},
    );
    assert.ok(!isConfig(loaded) && /nothingBefore.* write it in UTC/.test(loaded.map(formatProblem).join()), text);
  }
});
