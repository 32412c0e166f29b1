import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { isConfig, loadConfig } from '../../src/config/load.ts';
import { urlEncodedPem } from '../support/ca.ts';
import { AUTHZ, servingTls, writePair } from '../support/tls-world.ts';
import { type Answer, type Ask, type CheckPort, World, workload } from '../support/world.ts';
import { AGENT, agentByTxn, bearer, EXPORT, INVOICE, LEDGER, READER, svidToken } from '../support/world-asks.ts';

/**
 * Callers that a waypoint names by a bare URI: over real mutual TLS on the check port, each attack beside the request that
 * differs in one thing and is permitted.
 */

const WAYPOINT = workload('/ns/payments/sa/waypoint');
const OTHER = workload('/ns/agents/sa/waypoint');
const waypoints = [
  {
    id: WAYPOINT,
    hosts: ['payments.internal'],
    trustDomains: ['prod.example'],
    namespaces: ['payments', 'agents', 'edge'],
  },
];
const peers = [{ id: workload('/ns/*/sa/*'), hosts: ['payments.internal', 'reports.internal'] }];

let world: World;
let waypoint: CheckPort;
let envoy: CheckPort;

before(async () => {
  world = await World.start({
    edit: (config) => {
      servingTls({ peers })(config);
      config.identity.waypoints = waypoints;
    },
    prepare: (folder, keys) => writePair(folder, keys.ca.svid(AUTHZ)),
  });
  waypoint = world.as(world.svid('/ns/payments/sa/waypoint'));
  envoy = world.as(world.svid('/ns/agents/sa/waypoint'));
});
after(async () => {
  waypoint?.close();
  envoy?.close();
  await world?.stop();
});

const xfcc = (text: string) => ({ headers: { 'x-forwarded-client-cert': text } });
const named = (id: string, by = WAYPOINT): string => `By=${by};URI=${id}`;
/** The waypoint says that the ledger asks for an export, which is internal. */
const good = (over: Partial<Ask> = {}): Ask => ({
  svid: null,
  path: EXPORT,
  ...over,
  headers: { ...xfcc(named(workload(LEDGER))).headers, ...over.headers },
});
const callerOf = ({ audit }: Answer) => audit.caller as { id: string; credential?: string; proxy?: string } | null;

interface Attack {
  readonly name: string;
  readonly ask: () => Ask;
  readonly reason: string;
  /** Who asks, where it is not the waypoint. */
  readonly by?: () => CheckPort;
}

const inElement = (more: string) => () => good(xfcc(`${named(workload(LEDGER))};${more}`));
const about = (id: string) => () => good(xfcc(named(id)));

const attacks: readonly Attack[] = [
  {
    name: 'about another host, which it may ask about',
    ask: () => good({ host: 'reports.internal', route: { host: 'reports.internal' }, path: '/q3' }),
    reason: 'identity_proxy_untrusted',
  },
  {
    name: 'a caller of a foreign trust domain',
    ask: about('spiffe://partner.example/ns/payments/sa/ledger'),
    reason: 'identity_proxy_untrusted',
  },
  { name: 'a caller of an unlisted namespace', ask: about(workload(READER)), reason: 'identity_proxy_untrusted' },
  {
    name: 'a caller that is no service account',
    ask: about(workload('/ci/deploy')),
    reason: 'identity_proxy_untrusted',
  },
  {
    name: 'a caller whose namespace is only a part of its path',
    ask: about(workload('/x/ns/payments/sa/ledger')),
    reason: 'identity_proxy_untrusted',
  },
  { name: 'a trusted proxy', ask: about(workload('/ns/edge/sa/gateway')), reason: 'identity_proxy_untrusted' },
  { name: 'itself', ask: about(WAYPOINT), reason: 'identity_proxy_untrusted' },
  { name: 'nobody of the inventory', ask: about(workload('/ns/payments/sa/nobody')), reason: 'caller_unregistered' },
  {
    name: 'two elements, of which a client wrote the first',
    ask: () => good(xfcc(`${named(workload(LEDGER))},${named(workload(AGENT))}`)),
    reason: 'request_xfcc_mode',
  },
  {
    name: 'two elements in two headers',
    ask: () => good({ headers: { 'x-forwarded-client-cert': [named(workload(LEDGER)), named(workload(AGENT))] } }),
    reason: 'request_xfcc_mode',
  },
  {
    name: 'a Cert beside the URI',
    ask: () => inElement(`Cert="${urlEncodedPem(world.svid(LEDGER))}"`)(),
    reason: 'identity_xfcc_mismatch',
  },
  {
    name: 'a Chain beside the URI',
    ask: () => inElement(`Chain="${urlEncodedPem(world.svid(LEDGER))}"`)(),
    reason: 'identity_xfcc_mismatch',
  },
  { name: 'a Hash beside the URI', ask: inElement(`Hash=${'0'.repeat(64)}`), reason: 'identity_xfcc_mismatch' },
  { name: 'a Subject beside the URI', ask: inElement('Subject="CN=ledger"'), reason: 'identity_xfcc_mismatch' },
  { name: 'a DNS name beside the URI', ask: inElement('DNS=ledger.internal'), reason: 'identity_xfcc_mismatch' },
  { name: 'two URIs', ask: inElement(`URI=${workload(AGENT)}`), reason: 'request_xfcc_malformed' },
  {
    name: 'the element of another proxy',
    ask: () => good(xfcc(named(workload(LEDGER), OTHER))),
    reason: 'identity_xfcc_mismatch',
  },
  { name: 'its own name twice', ask: inElement(`By=${WAYPOINT}`), reason: 'identity_xfcc_mismatch' },
  {
    name: 'an id with an empty segment',
    ask: about(`${workload('')}//ns/payments/sa/ledger`),
    reason: 'identity_spiffe_id_malformed',
  },
  {
    name: 'an element of JSON',
    ask: () => good(xfcc('[{"uri":"spiffe://prod.example/a"}]')),
    reason: 'request_xfcc_json',
  },
  {
    name: 'a principal without a certificate',
    ask: () => good({ principal: workload(LEDGER) }),
    reason: 'identity_certificate_missing',
  },
  {
    name: 'a header of a client, passed on by an Envoy that is no waypoint',
    ask: () => good(),
    by: () => envoy,
    reason: 'identity_token_missing',
  },
  {
    name: 'the same, by an Envoy that writes its own name into it',
    ask: () => good(xfcc(named(workload(LEDGER), OTHER))),
    by: () => envoy,
    reason: 'identity_token_missing',
  },
  {
    name: 'a token of another workload beside the name',
    ask: () => good({ headers: bearer(svidToken(world, READER)) }),
    reason: 'identity_conflict',
  },
  { name: 'something confidential', ask: () => good({ path: INVOICE }), reason: 'policy_forbidden' },
  {
    name: 'a task token that its name would bind',
    ask: () => {
      const { svid: _, headers, ...ask } = agentByTxn()(world);
      return { svid: null, ...ask, headers: { ...headers, ...xfcc(named(workload(AGENT))).headers } };
    },
    reason: 'task_unbound',
  },
];

