import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { idOf, workloadOf } from '../../test/support/inventory.ts';
import { AGENT, CERTIFICATE, callerOf, inventory, ORCHESTRATOR } from '../../test/support/task-world.ts';
import { sha256 } from '../../test/support/tokens.ts';
import { Fault } from '../base/fault.ts';
import type { CheckPeer } from '../http/input.ts';
import { type CallerFacts, provenCaller } from '../identity/caller.ts';
import { RevocationSet } from '../state/file/revocation-set.ts';
import { type RevocationKind, revocable, subjectKey } from '../state/revocation.ts';
import type { Task } from '../task/model.ts';
import { type RevocationSource, revoked, revokedPerson } from './revoked.ts';

/** Seconds, far enough apart for the skew of five. */
const TIMES = { certificate: 1000, token: 2000, task: 3000, proxy: 4000, envoy: 5000 };
const BACKDATED = 30;
const NOW_MS = 10_000_000;
const mesh = (path: string) => idOf(`spiffe://prod.example/ns/mesh/sa/${path}`);
const hex = (thumbprint: string) => `sha256:${Buffer.from(thumbprint, 'base64url').toString('hex')}`;
const [IDENTITY_TOKEN, PROXY, ENVOY, KEY] = ['identity', 'proxy', 'envoy', 'key'].map((text) => sha256(text)) as [
  string,
  string,
  string,
  string,
];
const IDP = 'https://idp.prod.example';
const TTS = 'https://tts.prod.example';

const source = (revocations: RevocationSet | Fault): RevocationSource => ({
  current: () => revocations,
  backdatingSeconds: (trustDomain) => (trustDomain === 'prod.example' ? BACKDATED : 0),
  ownerOf: ({ text }) => (text.endsWith('/proxy') ? 'ingress' : null),
});

const claims = { iss: IDP, sub: AGENT, jti: 'id-1', iat: TIMES.token };
const tokenOf = (more: object = {}) => ({
  thumbprint: IDENTITY_TOKEN,
  issuedAt: TIMES.token,
  expiresAt: 9e9,
  claims: { ...claims, ...more },
});
const taskOf = (more: Partial<Task> = {}): Task => ({
  source: 'txn-token',
  id: 'task-1',
  purpose: 'billing',
  assurance: 2,
  scopes: [],
  resources: null,
  issuer: TTS,
  subject: 'ada',
  issuedAt: TIMES.task,
  expiresAt: 9e9,
  token: hex(sha256('task')),
  jti: 'tt-1',
  ...more,
});
const envoy: CheckPeer = {
  id: mesh('envoy'),
  thumbprint: ENVOY,
  notBefore: TIMES.envoy,
  hosts: new Set(),
  servedHosts: true,
};
const chain = [workloadOf(inventory, ORCHESTRATOR), workloadOf(inventory, AGENT)] as const;

interface Asked {
  readonly caller?: Partial<CallerFacts>;
  readonly backing?: readonly Task[];
}

/** What becomes of a request with all that can be revoked, once this is. `upTo`: seconds. */
function outcome([kind, ...parts]: readonly [RevocationKind, ...string[]], upTo: number | null, asked: Asked = {}) {
  const revocations = new RevocationSet([
    {
      id: 'r-1',
      kind,
      subject: subjectKey(kind, ...parts),
      issuedUpToMs: upTo === null ? null : upTo * 1000,
      untilMs: NOW_MS + 1,
      reason: 'tested',
      by: 'security',
    },
  ]);
  const caller = provenCaller({
    ...callerOf({}),
    issuedAt: TIMES.certificate,
    token: tokenOf(),
    proxies: [{ id: mesh('proxy'), thumbprint: PROXY, notBefore: TIMES.proxy }],
    ...asked.caller,
  });
  const rests = { chain, backing: asked.backing ?? [taskOf()], keys: [KEY], challenge: null };
  const refusal = revoked(source(revocations), caller, rests, envoy, NOW_MS);
  assert.match(refusal?.detail ?? 'by the revocation r-1', /r-1$/);
  assert.ok(refusal === null || refusal.reason === revocable[kind], refusal?.reason);
  return refusal !== null;
}

/** A caller without a token and a task. What it shows is not dated back. */
const byLegacy = (credential: 'api-key' | 'legacy-certificate'): Asked => ({
  caller: { credential, token: null },
  backing: [],
});

