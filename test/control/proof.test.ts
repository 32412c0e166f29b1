import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ControlAsk, OPERATOR, startControlWorld } from '../support/control-world.ts';
import { oidcToken } from '../support/tokens.ts';
import { workload } from '../support/world.ts';

let worlds: Record<'loopback' | 'unix' | 'tls' | 'unix-tls', Awaited<ReturnType<typeof startControlWorld>>>;

before(async () => {
  const [loopback, unix, tls, unixTls] = await Promise.all([
    startControlWorld({ over: 'loopback' }),
    startControlWorld({ over: 'unix' }),
    startControlWorld({ over: 'tls' }),
    startControlWorld({ over: 'unix-tls' }),
  ]);
  worlds = { loopback, unix, tls, 'unix-tls': unixTls };
});
after(() => Promise.all(Object.values(worlds).map((world) => world.stop())));

/** Nobody has a policy in these worlds: who is believed is refused for that, and for nothing before. */
const BELIEVED = 'not_permitted';

type World = typeof worlds.tls;

async function refusal(world: World, ask: Partial<ControlAsk>): Promise<unknown> {
  const { status, json, line } = await world.recorded({ path: '/state', ...ask });
  assert.ok(status === 401 || status === 403, String(status));
  assert.equal(json.type, `urn:cedar-ext-authz:problem:${json.code}`);
  assert.deepEqual([line.event, line.result, line.reason, line.call], ['control', 'deny', json.code, 'state']);
  return json.code;
}

test('no listener makes anybody trusted: without a proof nobody is believed, wherever it connects', async () => {
  for (const world of Object.values(worlds)) {
    assert.equal(await refusal(world, {}), 'identity_missing');
    assert.equal(await refusal(world, { token: world.token(OPERATOR) }), BELIEVED);
  }
  for (const world of [worlds.tls, worlds['unix-tls']])
    assert.equal(await refusal(world, { svid: world.svid(OPERATOR) }), BELIEVED);
});

test('the line says who was proven, and by what', async () => {
  const { tls } = worlds;
  const callerOf = async (ask: Partial<ControlAsk>) =>
    (await tls.recorded({ path: '/state', ...ask })).line.caller as Record<string, unknown>;
  const { id, owner, credential } = await callerOf({ svid: tls.svid(OPERATOR) });
  assert.deepEqual([id, owner, credential], [workload(OPERATOR), 'platform', 'x509-svid']);
  assert.equal((await callerOf({ token: tls.token(OPERATOR) })).credential, 'jwt-svid');
});

test('a token that is good elsewhere is none here; each is one mutation of a good one', async () => {
  const world = worlds.loopback;
  const { stranger, ci } = world.keys;
  const past = Math.floor(Date.now() / 1000) - 600;
  const aud = (audience: string) => ({ claims: { aud: [audience] } });
  assert.equal(await refusal(world, { token: world.token(OPERATOR) }), BELIEVED);
  const bad: readonly (readonly [string, string])[] = [
    [world.token(OPERATOR, aud('spiffe://prod.example/ns/payments/sa/api')), 'identity_token_audience'],
    [world.token(OPERATOR, { claims: { aud: undefined } }), 'identity_token_audience'],
    [world.token(OPERATOR, { signWith: stranger }), 'identity_token_signature'],
    [world.token(OPERATOR, { claims: { iat: past - 300, exp: past } }), 'identity_token_expired'],
    [world.token(OPERATOR, { claims: { cnf: { jkt: 'x' } } }), 'identity_token_bound'],
    [world.token('/ns/nobody/sa/known'), 'caller_unregistered'],
    ['not.a.token', 'identity_token_malformed'],
  ];
  for (const [token, code] of bad) assert.equal(await refusal(world, { token }), code);
  const oidc = { key: ci, iss: 'https://ci.example', sub: 'repo:shop/deploy:ref:main' };
  const audience = 'spiffe://prod.example/control';
  assert.equal(await refusal(world, { token: oidcToken({ ...oidc, aud: audience }) }), BELIEVED);
  // The audience of the issuer holds for requests, and never here.
  assert.equal(await refusal(world, { token: oidcToken({ ...oidc, aud: 'prod.example' }) }), 'identity_token_audience');
});

for (const over of ['tls', 'unix-tls'] as const)
  test(`a certificate is verified as that of every caller is, over ${over}`, async () => {
    const world = worlds[over];
    const { ca, partnerCa, silentCa } = world.keys;
    assert.equal(await refusal(world, { svid: ca.svid(workload(OPERATOR)) }), BELIEVED);
    const old = { notBefore: Date.now() - 7_200_000, notAfter: Date.now() - 3_600_000 };
    assert.equal(await refusal(world, { svid: ca.svid(workload(OPERATOR), old) }), 'identity_svid_expired');
    assert.equal(await refusal(world, { svid: partnerCa.svid(workload(OPERATOR)) }), 'identity_svid_issuer_unknown');
    assert.equal(await refusal(world, { svid: ca.svid(workload('/ns/nobody/sa/known')) }), 'caller_unregistered');
    assert.equal(
      await refusal(world, { svid: silentCa.svid('spiffe://unheard.example/sa/x') }),
      'identity_trust_domain_unknown',
    );
  });

test('certificate and token must name the same workload', async () => {
  const { tls } = worlds;
  const svid = tls.svid(OPERATOR);
  assert.equal(await refusal(tls, { svid, token: tls.token(OPERATOR) }), BELIEVED);
  assert.equal(await refusal(tls, { svid, token: tls.token('/ns/support/sa/reader') }), 'identity_conflict');
  assert.equal(
    await refusal(tls, { svid, token: tls.token(OPERATOR, { signWith: tls.keys.stranger }) }),
    'identity_token_signature',
  );
  const bound = { claims: { cnf: { 'x5t#S256': svid.thumbprint } } };
  assert.equal(await refusal(tls, { svid, token: tls.token(OPERATOR, bound) }), BELIEVED);
  assert.equal(await refusal(tls, { token: tls.token(OPERATOR, bound) }), 'identity_token_bound');
});

test('a 401 says how a caller may prove itself, and no answer says why it was not believed', async () => {
  const { loopback } = worlds;
  const none = await loopback.ask({ path: '/state' });
  assert.equal(none.headers['www-authenticate'], 'Bearer realm="control"');
  const bad = await loopback.recorded({
    path: '/state',
    token: loopback.token(OPERATOR, { signWith: loopback.keys.stranger }),
  });
  assert.equal(bad.headers['www-authenticate'], 'Bearer realm="control", error="invalid_token"');
  assert.equal(bad.json.detail, undefined);
  assert.equal(typeof bad.line.detail, 'string');
});
