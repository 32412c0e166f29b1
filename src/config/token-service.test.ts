import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProblem } from '../source/problem.ts';
import { isConfig, loadConfig } from './load.ts';

const domain = { local: true, bundle: { file: './prod.pem' } };
const good = {
  listen: { control: { address: '127.0.0.1:9443', tls: { files: { certificate: './tls.crt', key: './tls.key' } } } },
  identity: { trustDomains: { 'prod.example': domain } },
  task: { issuers: [{ kind: 'built-in' }] as object[] },
  tokenService: { keys: './tts.pem' } as object | 'off',
};
const jwks = { url: 'https://control.prod.example/keys', svid: 'spiffe://prod.example/control' };

/** What is wrong with the good configuration after this change. */
function faults(change: object): string {
  const read = loadConfig(JSON.stringify({ ...good, ...change }), '/etc/authz/config.yaml', {});
  return isConfig(read) ? '' : read.map(formatProblem).join('\n');
}

test('a built-in issuer is one of Transaction Tokens for the local trust domain, whose tasks its service registers', () => {
  const read = loadConfig(JSON.stringify(good), '/etc/authz/config.yaml', {});
  assert.ok(isConfig(read), JSON.stringify(read));
  const [issuer] = read.task.issuers;
  assert.ok(issuer?.kind === 'txn-token');
  const { issuer: name, audience, trustDomains, purposes, propagation, registration, unsafeBearer, keys } = issuer;
  assert.deepEqual(
    [name, audience, trustDomains, purposes, propagation, registration, unsafeBearer, keys],
    [
      'urn:cedar-ext-authz:token-service:prod.example',
      'prod.example',
      ['prod.example'],
      null,
      'exchanged',
      'issued',
      false,
      { from: 'own' },
    ],
  );
});

const external = {
  kind: 'access-token',
  issuer: 'https://as.example',
  jwks: { url: 'https://as.example/jwks' },
  idClaim: '/task/id',
  purposeClaim: '/task/purpose',
  trustDomains: ['prod.example'],
  purposes: ['finance'],
};
test('another issuer beside a token service is none', () =>
  assert.equal(faults({ task: { issuers: [external] } }), ''));

const two = { trustDomains: { 'prod.example': domain, 'other.example': domain } };
const contradictory: readonly (readonly [name: string, change: object, fault: RegExp])[] = [
  ['no service and no keys', { tokenService: 'off' }, /issuers\[0\].jwks.*no tokenService/],
  ['keys of another service', { task: { issuers: [{ kind: 'built-in', jwks }] } }, /issuers\[0\].jwks.*drop one/],
  ['two local trust domains', { identity: two }, /issuers\[0\].trustDomain.*several local/s],
  [
    'a trust domain of nowhere',
    { tokenService: { keys: './tts.pem', trustDomain: 'x.example' } },
    /trustDomain.*not under/,
  ],
  [
    'no TLS',
    { listen: { control: { address: '127.0.0.1:9443' } }, control: { audience: 'c' } },
    /needs listen.control.tls/,
  ],
  [
    'the audience of the control API',
    { control: { audience: 'c' }, tokenService: { keys: './tts.pem', audience: 'c' } },
    /tokenService.audience.*is control.audience too/,
  ],
  [
    'the standard audience at the control API',
    { control: { audience: 'urn:cedar-ext-authz:token-service:prod.example' } },
    /tokenService.audience.*is control.audience too/,
  ],
  [
    'the audience of an issuer of workload tokens',
    {
      identity: {
        ...good.identity,
        oidc: [{ issuer: 'https://ci.example', jwks: { url: 'https://ci.example/jwks' }, audience: 'ci' }],
      },
      tokenService: { keys: './tts.pem', audience: 'ci' },
    },
    /tokenService.audience.*under identity.oidc/,
  ],
  ['no control port', { listen: {} }, /needs listen.control.tls/],
  [
    'a store and no key that signs for it',
    { state: { store: 'redis', url: 'redis://127.0.0.1:6379' } },
    /tokenService.*needs control.key/,
  ],
  ['a token that outlives its readers', { tokenService: { keys: './tts.pem', tokenLifetime: '2h' } }, /tokenLifetime/],
  [
    'keys over TLS of nobody',
    { tokenService: 'off', task: { issuers: [{ kind: 'built-in', jwks: { url: jwks.url } }] } },
    /svid.*belongs to url/,
  ],
  [
    'keys without TLS',
    { tokenService: 'off', task: { issuers: [{ kind: 'built-in', jwks: { ...jwks, url: 'http://127.0.0.1/keys' } }] } },
    /not an https URL/,
  ],
  [
    'another issuer by its name',
    { task: { issuers: [{ ...external, issuer: 'urn:cedar-ext-authz:token-service:prod.example' }] } },
    /issuers\[0\].issuer.*is the name of a token service/s,
  ],
  [
    'one service twice, once by its name',
    { task: { issuers: [{ kind: 'built-in' }, { kind: 'built-in', trustDomain: 'prod.example' }] } },
    /issuers\[1\].*another entry is for the token service of prod.example too/,
  ],
  ['one service twice', { task: { issuers: [{ kind: 'built-in' }, { kind: 'built-in' }] } }, /stands twice/],
];
for (const [name, change, fault] of contradictory) {
  test(`a token service with ${name} is a contradiction`, () => {
    assert.equal(faults({}), '');
    assert.match(faults(change), fault);
  });
}

test('where a trust domain is named, several may be local', () => {
  const named = { trustDomain: 'prod.example' };
  const task = { issuers: [{ kind: 'built-in', ...named }] };
  assert.equal(faults({ identity: two, task, tokenService: { keys: './tts.pem', ...named } }), '');
});
