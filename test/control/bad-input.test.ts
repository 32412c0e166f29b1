import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ALL_TO_OPERATOR, type ControlAsk, OPERATOR, startControlWorld } from '../support/control-world.ts';
import { HOST, workload } from '../support/world.ts';

let world: Awaited<ReturnType<typeof startControlWorld>>;
let host: string;

before(async () => {
  world = await startControlWorld({ policies: ALL_TO_OPERATOR });
  host = new URL(world.control ?? '').host;
});
after(() => world.stop());

const HOUR_MS = 3_600_000;
const inAnHour = () => new Date(Date.now() + HOUR_MS).toISOString();
const order = (more: object = {}) => ({ owner: 'support', until: inAnHour(), reason: 'tested', ...more });
/** Of another subject than the good one. */
const about = (subject: object) => ({ until: inAnHour(), reason: 'tested', ...subject });
const post = (body: unknown, more: Partial<ControlAsk> = {}): ControlAsk => ({
  method: 'POST',
  path: '/revocations?dryRun=true',
  body,
  ...more,
});

interface Case {
  readonly name: string;
  readonly ask: () => ControlAsk;
  readonly status: number;
  readonly code: string;
  /** What the document has to say. */
  readonly says?: RegExp;
}

const good: readonly Omit<Case, 'status' | 'code'>[] = [
  { name: 'a team', ask: () => post(order()) },
  { name: 'a workload that nobody knows', ask: () => post(about({ workload: workload('/ns/nobody/sa/known') })) },
  { name: 'a key that nobody knows', ask: () => post(about({ key: 'k'.repeat(43) })) },
  { name: 'a token of a known issuer', ask: () => post(about({ token: { issuer: 'https://ci.example', jti: 'x' } })) },
  { name: 'a prefix of whole segments', ask: () => post(about({ under: workload('/ns/payments') })) },
  { name: 'a prefix below one of the inventory', ask: () => post(about({ under: workload('/ns/batch/nightly') })) },
  {
    name: 'a whole trust domain, confirmed',
    ask: () => post(about({ under: 'spiffe://prod.example', confirm: true })),
  },
  { name: 'a host by the name localhost', ask: () => ({ path: '/state', headers: { host: `localhost:${port()}` } }) },
  {
    name: 'its own origin',
    ask: () => post(order(), { headers: { origin: `http://${host}`, 'sec-fetch-site': 'same-origin' } }),
  },
  { name: 'a charset', ask: () => post(order(), { headers: { 'content-type': 'application/json; charset=utf-8' } }) },
  { name: 'whatever is accepted', ask: () => ({ path: '/state', headers: { accept: 'text/html, */*;q=0.1' } }) },
  {
    name: 'a body of 64 KiB',
    ask: () => post(`${JSON.stringify(order())}${' '.repeat(64 * 1024 - JSON.stringify(order()).length)}`),
  },
  { name: 'a limit', ask: () => ({ path: '/revocations?limit=200' }) },
];

const port = (): string => new URL(world.control ?? '').port;

