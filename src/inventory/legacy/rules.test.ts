import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '../../base/outcome.ts';
import { SpiffeId } from '../../base/spiffe-id.ts';
import { formatProblem } from '../../source/problem.ts';
import { loadInventory } from '../load.ts';

const digest = (digit: string) => digit.repeat(64);
const KEY = { sha256: digest('a'), created: '2026-11-01T12:00:00Z', rotateBy: '2027-01-29' };
const LEGACY = { hosts: ['payments.internal'], keys: [KEY] };
const ERP = {
  id: 'spiffe://prod.example/legacy/erp',
  owner: 'payments',
  kind: 'legacy',
  networks: ['10.2.0.0/16'],
  legacy: LEGACY,
};
const CRM = { ...ERP, id: 'spiffe://prod.example/legacy/crm' };

function load(workloads: readonly object[], lines?: readonly object[]) {
  const file = {
    teams: ['payments'],
    workloads,
    resources: [{ host: 'payments.internal', owner: 'payments' }],
    ...(lines && { workloadsFile: 'workloads.jsonl' }),
  };
  const text = (lines ?? []).map((entry) => `${JSON.stringify(entry)}\n`).join('');
  return loadInventory(JSON.stringify(file), 'inventory.yaml', {
    ownTrustDomains: new Set(['prod.example']),
    ...(lines && { lines: { file: 'workloads.jsonl', chunks: () => [Buffer.from(text)] } }),
  });
}

function problems(workloads: readonly object[], lines?: readonly object[]): string {
  const loaded = load(workloads, lines);
  return Array.isArray(loaded) ? loaded.map(formatProblem).join('\n') : 'good';
}

const keyed = (...keys: readonly object[]) => [{ ...ERP, legacy: { ...LEGACY, keys } }];
const other = (digit: string) => ({ ...KEY, sha256: digest(digit) });

test('an account has one key, or two while it is rotated', () => {
  assert.equal(problems([ERP]), 'good');
  assert.equal(problems(keyed(KEY, other('b'))), 'good');
  assert.match(problems(keyed(KEY, other('b'), other('c'))), /at most 2 keys: one, and its successor/);
  assert.match(problems(keyed()), /an empty list/);
  assert.match(problems([{ ...ERP, legacy: { hosts: LEGACY.hosts } }]), /proves nothing/);
});

test('a key is a digest with the day on which it was made, and one by which it is rotated', () => {
  for (const wrong of ['ceak_', digest('A'), digest('a').slice(1)])
    assert.match(problems(keyed({ ...KEY, sha256: wrong })), /64 hex digits in lower case/);
  assert.match(problems(keyed({ ...KEY, created: '2026-11-01' })), /written in UTC: 2026-11-01T12:00:00Z/);
  assert.match(problems(keyed({ ...KEY, rotateBy: '2026-02-30' })), /a date is written/);
  assert.match(problems(keyed({ sha256: KEY.sha256, created: KEY.created })), /rotateBy/);
  assert.match(problems(keyed({ ...KEY, rotateBy: '2026-10-31' })), /lies before the key was created/);
  assert.equal(problems(keyed({ ...KEY, rotateBy: '2026-11-01' })), 'good');
  assert.equal(problems(keyed({ ...KEY, rotateBy: '2027-11-02' })), 'good');
  assert.match(problems(keyed({ ...KEY, rotateBy: '2027-11-03' })), /more than 366 days after/);
});

test('only an account of the kind legacy with networks has one, by its id', () => {
  const { kind: _, ...unsaid } = ERP;
  assert.match(problems([{ ...ERP, kind: 'service', relay: false }]), /only an account of the kind legacy/);
  assert.match(problems([unsaid]), /only an account of the kind legacy/);
  const { networks: __, ...anywhere } = ERP;
  assert.match(problems([anywhere]), /good from anywhere; state 'networks'/);
  const { id: under, ...rest } = ERP;
  assert.match(problems([{ ...rest, under }]), /an 'under' entry carries no legacy/);
  const around = { under: 'spiffe://prod.example/legacy', owner: 'payments', kind: 'legacy', networks: ERP.networks };
  assert.equal(problems([around, { id: ERP.id, legacy: LEGACY }]), 'good', 'kind and networks may be those around it');
});