suite('a waypoint names a caller', () => {
  test('the caller is who the waypoint says, by a credential of its own', async () => {
    const answer = await waypoint.send(good());
    assert.equal(answer.reason, 'permitted');
    assert.equal(callerOf(answer)?.id, workload(LEDGER));
    assert.equal(callerOf(answer)?.credential, 'waypoint');
    assert.equal((answer.audit.request as { peer: string }).peer, WAYPOINT);
    assert.equal((answer.audit.facts as { client: string | null }).client, null);
  });

  for (const { name, ask, reason, by } of attacks)
    test(`and is refused with ${name}`, async () => {
      assert.equal((await waypoint.send(good())).reason, 'permitted');
      const answer = await (by?.() ?? waypoint).send(ask());
      assert.equal(answer.reason, reason, answer.line);
    });

  test('and where the caller shows a certificate itself, its word is not asked', async () => {
    const answer = await waypoint.send(good({ svid: world.svid(READER) }));
    assert.equal(answer.reason, 'permitted', answer.line);
    assert.deepEqual([callerOf(answer)?.id, callerOf(answer)?.credential], [workload(READER), 'x509-svid']);
    assert.equal((answer.audit.facts as { client: string | null }).client, '10.2.0.9');
  });

  test('what a certificate binds to a task, and opens, is still so', async () => {
    assert.equal((await envoy.send(agentByTxn()(world))).reason, 'permitted');
    assert.equal((await envoy.send({ svid: world.svid(LEDGER), path: INVOICE })).reason, 'permitted');
  });

  test('the configuration takes a waypoint only where it is proven, and within what it names', () => {
    const config = (change: object) =>
      loadConfig(
        JSON.stringify({
          listen: { check: '127.0.0.1:9191', tls: { files: { certificate: './c', key: './k' } }, peers: [WAYPOINT] },
          identity: {
            trustDomains: { 'prod.example': { local: true, bundle: { file: './b.json' } } },
            forwarded: { mode: 'sanitize-set' },
            waypoints,
          },
          ...change,
        }),
        'config.yaml',
        {},
      );
    assert.ok(isConfig(config({})));
    const identity = {
      trustDomains: { 'prod.example': { local: true, bundle: { file: './b.json' } } },
      forwarded: { mode: 'sanitize-set' },
      waypoints,
    };
    const wrong: readonly (readonly [change: object, message: RegExp])[] = [
      [{ listen: { check: 'unix:///run/check.sock' } }, /needs listen\.tls and listen\.peers/],
      [
        { listen: { check: '127.0.0.1:9191', tls: { files: { certificate: './c', key: './k' } }, peers: [OTHER] } },
        /is none of listen\.peers/,
      ],
      [{ identity: { ...identity, forwarded: { mode: 'sanitize' } } }, /needs identity\.forwarded\.mode: sanitize-set/],
      [
        { identity: { ...identity, waypoints: [{ ...waypoints[0], trustDomains: ['a.example'] }] } },
        /not under identity/,
      ],
      [{ identity: { ...identity, waypoints: [{ ...waypoints[0], namespaces: ['*'] }] } }, /is not a namespace/],
      [{ identity: { ...identity, waypoints: [{ ...waypoints[0], hosts: [] }] } }, /would name nobody/],
    ];
    for (const [change, message] of wrong) {
      const problems = config(change);
      assert.ok(!isConfig(problems), String(message));
      assert.ok(
        problems.some((problem) => message.test(problem.message)),
        problems.map((problem) => problem.message).join('\n'),
      );
    }
  });
});