const bad: readonly Case[] = [
  { name: 'an unknown field', ask: () => post(order({ ttl: 5 })), status: 422, code: 'body_invalid', says: /\/ttl/ },
  {
    name: 'by, which is whoever asks',
    ask: () => post(order({ by: 'root' })),
    status: 422,
    code: 'body_invalid',
    says: /\/by/,
  },
  { name: 'a wrong type', ask: () => post(order({ reason: 5 })), status: 422, code: 'body_invalid', says: /\/reason/ },
  {
    name: 'no reason',
    ask: () => post({ owner: 'support', until: inAnHour() }),
    status: 422,
    code: 'body_invalid',
    says: /\/reason/,
  },
  { name: 'no subject', ask: () => post(about({})), status: 422, code: 'body_invalid', says: /revokes nothing/ },
  {
    name: 'two subjects',
    ask: () => post(order({ key: 'k'.repeat(43) })),
    status: 422,
    code: 'body_invalid',
    says: /two subjects/,
  },
  {
    name: 'no SPIFFE ID',
    ask: () => post(about({ workload: 'prod.example/x' })),
    status: 422,
    code: 'body_invalid',
    says: /\/workload/,
  },
  { name: 'a list', ask: () => post([order()]), status: 422, code: 'body_invalid' },
  {
    name: 'a repeated member',
    ask: () => post(`{"owner":"a",${JSON.stringify(order()).slice(1)}`),
    status: 400,
    code: 'json_invalid',
    says: /repeated/,
  },
  { name: 'no JSON', ask: () => post('{'), status: 400, code: 'json_invalid' },
  {
    name: 'an unknown team',
    ask: () => post(order({ owner: 'suport' })),
    status: 422,
    code: 'subject_unknown',
    says: /suport/,
  },
  {
    name: 'an unknown issuer',
    ask: () => post(about({ token: { issuer: 'https://ci.exmaple', jti: 'x' } })),
    status: 422,
    code: 'subject_unknown',
  },
  {
    name: 'an unknown issuer of a task',
    ask: () => post(about({ task: { issuer: 'https://tts', id: 'x' } })),
    status: 422,
    code: 'subject_unknown',
  },
  {
    name: 'an unknown trust domain',
    ask: () => post(about({ workload: 'spiffe://prod.exmaple/a' })),
    status: 422,
    code: 'subject_unknown',
  },
  {
    name: 'an end in the past',
    ask: () => post(order({ until: '2026-01-01T00:00:00Z' })),
    status: 422,
    code: 'end_past',
  },
  {
    name: 'a prefix that ends within a segment',
    ask: () => post(about({ under: workload('/ns/pay') })),
    status: 422,
    code: 'prefix_not_whole',
    says: /\/ns\/payments/,
  },
  {
    name: 'a prefix with a slash at its end',
    ask: () => post(about({ under: workload('/ns/payments/') })),
    status: 422,
    code: 'body_invalid',
    says: /segment is empty/,
  },
  {
    name: 'a trust domain without confirm',
    ask: () => post(about({ under: 'spiffe://prod.example' })),
    status: 422,
    code: 'confirm_missing',
  },
  {
    name: 'a trust domain as a workload',
    ask: () => post(about({ workload: 'spiffe://prod.example' })),
    status: 422,
    code: 'body_invalid',
  },
  {
    name: 'more than 64 KiB',
    ask: () => post(`${JSON.stringify(order())}${' '.repeat(64 * 1024)}`),
    status: 413,
    code: 'too_large',
  },
  {
    name: 'more than 64 KiB in chunks',
    ask: () =>
      post(`${JSON.stringify(order())}${' '.repeat(64 * 1024)}`, {
        headers: { 'content-length': [], 'transfer-encoding': 'chunked' },
      }),
    status: 413,
    code: 'too_large',
  },
  {
    name: 'another content type',
    ask: () => post(order(), { headers: { 'content-type': 'text/plain' } }),
    status: 415,
    code: 'media_type',
  },
  {
    name: 'a form',
    ask: () => post('owner=support', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }),
    status: 415,
    code: 'media_type',
  },
  {
    name: 'another charset',
    ask: () => post(order(), { headers: { 'content-type': 'application/json; charset=utf-16' } }),
    status: 415,
    code: 'media_type',
  },
  {
    name: 'a packed body',
    ask: () => post(order(), { headers: { 'content-encoding': 'gzip' } }),
    status: 415,
    code: 'media_type',
  },
  {
    name: 'another site',
    ask: () => post(order(), { headers: { origin: 'https://evil.example' } }),
    status: 403,
    code: 'cross_site',
  },
  {
    name: 'the origin null',
    ask: () => post(order(), { headers: { origin: 'null' } }),
    status: 403,
    code: 'cross_site',
  },
  {
    name: 'a page of another site',
    ask: () => ({ path: '/state', headers: { 'sec-fetch-site': 'cross-site' } }),
    status: 403,
    code: 'cross_site',
  },
  {
    name: 'a page of the same site',
    ask: () => ({ path: '/state', headers: { 'sec-fetch-site': 'same-site' } }),
    status: 403,
    code: 'cross_site',
  },
  {
    name: 'a foreign host',
    ask: () => ({ path: '/state', headers: { host: `evil.example:${port()}` } }),
    status: 421,
    code: 'host_unknown',
  },
  {
    name: 'localhost without the port',
    ask: () => ({ path: '/state', headers: { host: 'localhost' } }),
    status: 421,
    code: 'host_unknown',
  },
  {
    name: 'another host of the mesh',
    ask: () => ({ path: '/state', headers: { host: HOST } }),
    status: 421,
    code: 'host_unknown',
  },
  {
    name: 'a host that is none',
    ask: () => ({ path: '/state', headers: { host: 'a b' } }),
    status: 400,
    code: 'malformed',
  },
  { name: 'a path that is none', ask: () => ({ path: '/nothing' }), status: 404, code: 'not_found' },
  { name: 'a path with a slash too many', ask: () => ({ path: '/state/' }), status: 404, code: 'not_found' },
  { name: 'a path in bad escapes', ask: () => ({ path: '/revocations/%zz' }), status: 400, code: 'malformed' },
  { name: 'an absolute target', ask: () => ({ path: `http://${host}/state` }), status: 400, code: 'malformed' },
  { name: 'an unknown revocation', ask: () => ({ path: '/revocations/unknown' }), status: 404, code: 'not_found' },
  {
    name: 'a lift of an unknown revocation',
    ask: () => post({ reason: 'x' }, { path: '/revocations/unknown/lift' }),
    status: 403,
    code: 'not_permitted',
  },
  { name: 'an id that is none', ask: () => ({ path: '/revocations/-' }), status: 400, code: 'parameters_invalid' },
  {
    name: 'another method',
    ask: () => ({ method: 'DELETE', path: '/revocations' }),
    status: 405,
    code: 'method_not_allowed',
  },
  {
    name: 'a preflight',
    ask: () => ({ method: 'OPTIONS', path: '/revocations', headers: { origin: `http://${host}` } }),
    status: 405,
    code: 'method_not_allowed',
  },
  {
    name: 'another type of answer',
    ask: () => ({ path: '/state', headers: { accept: 'text/html' } }),
    status: 406,
    code: 'not_acceptable',
  },
  {
    name: 'JSON refused',
    ask: () => ({ path: '/state', headers: { accept: 'application/json;q=0' } }),
    status: 406,
    code: 'not_acceptable',
  },
  {
    name: 'a body for a GET',
    ask: () => ({ method: 'GET', path: '/state', body: '{}' }),
    status: 400,
    code: 'malformed',
  },
  {
    name: 'an unknown parameter',
    ask: () => ({ path: '/revocations?dry=1' }),
    status: 400,
    code: 'parameters_invalid',
    says: /\/dry/,
  },
  {
    name: 'a parameter twice',
    ask: () => ({ path: '/revocations?limit=1&limit=2' }),
    status: 400,
    code: 'parameters_invalid',
    says: /twice/,
  },
  {
    name: 'a limit that is too high',
    ask: () => ({ path: '/revocations?limit=201' }),
    status: 400,
    code: 'parameters_invalid',
    says: /\/limit/,
  },
  {
    name: 'a limit of nothing',
    ask: () => ({ path: '/revocations?limit=0' }),
    status: 400,
    code: 'parameters_invalid',
  },
  {
    name: 'a cursor that nobody gave',
    ask: () => ({ path: '/revocations?cursor=abc' }),
    status: 400,
    code: 'cursor_invalid',
  },
  {
    name: 'a cursor of another list',
    ask: () => ({ path: `/revocations?cursor=${Buffer.from('["workloads","id","x"]').toString('base64url')}` }),
    status: 400,
    code: 'cursor_invalid',
  },
  {
    name: 'an expectation',
    ask: () => ({ path: '/state', headers: { expect: 'the-moon' } }),
    status: 417,
    code: 'expectation_failed',
  },
  {
    name: 'an idempotency key of spaces',
    ask: () => post(order(), { headers: { 'idempotency-key': 'a b' } }),
    status: 400,
    code: 'malformed',
  },
  {
    name: 'two idempotency keys',
    ask: () => post(order(), { headers: { 'idempotency-key': ['a', 'b'] } }),
    status: 400,
    code: 'malformed',
  },
  {
    name: 'a scenario without a request',
    ask: () => post({ caller: workload('/ns/payments/sa/ledger') }, { path: '/explain' }),
    status: 422,
    code: 'body_invalid',
  },
];

