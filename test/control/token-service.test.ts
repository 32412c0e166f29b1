import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CONTROL, startControlWorld } from '../support/control-world.ts';
import { claimsIn, exchangeForm, formText, startForm, startTokenWorld, TYPES } from '../support/token-world.ts';
import { jwtSvid, mint } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import { workload } from '../support/world.ts';
import { AGENT, agentTxn, INVOICE, ORCHESTRATOR, READER, TOOLS } from '../support/world-asks.ts';

const TRIAGE = '/ns/agents/sa/triage-agent';
const ISSUER = 'urn:cedar-ext-authz:token-service:prod.example';

let world: Awaited<ReturnType<typeof startTokenWorld>>;
before(async () => {
  world = await startTokenWorld();
});
after(() => world?.stop());

const use = (path: string, token: string) =>
  world.send({ svid: world.svid(path), path: INVOICE, headers: { 'txn-token': token } });

test('a workload begins a task, and gets a token that is good for it alone; the line stands before the token', async () => {
  const { status, headers, json, line } = await world.requestToken(world.svid(AGENT), startForm(AGENT));
  assert.equal(status, 200, JSON.stringify(json));
  assert.deepEqual([headers['cache-control'], headers.pragma], ['no-store', 'no-cache']);
  const { access_token: issued, task, ...rest } = json;
  const token = String(issued);
  assert.deepEqual(rest, { issued_token_type: TYPES.txn, token_type: 'N_A', expires_in: 300, scope: 'invoices' });
  const { id, issuer } = task as { id: string; issuer: string };
  assert.match(id, /^[0-9a-f]{32}$/);
  const { act, aud, exp, iat, iss, req_wl, scope, sub, txn, task: about } = claimsIn(token);
  const self = workload(AGENT);
  assert.deepEqual([iss, aud, txn, sub, req_wl, scope], [ISSUER, 'prod.example', id, self, self, 'invoices']);
  assert.deepEqual([act, Number(exp) - Number(iat)], [{ sub: self }, 300]);
  assert.deepEqual(about, { purpose: 'reconcile-invoices', end: Number(iat) + 3600 });
  assert.equal(issuer, ISSUER);
  assert.equal((await use(AGENT, token)).reason, 'permitted');
  assert.equal((await use(TRIAGE, token)).reason, 'task_of_another');
  const { call, action, result, permits, about: written } = line as Record<string, Record<string, unknown>>;
  assert.deepEqual([call, action, result, permits], ['token', 'start', 'allow', ['agents-begin-their-own']]);
  assert.deepEqual([written?.grant, written?.task, written?.chain], ['start', id, [self]]);
  assert.ok(!JSON.stringify(line).includes(String(token).split('.')[2]!), 'no token stands in the audit');
});

test('a task is handed on by its last actor, ends for all at once, and is useless then', async () => {
  const first = await world.granted(ORCHESTRATOR, startForm(ORCHESTRATOR));
  const second = await world.granted(ORCHESTRATOR, exchangeForm(first, { actor: workload(AGENT) }));
  const { exp, act, req_wl: holder, txn } = claimsIn(second);
  assert.deepEqual(act, { sub: workload(AGENT), act: { sub: workload(ORCHESTRATOR) } });
  assert.deepEqual([holder, exp, txn], [workload(AGENT), claimsIn(first).exp, claimsIn(first).txn]);
  const allowed = await use(AGENT, second);
  assert.equal(allowed.reason, 'permitted');
  assert.equal((await use(AGENT, first)).reason, 'task_of_another');
  const refreshed = await world.granted(AGENT, exchangeForm(second));
  assert.equal((await use(AGENT, refreshed)).reason, 'permitted');
  await world.tasks.end({ issuer: ISSUER, id: String(txn) }, 'a test', 'done', Date.now());
  for (const token of [second, refreshed]) assert.equal((await use(AGENT, token)).reason, 'task_ended');
  const { status, json } = await world.requestToken(world.svid(AGENT), exchangeForm(refreshed));
  assert.deepEqual([status, json.error, json.code], [400, 'invalid_request', 'task_over']);
});