const fromCertificate = TIMES.certificate + BACKDATED;
const rows: readonly (readonly [string, readonly [RevocationKind, ...string[]], number, Asked?])[] = [
  ['the caller, by the oldest of what shows it', ['workload', AGENT], fromCertificate],
  ['the owner of the caller', ['owner', chain[1].owner], fromCertificate, { backing: [taskOf({ issuedAt: 9000 })] }],
  ['a workload before it in the chain, by the task', ['workload', ORCHESTRATOR], TIMES.task],
  ['the certificate of the caller', ['certificate', hex(CERTIFICATE)], fromCertificate],
  ['an account, by when its key was made', ['workload', AGENT], TIMES.certificate, byLegacy('api-key')],
  ['an account, by its certificate', ['workload', AGENT], TIMES.certificate, byLegacy('legacy-certificate')],
  [
    'the certificate of an account',
    ['certificate', hex(CERTIFICATE)],
    TIMES.certificate,
    byLegacy('legacy-certificate'),
  ],
  ['the identity token', ['token', hex(IDENTITY_TOKEN)], TIMES.token],
  ['the identity token by its id', ['token', IDP, 'id-1'], TIMES.token],
  [
    'the identity token by its id, its issuer by the trust domain',
    ['token', 'spiffe://prod.example', 'id-1'],
    TIMES.token,
  ],
  ['the subject of the identity token', ['subject', IDP, AGENT], TIMES.token],
  ['a proxy', ['workload', mesh('proxy').text], TIMES.proxy + BACKDATED],
  ['the owner of a proxy', ['owner', 'ingress'], TIMES.proxy + BACKDATED],
  ['the certificate of a proxy', ['certificate', hex(PROXY)], TIMES.proxy + BACKDATED],
  ['the Envoy that asks', ['workload', mesh('envoy').text], TIMES.envoy + BACKDATED],
  ['the certificate of the Envoy that asks', ['certificate', hex(ENVOY)], TIMES.envoy + BACKDATED],
  ['the task', ['task', TTS, 'task-1'], TIMES.task],
  ['the token of the task', ['token', hex(sha256('task'))], TIMES.task],
  ['the token of the task by its id', ['token', TTS, 'tt-1'], TIMES.task],
  ['the person whom the task is for', ['subject', TTS, 'ada'], TIMES.task],
  ['a key', ['key', KEY], TIMES.task],
  ['a key of two tasks, by the older', ['key', KEY], 2500, { backing: [taskOf(), taskOf({ issuedAt: 2500 })] }],
  [
    'a task that the identity token states, by that token',
    ['task', TTS, 'task-1'],
    TIMES.token,
    { backing: [taskOf({ source: 'jwt-svid' })] },
  ],
  [
    'a caller by its token alone',
    ['workload', AGENT],
    TIMES.token,
    { caller: { credential: 'jwt-svid' }, backing: [] },
  ],
];

suite('a revocation hits what was issued up to its moment, and no more', () => {
  for (const [what, subject, issuedAt, asked] of rows) {
    test(what, () => {
      assert.equal(outcome(subject, null, asked), true);
      assert.equal(outcome(subject, issuedAt, asked), true);
      assert.equal(outcome(subject, issuedAt - 6, asked), false, 'the clocks of issuers are not so far behind');
    });
  }
});

suite('what does not say when it was issued is hit by each', () => {
  for (const [what, subject, asked] of [
    ['an identity token', ['token', hex(IDENTITY_TOKEN)], { caller: { token: tokenOf({ iat: 'now' }) } }],
    ['a caller of which one time is not known', ['workload', AGENT], { caller: { token: tokenOf({ iat: null }) } }],
    ['a workload of a chain without a task', ['workload', ORCHESTRATOR], { backing: [] }],
    [
      'a certificate by the word of Envoy',
      ['workload', AGENT],
      { caller: { issuedAt: null, token: null }, backing: [] },
    ],
  ] as const) {
    test(what, () => assert.equal(outcome(subject, 0, asked), true));
  }
});

test('a subject of another issuer, or another subject of the trust domain, is not hit', () => {
  assert.equal(outcome(['subject', TTS, AGENT], null), false);
  const other = { caller: { token: tokenOf({ sub: 'someone' }) } };
  assert.equal(outcome(['token', 'spiffe://prod.example', 'id-1'], null, other), false);
  assert.equal(outcome(['token', IDP, 'id-1'], null, other), true);
  assert.equal(outcome(['token', IDP, 'id-1'], null, { caller: { token: null } }), false);
});

test('a person is hit as the subject of the provider, by the sign-in', () => {
  const person = { issuer: IDP, subject: 'ada', signedInMs: TIMES.token * 1000 };
  const asked = (subject: string, upTo: number) => {
    const [kind, by] = ['subject' as const, 'security'];
    const row = { id: 'r-1', kind, subject, issuedUpToMs: upTo * 1000, untilMs: NOW_MS + 1, reason: 'tested', by };
    return revokedPerson(source(new RevocationSet([row])), person as never, NOW_MS)?.reason ?? null;
  };
  assert.equal(asked(subjectKey('subject', IDP, 'ada'), TIMES.token), 'revoked_subject');
  assert.equal(asked(subjectKey('subject', IDP, 'ada'), TIMES.token - 6), null);
  assert.equal(asked(subjectKey('subject', IDP, 'eve'), TIMES.token), null);
  assert.equal(revokedPerson(source(new RevocationSet()), person as never, NOW_MS), null);
  assert.equal(revokedPerson(source(new Fault('old')), person as never, NOW_MS)?.reason, 'state_unavailable');
});
