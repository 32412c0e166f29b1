import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { apiKeyDigest, newApiKey } from '../../src/base/secrets/api-key.ts';
import { apiKeys, CRM, ERP, erpByKey, HR, KEY_HEADER, OPS } from '../support/legacy.ts';
import { TaskIssuer } from '../support/task-issuer.ts';
import { type Answer, type Ask, World } from '../support/world.ts';
import { agentByTxn, EXPORT, GATEWAY, ledgerReads, READER } from '../support/world-asks.ts';
import { worlds } from '../support/world-kinds.ts';

let world: World;
const erpSvid = () => world.svid('/legacy/erp');

before(async () => {
  world = await World.start(worlds.legacy);
});
after(() => world?.stop());

async function allowed(ask: Ask): Promise<Answer> {
  const answer = await world.send(ask);
  assert.equal(answer.reason, 'permitted', answer.line);
  return answer;
}

async function refused(reason: string, ask: Ask): Promise<Answer> {
  const answer = await world.send(ask);
  assert.equal(answer.reason, reason, answer.line);
  return answer;
}

const KEY = apiKeys.erp;

suite('an API key of a legacy account', () => {
  test('names its account, and both keys do while one is rotated', async () => {
    for (const key of [KEY, apiKeys.erpNext]) {
      const { audit } = await allowed(erpByKey(key));
      assert.deepEqual(audit.caller, {
        id: ERP,
        owner: 'payments',
        kind: 'legacy',
        credential: 'api-key',
        fingerprint: `sha256:${apiKeyDigest(key)}`,
        proxy: null,
      });
    }
  });

  test('is removed before the request goes on, from whomever and wherever to', async () => {
    const reports = { host: 'reports.internal', path: '/status', route: { host: 'reports.internal' } };
    // The last host has a list of what is forwarded.
    const asks = [erpByKey(), { ...erpByKey(), svid: erpSvid() }, ledgerReads()(world), agentByTxn({}, reports)(world)];
    for (const ask of asks) {
      const { wire } = await allowed(ask);
      assert.ok(wire.ok?.remove.includes(KEY_HEADER), ask.host ?? 'payments.internal');
    }
  });

  test('is good where and when its account may use it, and no further', async () => {
    const elsewhere = { host: 'rates.partner.example', path: '/', route: { host: 'rates.partner.example' } };
    const asks: readonly (readonly [string, Ask])[] = [
      ['identity_legacy_host', erpByKey(KEY, elsewhere)],
      ['identity_legacy_network', erpByKey(KEY, { address: '10.3.0.9' })],
      ['identity_key_expired', erpByKey(apiKeys.crmOld, { address: '10.3.0.9' })],
      ['identity_key_not_yet_valid', erpByKey(apiKeys.crmNext, { address: '10.3.0.9' })],
    ];
    await allowed(erpByKey());
    for (const [reason, ask] of asks) {
      const { audit } = await refused(reason, ask);
      const id = ask.headers?.[KEY_HEADER] === KEY ? ERP : CRM;
      assert.equal((audit.caller as { id: string }).id, id, 'the record says whose key it is');
    }
  });

  test('from another network is refused, whatever its sender says of the way', async () => {
    const headers = { 'x-forwarded-for': '10.2.0.9', 'x-real-ip': '10.2.0.9', forwarded: 'for=10.2.0.9' };
    await allowed(erpByKey(KEY, { headers: { 'x-forwarded-for': '203.0.113.7' } }));
    await refused('identity_legacy_network', erpByKey(KEY, { headers, address: '203.0.113.7' }));
    await refused('identity_legacy_network', erpByKey(KEY, { headers, address: '' }));
    await refused('identity_legacy_network', { ...erpByKey(KEY, { headers }), svid: world.svid(GATEWAY) });
  });

  test('older than the guardrail lets it be is stopped before its own day of rotation', async () => {
    const hr = (key: string): Ask => erpByKey(key, { path: '/api/status', address: '10.4.0.9' });
    const { audit } = await allowed(hr(apiKeys.hrFresh));
    assert.ok(Math.abs(Number((audit.facts as { credentialAge: number }).credentialAge) - 89 * 86_400) < 600);
    const denied = await refused('policy_forbidden', hr(apiKeys.hrAged));
    assert.match(String(denied.audit.detail), new RegExp(`${HR}: forbidden by legacy-credentials-are-rotated$`));
  });
});