test('a task begins for the next actor at once, and on behalf of the workload of a JWT-SVID', async () => {
  const forAgent = await world.granted(ORCHESTRATOR, startForm(ORCHESTRATOR, {}, { actor: workload(AGENT) }));
  assert.equal((await use(AGENT, forAgent)).reason, 'permitted');
  const subject = jwtSvid({ key: world.keys.domain, sub: workload(TRIAGE), aud: ISSUER });
  const form = startForm(ORCHESTRATOR, {}, { subject_token: subject, subject_token_type: TYPES.jwt });
  const behalf = await world.granted(ORCHESTRATOR, form);
  const { sub, act } = claimsIn(behalf);
  assert.deepEqual([sub, act], [workload(TRIAGE), { sub: workload(ORCHESTRATOR), act: { sub: workload(TRIAGE) } }]);
});

test('a token for the control API begins no task, and one for the token service gives no orders', async () => {
  const tokenFor = (aud: string, path: string) => jwtSvid({ key: world.keys.domain, sub: workload(path), aud });
  const begin = (aud: string) =>
    world.requestToken(
      world.svid(ORCHESTRATOR),
      startForm(ORCHESTRATOR, {}, { subject_token: tokenFor(aud, TRIAGE), subject_token_type: TYPES.jwt }),
    );
  assert.equal((await begin(ISSUER)).status, 200);
  const { status, json } = await begin(CONTROL);
  assert.deepEqual([status, json.error], [400, 'invalid_request']);
  assert.match(String(json.error_description), /audience/);
  const body = {
    task: { issuer: ISSUER, id: 'gone' },
    reason: 'a test',
    until: new Date(Date.now() + 60_000).toISOString(),
  };
  const order = (aud: string) => world.ask({ method: 'POST', path: '/revocations', body, token: tokenFor(aud, TOOLS) });
  assert.equal((await order(CONTROL)).status, 201);
  assert.deepEqual([(await order(ISSUER)).status, (await order(ISSUER)).json.code], [401, 'identity_token_audience']);
});

test('the token service takes another audience, where the configuration names one', async (t) => {
  const named = 'https://tasks.prod.example';
  const other = await startTokenWorld({ edit: (config) => Object.assign(config.tokenService!, { audience: named }) });
  t.after(() => other.stop());
  const begin = (aud: string) => {
    const subject = jwtSvid({ key: other.keys.domain, sub: workload(TRIAGE), aud });
    const form = startForm(ORCHESTRATOR, {}, { subject_token: subject, subject_token_type: TYPES.jwt });
    return other.requestToken(other.svid(ORCHESTRATOR), form);
  };
  assert.equal((await begin(named)).status, 200);
  assert.equal((await begin(ISSUER)).json.error, 'invalid_request');
});

test('a lease is kept by refreshing, and a task that lapsed is not refreshed', async () => {
  const token = await world.granted(AGENT, startForm(AGENT, { lease: 2 }));
  const leaseUntil = () => world.tasks.lookup.find(ISSUER, String(claimsIn(token).txn))?.leaseUntilMs ?? 0;
  const first = leaseUntil();
  // A heartbeat that moves the end by less than a quarter may wait.
  await until('a quarter of the lease', async () => Date.now() > first - 1500 || null);
  await world.granted(AGENT, exchangeForm(token));
  assert.ok(leaseUntil() > first);
  await until('the end of the lease', async () => Date.now() > leaseUntil() || null);
  const { json } = await world.requestToken(world.svid(AGENT), exchangeForm(token));
  assert.equal(json.code, 'task_over');
  assert.equal((await use(AGENT, token)).reason, 'task_lapsed');
});