test('it is good for hosts that are listed', () => {
  const hosts = ['payments.internal', 'payment.internal'];
  const found = problems([{ ...ERP, legacy: { ...LEGACY, hosts } }]);
  assert.match(found, /legacy\.hosts\[1\].*no host 'payment\.internal' is listed/s);
  assert.match(problems([{ ...ERP, legacy: { ...LEGACY, hosts: [] } }]), /an empty list admits no host/);
});

test('one key names one account, in whatever files', () => {
  const twice = /legacy\.keys\[0\].*this key is one of spiffe:\/\/prod\.example\/legacy\/(?:erp|crm) already/s;
  assert.match(problems([ERP, CRM]), twice);
  assert.match(problems([ERP], [CRM]), twice);
  assert.match(problems(keyed(KEY, { ...KEY, rotateBy: '2026-12-01' })), /legacy\.keys\[1\]/);
  const moved = { ...CRM, legacy: { ...LEGACY, keys: [other('b')] } };
  assert.equal(problems([ERP], [moved]), 'good');
});

test('one certificate names one account: a digest, or an authority with a DNS name', () => {
  const named = (...certificates: readonly object[]) => ({ legacy: { hosts: LEGACY.hosts, certificates } });
  const byName = { authority: 'erp-ca', dnsName: 'erp.legacy.example' };
  const byDigest = { sha256: digest('c') };
  assert.equal(problems([{ ...ERP, ...named(byName, byDigest) }]), 'good');
  for (const one of [byName, byDigest])
    assert.match(
      problems([
        { ...ERP, ...named(one) },
        { ...CRM, ...named({ sha256: digest('d') }, one) },
      ]),
      /legacy\.certificates\[1\].*this certificate is of spiffe:\/\/prod\.example\/legacy\/erp already/s,
    );
  const others = [
    { ...byName, authority: 'other-ca' },
    { ...byName, dnsName: 'crm.legacy.example' },
  ];
  assert.equal(
    problems([
      { ...ERP, ...named(byName) },
      { ...CRM, ...named(...others) },
    ]),
    'good',
  );
  for (const dnsName of ['*.legacy.example', 'ERP.legacy.example', 'erp.legacy.example.', 'erp legacy', ''])
    assert.match(problems([{ ...ERP, ...named({ ...byName, dnsName }) }]), /legacy\.certificates\[0\]/, dnsName);
  assert.match(problems([{ ...ERP, ...named({ ...byName, ...byDigest }) }]), /legacy\.certificates\[0\]/);
  const keyAndCertificate = { legacy: { ...LEGACY, certificates: [{ sha256: KEY.sha256 }] } };
  assert.equal(problems([{ ...ERP, ...keyAndCertificate }]), 'good', 'a digest of a key is none of a certificate');
});

test('an account is found by the digest of its key, and by nothing else', () => {
  const loaded = load(
    [{ ...ERP, credentials: [{ issuer: 'key', subject: digest('c') }] }],
    [{ ...CRM, legacy: { ...LEGACY, keys: [other('b')] } }],
  );
  assert.ok(!Array.isArray(loaded));
  const idOf = (sha256: string) => loaded.legacy('key', sha256)?.id.text ?? null;
  assert.deepEqual([digest('a'), digest('b'), digest('c'), digest('d'), ''].map(idOf), [
    ERP.id,
    CRM.id,
    null,
    null,
    null,
  ]);
  assert.equal(loaded.credential('', 'key'), null);
  assert.deepEqual(
    [...loaded.legacyAccounts('key')].map(({ id }) => id.text),
    [ERP.id, CRM.id],
  );
  assert.deepEqual([...loaded.known.issuers], ['key']);
  const id = SpiffeId.parse(ERP.id);
  assert.ok(!(id instanceof Refusal));
});
