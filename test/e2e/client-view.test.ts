import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { reasons } from '../../src/base/outcome.ts';
import type { Issued } from '../support/ca.ts';
import { type View, type ViewedRequest, viewGrpc, viewHttp1, viewHttp2 } from '../support/client-view.ts';
import type { Envoy } from '../support/envoy.ts';
import { envoyOf, supportedEnvoys } from '../support/envoy-binary.ts';
import { PAYMENTS } from '../support/estate.ts';
import { ids, places, routeTwoHosts, ThiefEstate } from '../support/thief-estate.ts';
import type { Headers } from '../support/thief-tokens.ts';
import { startUpstream, type Upstream } from '../support/upstream.ts';

/**
 * What the client of Envoy gets: status, all headers and body, as an HTTP/1.1, an HTTP/2 and a gRPC client see them, for
 * each class of answer and each challenge, behind the oldest and the newest Envoy that are supported.
 */

const METADATA = `resource_metadata="https://${PAYMENTS}/.well-known/oauth-protected-resource"`;
const ALGS = 'algs="RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512"';
const NONCE = /^[0-9]+\.[A-Za-z0-9_-]{22}$/;

type Expected = readonly (readonly [name: string, value: string | RegExp])[];

interface Case {
  readonly reason: keyof typeof reasons;
  /** Who shows a certificate; null: nobody. */
  readonly as: keyof typeof ids | null;
  readonly path: string;
  readonly headers?: (estate: ThiefEstate, method: 'GET' | 'POST', path: string) => Headers;
  /** The headers of the denial beside those of any problem document, in the order of their names. */
  readonly expected: Expected;
}

const bearer = (token: string): Headers => ({ authorization: `Bearer ${token}` });
const challenge = (value: string) => ['www-authenticate', value] as const;

const cases: Readonly<Record<string, Case>> = {
  '400: a path that can be read in two ways': {
    reason: 'request_path_ambiguous',
    as: 'ledger',
    path: `${places.invoice};v=1`,
    expected: [],
  },
  '400: a workload proof token that does not hold': {
    reason: 'task_wpt_target',
    as: 'agent',
    path: places.payout,
    headers: ({ tokens }) => tokens.withWpt(ids.agent, { txnToken: tokens.txn(ids.agent) }, places.otherPayout),
    expected: [],
  },
  '401: no credential, and tokens are accepted': {
    reason: 'identity_token_missing',
    as: null,
    path: places.invoice,
    expected: [
      challenge(`Bearer realm="${PAYMENTS}", ${METADATA}`),
      challenge(`DPoP realm="${PAYMENTS}", ${ALGS}, ${METADATA}`),
    ],
  },
  '401: what is no token': {
    reason: 'identity_token_malformed',
    as: null,
    path: places.invoice,
    headers: () => bearer('abc.def.ghi'),
    expected: [challenge(`Bearer error="invalid_token", ${METADATA}`)],
  },
  '401: an identity token that has ended': {
    reason: 'identity_token_expired',
    as: null,
    path: places.invoice,
    headers: ({ tokens }) => bearer(tokens.identity(ids.ledger, { ended: true })),
    expected: [challenge(`Bearer error="invalid_token", ${METADATA}`)],
  },
  '401: a task token that has ended': {
    reason: 'task_token_expired',
    as: 'agent',
    path: places.invoice,
    headers: ({ tokens }) => bearer(tokens.access(ids.agent, { ended: true })),
    expected: [challenge(`Bearer error="invalid_token", ${METADATA}`)],
  },
  '401: a token that is bound to a key, under the scheme Bearer': {
    reason: 'task_token_binding',
    as: 'agent',
    path: places.invoice,
    headers: ({ tokens }) => bearer(tokens.keyBound(ids.agent)),
    expected: [challenge(`DPoP error="invalid_token", ${ALGS}, ${METADATA}`)],
  },
  '401: a DPoP proof of another resource': {
    reason: 'task_proof_target',
    as: 'agent',
    path: places.payout,
    headers: ({ tokens }, method) => tokens.withDpop(tokens.keyBound(ids.agent), places.otherPayout, { method }),
    expected: [challenge(`DPoP error="invalid_dpop_proof", ${ALGS}, ${METADATA}`)],
  },
  '401: a DPoP proof without a nonce': {
    reason: 'task_proof_nonce',
    as: 'agent',
    path: places.payout,
    headers: ({ tokens }, method) => tokens.withDpop(tokens.keyBound(ids.agent), places.payout, { method }),
    expected: [['dpop-nonce', NONCE], challenge(`DPoP error="use_dpop_nonce", ${ALGS}, ${METADATA}`)],
  },
  '403: what a policy forbids': { reason: 'policy_forbidden', as: 'tools', path: places.invoice, expected: [] },
  '403: a token of another scope': {
    reason: 'policy_forbidden',
    as: 'agent',
    path: places.invoice,
    headers: ({ tokens }) => bearer(tokens.access(ids.agent, { claims: { scope: 'credits' } })),
    expected: [challenge(`Bearer error="insufficient_scope", scope="invoices", ${METADATA}`)],
  },
  '403: a token that was granted no scope': {
    reason: 'policy_forbidden',
    as: 'agent',
    path: places.invoice,
    headers: ({ tokens }) => bearer(tokens.access(ids.agent, { claims: { scope: '' } })),
    expected: [challenge(`Bearer error="insufficient_scope", scope="invoices", ${METADATA}`)],
  },
  '403: the task of another': {
    reason: 'task_of_another',
    as: 'thief',
    path: places.invoice,
    headers: ({ tokens }) => ({ 'txn-token': tokens.txn(ids.agent) }),
    expected: [],
  },
  '503: a workload proof token that may be older than the sidecar': {
    reason: 'task_wpt_before_start',
    as: 'agent',
    path: places.payout,
    headers: ({ tokens }) => {
      const txnToken = tokens.txn(ids.agent);
      return tokens.withWpt(ids.agent, { txnToken }, places.payout, { life: 1 });
    },
    expected: [['retry-after', /^[0-9]{1,3}$/]],
  },
};

