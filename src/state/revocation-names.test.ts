import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RevocationKind, subjectKey } from './revocation.ts';
import { revokedName, unknownName } from './revocation-names.ts';

const known = {
  teams: new Set(['payments']),
  issuers: new Set(['https://as.example']),
  trustDomains: new Set(['prod.example']),
};

/** What is unknown of what a revocation names. */
function unknown(subject: string): { readonly path: string; readonly message: string } | null {
  const name = revokedName({ subject });
  const message = name === null ? null : unknownName(name, known);
  return name === null || message === null ? null : { path: name.path.join('.'), message };
}

type Case = readonly [kind: RevocationKind, parts: readonly string[], place: string | null, what: RegExp];

const cases: readonly Case[] = [
  ['workload', ['spiffe://prod.example/nobody'], null, /./],
  ['workload', ['spiffe://prob.example/ledger'], 'workload', /identity.trustDomains has no "prob.example"/],
  ['under', ['spiffe://prod.example'], null, /./],
  ['under', ['spiffe://prob.example'], 'under', /identity.trustDomains has no "prob.example"/],
  ['owner', ['payments'], null, /./],
  ['owner', ['paymnets'], 'owner', /lists no team "paymnets"/],
  ['task', ['https://as.example', 'any'], null, /./],
  ['task', ['https://as.exmaple', 'any'], 'task.issuer', /nor task.issuers has the issuer "https:\/\/as.exmaple"/],
  ['token', ['https://as.example', 'any'], null, /./],
  ['token', ['https://as.example/', 'any'], 'token.issuer', /the issuer "https:\/\/as.example\/"/],
  ['token', ['spiffe://prod.example', 'any'], null, /./],
  ['token', ['spiffe://prob.example', 'any'], 'token.issuer', /the issuer/],
  ['token', ['spiffe://prod.example/spire/server', 'any'], 'token.issuer', /the issuer/],
  ['token', [`sha256:${'0'.repeat(64)}`], null, /./],
  ['subject', ['https://as.example', 'any'], null, /./],
  ['subject', ['https://other.example', 'any'], 'subject.issuer', /write spiffe:\/\/TRUST-DOMAIN for JWT-SVIDs/],
  ['key', ['K'.repeat(43)], null, /./],
  ['certificate', [`sha256:${'0'.repeat(64)}`], null, /./],
];

for (const [kind, parts, place, what] of cases) {
  test(`${kind} ${parts.join(' ')}: ${place === null ? 'names nothing unknown' : 'is unknown'}`, () => {
    const found = unknown(subjectKey(kind, ...parts));
    assert.equal(found?.path ?? null, place);
    if (found !== null) assert.match(found.message, what);
  });
}

test('a name of any length is shown in part', () => {
  assert.match(unknown(subjectKey('owner', 'x'.repeat(2048)))!.message, /"x{200}…"/);
});