suite('a key that is presented in another way', () => {
  const bare: Ask = { svid: null, path: EXPORT };

  test('twice, or beside another value', async () => {
    await allowed(erpByKey());
    for (const form of ['headers', 'header_map'] as const)
      await refused('request_header_repeated', erpByKey(KEY, { form, headers: { [KEY_HEADER]: [KEY, KEY] } }));
    await refused('identity_key_malformed', erpByKey(`${KEY}, ${KEY}`));
    for (const value of ['', ' ', `${KEY} `, ` ${KEY}`, KEY.toUpperCase(), `ApiKey ${KEY}`, apiKeyDigest(KEY)])
      await refused('identity_key_malformed', erpByKey(value));
    await refused('request_header_unclean', erpByKey(KEY, { headers: { [KEY_HEADER]: Buffer.from(`${KEY}\u0000`) } }));
  });

  test('under a name that others read as that of its header', async () => {
    await refused('request_header_underscore', { ...bare, headers: { x_api_key: KEY } });
    await refused('request_header_underscore', erpByKey(KEY, { headers: { x_api_key: apiKeys.unknown } }));
    for (const name of ['X-API-Key', 'X-Api-KEY'])
      assert.notEqual((await world.send({ ...bare, headers: { [name]: KEY } })).reason, 'permitted', name);
    await refused('identity_token_missing', { ...bare, headers: { 'x-apikey': KEY } });
  });

  test('in the query, a cookie, or under a scheme', async () => {
    await refused('identity_token_missing', { ...bare, path: `${EXPORT}?${KEY_HEADER}=${KEY}` });
    await refused('identity_token_missing', { ...bare, headers: { cookie: `${KEY_HEADER}=${KEY}` } });
    for (const scheme of ['Bearer', 'DPoP', 'Basic', 'ApiKey'])
      await refused('identity_token_malformed', { ...bare, headers: { authorization: `${scheme} ${KEY}` } });
  });

  test('beside another credential says the same as that, or refuses', async () => {
    const { audit } = await allowed({ ...erpByKey(), svid: erpSvid() });
    assert.equal((audit.caller as { credential?: string }).credential, 'x509-svid');
    await refused('identity_conflict', { ...erpByKey(), svid: world.svid(READER) });
    await refused('identity_key_unknown', { ...erpByKey(apiKeys.unknown), svid: world.svid(READER) });
    await refused('identity_key_malformed', { ...erpByKey('app-key'), svid: erpSvid() });
    await allowed({ svid: world.svid(READER), path: EXPORT });
  });

  test('carries no task', async () => {
    const txn = new TaskIssuer('prod.example', world.keys).txnToken({ workload: ERP });
    const task = { headers: { 'txn-token': txn } };
    await refused('task_unbound', erpByKey(KEY, task));
    const { audit } = await allowed({ svid: erpSvid(), path: EXPORT, ...task });
    assert.equal((audit.task as { assurance: number }).assurance, 2);
  });
});

test('no setting that lets policies be observed alone opens a network or a host to a key', async () => {
  const { edit, prepare } = worlds.legacy;
  const observing = await World.start({
    prepare,
    edit: (config) => {
      edit(config);
      config.policy.unsafeObserveOnly = true;
    },
  });
  try {
    const aged = erpByKey(apiKeys.hrAged, { path: '/api/status', address: '10.4.0.9' });
    assert.equal((await observing.send(aged)).audit.reason, 'observed');
    assert.equal((await observing.send({ ...aged, address: '10.2.0.9' })).reason, 'identity_legacy_network');
    assert.equal((await observing.send(erpByKey(apiKeys.crmOld))).reason, 'identity_key_expired');
  } finally {
    await observing.stop();
  }
});

test('without a header for keys none is read, and nothing is removed', async () => {
  const { prepare } = worlds.legacy;
  const off = await World.start({ prepare });
  try {
    assert.equal((await off.send(erpByKey())).reason, 'identity_token_missing');
    const { wire } = await off.send({ ...ledgerReads()(off), headers: { [KEY_HEADER]: KEY } });
    assert.ok(wire.ok !== null && !wire.ok.remove.includes(KEY_HEADER));
  } finally {
    await off.stop();
  }
});

test('the account whose newest key ends soon is named, and the one whose successor is there is not', async () => {
  const due = world.log.filter((line) => line.includes('API keys must be rotated'));
  assert.equal(due.length, 1);
  const { count, accounts } = JSON.parse(due[0]!) as { count: number; accounts: string[] };
  assert.equal(count, 1);
  assert.match(accounts.join(), new RegExp(`^the API keys of ${OPS} end on .*; make a new one`));
  const metrics = await world.status('/metrics');
  assert.match(metrics, /^authz_legacy_keys_due 1$/m);
  const left = Number(/^authz_legacy_key_expiry_seconds ([\d.]+)$/m.exec(metrics)?.[1]) / 86_400;
  assert.ok(left > 9 && left <= 11, `${left} days`);
});

test('a flood of wrong keys makes nothing grow, and no answer tells how close one was', async () => {
  const series = async () => (await world.status('/metrics')).split('\n').filter((line) => line.startsWith('authz_'));
  const near = `${KEY.slice(0, -1)}${KEY.endsWith('A') ? 'B' : 'A'}`;
  const first = await refused('identity_key_unknown', erpByKey(near));
  const before = await series();
  const answers: Answer[] = [];
  for (let round = 0; round < 10; round++) {
    const keys = Array.from({ length: 50 }, newApiKey);
    answers.push(...(await Promise.all(keys.map((key) => world.send(erpByKey(key))))));
  }
  const said = (answer: Answer) => answer.wire.denied?.body.replaceAll(answer.decision, '');
  assert.deepEqual(new Set(answers.map(said)), new Set([said(first)]));
  const after = await series();
  const names = (lines: string[]) => new Set(lines.map((line) => line.slice(0, line.lastIndexOf(' '))));
  assert.deepEqual([...names(after).difference(names(before))], []);
  const caches = (lines: string[]) => lines.filter((line) => line.startsWith('authz_cache_entries'));
  assert.deepEqual(caches(after), caches(before));
});

test('no key stands in the audit, the log, the metrics or the status, wherever its holder put it', async () => {
  const paths = [`/api/exports/${KEY}`, `${EXPORT}?key=${KEY}`, `${EXPORT}?${KEY}`];
  for (const path of paths) await allowed(erpByKey(KEY, { path }));
  const declared = { 'x-task-id': KEY, 'x-task-purpose': 'reconcile-invoices' };
  await allowed(erpByKey(KEY, { headers: declared }));
  await world.send(erpByKey(KEY, { host: `${KEY.toLowerCase()}.example` }));
  const written = [
    readFileSync(join(world.folder, 'audit.jsonl'), 'utf8'),
    world.log.join('\n'),
    await world.status('/metrics'),
    await world.status('/status'),
  ].join('\n');
  for (const key of Object.values(apiKeys)) assert.ok(!written.includes(key.slice(5)), 'a key was written');
  assert.ok(written.includes(apiKeyDigest(KEY)), 'its digest stands in place of it');
});