let estate: ThiefEstate;
let upstream: Upstream;

before(async () => {
  const task = {
    resourceMetadata: true,
    dpop: { nonce: { required: true, lifetime: '4s' } },
    wimse: { maxProofLifetime: '10m' },
  };
  estate = await ThiefEstate.start({ task });
  upstream = await startUpstream({ grpc: true });
});
after(async () => {
  await upstream.close();
  await estate.stop();
});

for (const version of supportedEnvoys) {
  suite(`behind Envoy ${version}`, () => {
    let envoy: Envoy;
    before(async () => {
      envoy = await estate.base.envoy('test-permissive', upstream, routeTwoHosts, await envoyOf(version));
    });
    after(() => envoy.stop());

    const request = (each: Omit<Case, 'reason' | 'expected'>, method: 'GET' | 'POST'): ViewedRequest => ({
      port: envoy.port,
      svid: each.as === null ? null : (estate.svids[each.as] as Issued),
      host: PAYMENTS,
      method,
      path: each.path,
      headers: each.headers?.(estate, method, each.path) ?? {},
    });

    for (const [name, each] of Object.entries(cases)) {
      test(`${name}: an HTTP/1.1 client`, async () => {
        const view = await viewHttp1(request(each, 'GET'));
        assertDenied(view, each, [['connection', 'close']]);
      });
      test(`${name}: an HTTP/2 client`, async () => assertDenied(await viewHttp2(request(each, 'GET')), each, []));
      test(`${name}: a gRPC client`, async () => assertGrpcDenied(await viewGrpc(request(each, 'POST')), each));
    }

    const allowed = { as: 'ledger', path: places.invoice } as const;
    test('an allow: an HTTP/1.1 client gets what the service answered', async () => {
      const view = await viewHttp1(request(allowed, 'GET'));
      assert.equal(view.status, 200);
      const names = ['connection', 'content-length', 'content-type', 'date', 'server', 'x-envoy-upstream-service-time'];
      assert.deepEqual(namesOf(view), names);
      assert.equal(view.body, JSON.stringify(upstream.seen.at(-1)));
    });
    test('an allow: an HTTP/2 client gets what the service answered', async () => {
      const view = await viewHttp2(request(allowed, 'GET'));
      assert.equal(view.status, 200);
      assert.deepEqual(namesOf(view), ['content-type', 'date', 'server', 'x-envoy-upstream-service-time']);
      assert.equal(view.body, JSON.stringify(upstream.seen.at(-1)));
    });
    test('an allow: a gRPC client gets what the service answered', async () => {
      const view = await viewGrpc(request(allowed, 'POST'));
      assert.equal(view.status, 0, view.body);
      assert.deepEqual(namesOf(view), ['content-type', 'date', 'server', 'x-envoy-upstream-service-time']);
    });

    test('a refused upgrade is a denial like any other', async () => {
      const upgrade = { connection: 'Upgrade', upgrade: 'websocket' };
      const each = { ...cases['403: what a policy forbids']!, headers: () => upgrade };
      assertDenied(await viewHttp1(request(each, 'GET')), each, [['connection', 'close']]);
    });
  });
}

const namesOf = (view: View): readonly string[] => view.headers.map(([name]) => name);

function assertDenied(view: View, { reason, expected }: Case, transport: Expected): void {
  const row = reasons[reason];
  assert.equal(view.status, row.http, view.body);
  assertProblem(view.body, reason);
  const length = String(Buffer.byteLength(view.body));
  const common = [
    ['content-length', length],
    ['content-type', 'application/problem+json'],
    ['date', /GMT$/],
    ['server', 'envoy'],
  ] as const;
  assertHeaders(view, [...transport, ...common, ...expected]);
}

/** The status that Envoy makes of the HTTP status (grpc's http-grpc-status-mapping); the document is the message. */
const grpcCodes: Readonly<Record<number, number>> = { 400: 13, 401: 16, 403: 7, 503: 14 };

function assertGrpcDenied(view: View, { reason, expected }: Case): void {
  assert.equal(view.status, grpcCodes[reasons[reason].http], view.body);
  assertProblem(view.body, reason);
  const joined = Map.groupBy(expected, ([name]) => name)
    .entries()
    .map(([name, all]) => (all.length === 1 ? all[0]! : ([name, all.map(([, value]) => value).join(', ')] as const)));
  assertHeaders(view, [['content-type', 'application/grpc'], ['date', /GMT$/], ['server', 'envoy'], ...joined]);
}

function assertProblem(body: string, reason: Case['reason']): void {
  const { decision, ...problem } = JSON.parse(body);
  const { title, http: status } = reasons[reason];
  assert.deepEqual(problem, { type: `urn:cedar-ext-authz:reasons#${reason}`, title, status, reason });
  assert.equal(estate.base.sidecar.auditOf(decision).reason, reason);
}

/** These headers, each as often as it is named, and no others. */
function assertHeaders({ headers }: View, expected: Expected): void {
  const wanted = expected.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  assert.deepEqual(
    headers.map(([name]) => name),
    wanted.map(([name]) => name),
  );
  for (const [i, [name, value]] of wanted.entries()) {
    const got = headers[i]![1];
    if (typeof value === 'string') assert.equal(got, value, name);
    else assert.match(got, value, name);
  }
}