test('the public keys are there for everybody, and nothing private with them', async () => {
  const { status, json } = await world.ask({ path: '/keys' });
  assert.equal(status, 200);
  const [key] = json.keys as Record<string, unknown>[];
  assert.deepEqual(Object.keys(key ?? {}).toSorted(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
});

test('the end of a task is never passed, and what was budgeted is registered', async () => {
  const token = await world.granted(AGENT, startForm(AGENT, { lifetime: 20, budgets: { calls: 3 } }));
  const { exp, iat, txn } = claimsIn(token);
  assert.equal(Number(exp) - Number(iat), 20);
  const { budgets, workloads, by } = world.tasks.lookup.find(ISSUER, String(txn)) ?? {};
  assert.deepEqual(
    [budgets, workloads, by],
    [{ calls: 3, writes: null, resources: null }, [workload(AGENT)], workload(AGENT)],
  );
});

test('a token of a task that is revoked is not exchanged', async () => {
  const token = await world.granted(AGENT, startForm(AGENT));
  const { iss: issuer, txn: id } = claimsIn(token);
  const order = { task: { issuer, id }, reason: 'a test', until: new Date(Date.now() + 600_000).toISOString() };
  const revoked = await world.ask({ method: 'POST', path: '/revocations', svid: world.svid(TOOLS), body: order });
  assert.equal(revoked.status, 201, JSON.stringify(revoked.json));
  assert.equal((await use(AGENT, token)).reason, 'revoked_task');
  const { status, json } = await world.requestToken(world.svid(AGENT), exchangeForm(token));
  assert.deepEqual([status, json.code], [400, 'task_over']);
  await world.granted(AGENT, startForm(AGENT));
});

test('a thief of the signing key hands a live task on, and neither begins nor revives one, nor changes its purpose', async () => {
  const token = await world.granted(AGENT, startForm(AGENT));
  const claims = claimsIn(token);
  const self = workload(TRIAGE);
  const act = { sub: self, act: { sub: workload(AGENT) } };
  const kid = (await world.ask({ path: '/keys' })).json.keys as { kid: string }[];
  const forged = (over: object) =>
    use(
      TRIAGE,
      mint(world.signing[0]!, { typ: 'txntoken+jwt', kid: kid[0]?.kid }, { ...claims, req_wl: self, act, ...over }),
    );
  const reasonOf = async (over: object) => (await forged(over)).reason;
  // Of an external agent the guardrails ask for more proof than any token alone: what comes before them is what is looked at here.
  assert.match(await reasonOf({}), /^(permitted|policy_)/);
  assert.equal(await reasonOf({ txn: 'f'.repeat(32) }), 'task_unregistered');
  assert.equal(await reasonOf({ task: { purpose: 'customer-care', end: Number(claims.exp) } }), 'task_unregistered');
  assert.equal(await reasonOf({ sub: self, act: { sub: self } }), 'task_unregistered');
  assert.equal(await reasonOf({ exp: Number(claims.iat) + 3601 }), 'task_txn_lifetime');
  await world.tasks.end({ issuer: ISSUER, id: String(claims.txn) }, 'a test', 'done', Date.now());
  assert.equal(await reasonOf({}), 'task_ended');
});

test('who may hand on and not begin, begins nothing for another either', async () => {
  const form = startForm(TOOLS, {}, { actor: workload(AGENT) });
  const { json, line } = await world.requestToken(world.svid(TOOLS), form);
  assert.deepEqual([json.error, line?.action], ['unauthorized_client', 'start']);
});

test('a token in place of a certificate is none: nobody begins a task by what somebody else may hold', async () => {
  const bearer = { authorization: `Bearer ${world.token(AGENT)}` };
  const { status, json } = await world.requestToken(null, startForm(AGENT), bearer);
  assert.deepEqual([status, json.error, json.code], [401, 'invalid_client', 'certificate_missing']);
});

test('a process without a token service has neither tokens nor keys', async () => {
  const none = await startControlWorld({ over: 'tls' });
  try {
    assert.equal((await none.ask({ path: '/keys' })).status, 404);
    const asking = { 'content-type': 'application/x-www-form-urlencoded' };
    const ask = {
      method: 'POST',
      path: '/token',
      svid: none.svid(AGENT),
      body: formText(startForm(AGENT)),
      headers: asking,
    };
    const { status, json } = await none.ask(ask);
    assert.deepEqual([status, json.code], [404, 'not_found']);
  } finally {
    await none.stop();
  }
});

test('where no task has room, none begins, and no token goes out', async () => {
  const small = await startTokenWorld({
    edit: (config) => {
      config.state = { ...config.state, tasks: { perWorkload: 1 } };
    },
  });
  try {
    await small.granted(AGENT, startForm(AGENT));
    const { status, json, line } = await small.requestToken(small.svid(AGENT), startForm(AGENT));
    assert.deepEqual([status, json.error, json.code], [507, 'temporarily_unavailable', 'full']);
    assert.equal(line?.result, 'allow');
  } finally {
    await small.stop();
  }
});

type Mutation = readonly [
  name: string,
  change: Readonly<Record<string, string | undefined>> | ((good: string) => string),
  error: string,
  by?: string | null,
  headers?: Readonly<Record<string, string>>,
];
const details = (over: object) => ({
  request_details: JSON.stringify({ purpose: 'reconcile-invoices', lifetime: 3600, ...over }),
});

const ofStart: readonly Mutation[] = [
  ['no grant_type', { grant_type: undefined }, 'invalid_request'],
  ['an empty grant_type', { grant_type: '' }, 'invalid_request'],
  ['another grant', { grant_type: 'client_credentials' }, 'unsupported_grant_type'],
  [
    'a grant_type in other case',
    { grant_type: 'urn:ietf:params:oauth:grant-type:Token-Exchange' },
    'unsupported_grant_type',
  ],
  ['no requested_token_type', { requested_token_type: undefined }, 'invalid_request'],
  [
    'another requested_token_type',
    { requested_token_type: 'urn:ietf:params:oauth:token-type:access_token' },
    'invalid_request',
  ],
  ['no audience', { audience: undefined }, 'invalid_request'],
  ['another audience', { audience: 'partner.example' }, 'invalid_target'],
  ['a resource', { resource: 'https://payments.prod.example' }, 'invalid_target'],
  ['a scope that no policy permits', { scope: 'invoices ledger' }, 'unauthorized_client'],
  ['a scope that is none', { scope: 'in"voices' }, 'invalid_scope'],
  ['two spaces between scopes', { scope: 'invoices  refunds' }, 'invalid_scope'],
  ['too many scopes', { scope: Array.from({ length: 65 }, (_, at) => `s${at}`).join(' ') }, 'invalid_scope'],
  ['no subject_token', { subject_token: undefined }, 'invalid_request'],
  ['no subject_token_type', { subject_token_type: undefined }, 'invalid_request'],
  ['a refresh token', { subject_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }, 'invalid_request'],
  ['an access token', { subject_token_type: 'urn:ietf:params:oauth:token-type:access_token' }, 'invalid_request'],
  ['a subject that is no JSON', { subject_token: workload(AGENT) }, 'invalid_request'],
  ['the subject of another', { subject_token: JSON.stringify({ sub: workload(ORCHESTRATOR) }) }, 'invalid_request'],
  ['a subject with two sub', { subject_token: `{"sub":"${workload(AGENT)}","sub":"x"}` }, 'invalid_request'],
  ['a JWT that is none', { subject_token_type: TYPES.jwt, subject_token: 'x' }, 'invalid_request'],
  ['an actor token', { actor_token: 'x', actor_token_type: TYPES.jwt }, 'invalid_request'],
  ['an actor that is no SPIFFE ID', { actor: 'triage' }, 'invalid_request'],
  ['an actor that nobody knows', { actor: workload('/nobody') }, 'unauthorized_client'],
  ['an actor of another trust domain', { actor: 'spiffe://partner.example/ns/shop/sa/cart' }, 'invalid_request'],
  ['an actor to whom it may not hand on', { actor: workload(TRIAGE) }, 'unauthorized_client'],
  ['itself as the actor', { actor: workload(AGENT) }, 'invalid_request'],
  ['a client_secret', { client_secret: 'x' }, 'invalid_request'],
  ['the client_id of another', { client_id: workload(ORCHESTRATOR) }, 'invalid_client'],
  ['no purpose', details({ purpose: undefined }), 'invalid_request'],
  ['a purpose of nowhere', details({ purpose: 'party' }), 'unauthorized_client'],
  ['a purpose that no policy permits', details({ purpose: 'customer-care' }), 'unauthorized_client'],
  ['a lifetime that no policy permits', details({ lifetime: 3602 }), 'unauthorized_client'],
  ['a lifetime beyond the limit', details({ lifetime: 86_400 }), 'invalid_request'],
  ['a lifetime of nothing', details({ lifetime: 0 }), 'invalid_request'],
  ['a detail that is not known', details({ limit: 1 }), 'invalid_request'],
  ['details that are no JSON', { request_details: 'purpose=x' }, 'invalid_request'],
  ['a repeated parameter', (good) => `${good}&scope=refunds`, 'invalid_request'],
  ['a parameter that is not well encoded', (good) => `${good}&x=%zz`, 'invalid_request'],
  ['forty parameters', (good) => good + Array.from({ length: 40 }, (_, at) => `&p${at}=1`).join(''), 'invalid_request'],
  ['a body that is too large', (good) => `${good}&x=${'y'.repeat(66_000)}`, 'invalid_request'],
  [
    'a body of JSON',
    () => JSON.stringify(startForm(AGENT)),
    'invalid_request',
    AGENT,
    { 'content-type': 'application/json' },
  ],
  ['no certificate', {}, 'invalid_client', null],
  ['a certificate of another', {}, 'invalid_request', READER],
];

for (const [name, change, error, by = AGENT, headers = {}] of ofStart) {
  test(`a request of a first token with ${name}: ${error}`, async () => {
    const good = startForm(AGENT);
    const form = typeof change === 'function' ? change(formText(good)) : { ...good, ...change };
    const svid = by === null ? null : world.svid(by);
    const answer = await world.requestToken(svid, form, headers);
    expectError(answer, error);
  });
}

const challenged: readonly (readonly [
  name: string,
  by: string | null,
  authorization: () => string,
  challenge: RegExp,
])[] = [
  [
    'a bearer token in the place of a certificate',
    null,
    () => `Bearer ${world.token(AGENT)}`,
    /^Bearer realm="control"$/,
  ],
  ['a bearer token of nobody', AGENT, () => 'Bearer x', /^Bearer realm="control", error="invalid_token"$/],
  ['a password', AGENT, () => 'basic YTpi', /^Basic realm="control"$/],
  ['a DPoP-bound token', AGENT, () => `DPoP ${world.token(AGENT)}`, /^DPoP realm="control"$/],
  ['a scheme of its own', AGENT, () => 'Magic x', /^Bearer realm="control"/],
];
for (const [name, by, authorization, challenge] of challenged) {
  test(`a client that tries to prove itself by ${name} is challenged by the scheme that it used`, async () => {
    const headers = { authorization: authorization() };
    const answer = await world.requestToken(by === null ? null : world.svid(by), startForm(AGENT), headers);
    expectError(answer, 'invalid_client');
    assert.match(String(answer.headers['www-authenticate']), challenge);
  });
}

test('a client that shows nothing at all is told what the port takes', async () => {
  const answer = await world.requestToken(null, startForm(AGENT));
  expectError(answer, 'invalid_client');
  assert.match(String(answer.headers['www-authenticate']), /^Bearer realm="control"$/);
});

function expectError({ status, headers, json }: Awaited<ReturnType<typeof world.requestToken>>, error: string): void {
  assert.equal(json.error, error, JSON.stringify(json));
  assert.match(String(json.error_description), /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/);
  assert.equal(headers['content-type'], 'application/json');
  assert.equal(headers['cache-control'], 'no-store');
  assert.equal(json.access_token, undefined);
  assert.equal(status, error === 'invalid_client' ? 401 : json.code === 'too_large' ? 413 : 400);
}

const ofExchange: readonly Mutation[] = [
  ['a token of another issuer', { subject_token: 'foreign' }, 'invalid_request'],
  ['a token whose signature is another', { subject_token: 'unsigned' }, 'invalid_request'],
  ['a token of another workload', {}, 'invalid_request', TRIAGE],
  ['a token without its certificate', {}, 'invalid_client', null],
  ['a scope more', { scope: 'invoices refunds' }, 'invalid_scope'],
  ['another audience', { audience: 'partner.example' }, 'invalid_target'],
  ['a wider purpose', { request_details: '{"purpose":"finance"}' }, 'invalid_request'],
  [
    'resources that it did not have',
    { request_details: '{"resources":[{"api":"payments.internal/invoices"}]}' },
    'invalid_request',
  ],
  ['another lease', { request_details: '{"lease":60}' }, 'invalid_request'],
  ['budgets of its own', { request_details: '{"budgets":{"calls":9}}' }, 'invalid_request'],
  ['an actor to whom it may not hand on', { actor: workload(TOOLS) }, 'unauthorized_client'],
  ['the type of another token', { subject_token_type: TYPES.jwt }, 'invalid_request'],
];
for (const [name, change, error, by = AGENT] of ofExchange) {
  test(`an exchange of ${name}: ${error}`, async () => {
    const token = await world.granted(AGENT, startForm(AGENT));
    await world.granted(AGENT, exchangeForm(token));
    const other = { foreign: agentTxn(world), unsigned: `${token.slice(0, -8)}AAAAAAAA` };
    const fields = { ...(change as Record<string, string>) };
    const named = fields.subject_token;
    if (named !== undefined) fields.subject_token = other[named as keyof typeof other];
    expectError(
      await world.requestToken(by === null ? null : world.svid(by), { ...exchangeForm(token), ...fields }),
      error,
    );
  });
}