test('each good request is answered: the control of those below', async () => {
  for (const { name, ask } of good) {
    const { status, json } = await world.ask({ token: world.token(OPERATOR), ...ask() });
    assert.equal(status, 200, `${name}: ${JSON.stringify(json)}`);
  }
});

test('each bad request is a problem document and a line of the audit, and changes nothing', async () => {
  const token = world.token(OPERATOR);
  for (const { name, ask, status, code, says } of bad) {
    const answer = await world.recorded({ token, ...ask() });
    assert.deepEqual([answer.status, answer.json.code], [status, code], `${name}: ${JSON.stringify(answer.json)}`);
    assert.equal(answer.headers['content-type'], 'application/problem+json', name);
    assert.deepEqual([answer.line.event, answer.line.result, answer.line.reason], ['control', 'deny', code], name);
    assert.equal(answer.json.decision, answer.line.decision, name);
    assert.match(JSON.stringify(answer.json), says ?? /./, name);
    if (status === 405) assert.equal(answer.headers.allow, 'GET, HEAD, POST');
  }
  const { json } = await world.ask({ path: '/revocations', token });
  assert.deepEqual(json.items, []);
});

test('what is unknown is taken, and marked', async () => {
  const token = world.token(OPERATOR);
  const known = async (subject: object) => {
    const { json } = await world.ask(post(about(subject), { token }));
    return (json.hits as Record<string, unknown>).known;
  };
  assert.equal(await known({ workload: workload('/ns/payments/sa/ledger') }), true);
  assert.equal(await known({ workload: workload('/ns/payments/sa/legder') }), false);
  assert.equal(await known({ under: workload('/ns/batch/nightly') }), true);
  assert.equal(await known({ under: workload('/ns/nowhere') }), false);
  assert.equal(await known({ subject: { issuer: 'https://ci.example', subject: 'repo:shop/deploy:ref:main' } }), true);
  assert.equal(await known({ subject: { issuer: 'https://ci.example', subject: 'repo:other' } }), false);
  assert.equal(await known({ key: 'k'.repeat(43) }), false);
});
