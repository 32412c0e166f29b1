import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type CertificateParts,
  dnsName,
  emailName,
  ipName,
  name,
  nameConstraints,
  TestCa,
  uriName,
} from '../../test/support/ca.ts';
import * as der from '../../test/support/der.ts';
import { Refusal } from '../base/outcome.ts';
import { Certificate } from './certificate.ts';
import { validatePath } from './path.ts';

const NOW = Date.UTC(2026, 10, 25);

/** What a path from such a leaf to a root with such constraints gives: the path's length, or the reason. */
function judge(constraints: Uint8Array, parts: CertificateParts): string {
  const root = TestCa.root('example.org', { now: NOW, nameConstraints: constraints });
  const anchor = Certificate.parse(root.certificate.der);
  if (anchor instanceof Refusal) return anchor.detail;
  const leaf = Certificate.parse(root.issue({ subject: '', ...parts }).der);
  if (leaf instanceof Refusal) return leaf.detail;
  const path = validatePath(leaf, [], [anchor], NOW, { usage: 'client' });
  return path instanceof Refusal ? path.reason : 'path';
}

const OUTSIDE = 'identity_svid_name_constraints';
const spiffe = (host: string) => ({ uris: [`spiffe://${host}/a`] });
const dns = (...names: string[]) => ({ dns: names });
const ip = (...bytes: number[]) => ({ otherNames: [ipName(bytes)] });
const permit = (...bases: Uint8Array[]) => nameConstraints(bases);
const exclude = (...bases: Uint8Array[]) => nameConstraints([], bases);

/** Each line: what is asked, the constraints, a leaf that passes, and leaves that do not. */
const rules: [what: string, constraints: Uint8Array, good: CertificateParts, ...bad: CertificateParts[]][] = [
  [
    'a URI host is that host alone',
    permit(uriName('example.org')),
    spiffe('example.org'),
    spiffe('a.example.org'),
    spiffe('evilexample.org'),
  ],
  [
    'a URI host with a dot holds sub-domains alone',
    permit(uriName('.example.org')),
    spiffe('a.example.org'),
    spiffe('example.org'),
    spiffe('evilexample.org'),
  ],
  ['an excluded URI host', exclude(uriName('example.org')), spiffe('example.net'), spiffe('example.org')],
  ['an excluded URI host with a dot', exclude(uriName('.example.org')), spiffe('example.org'), spiffe('a.example.org')],
  [
    'the case of a host does not matter',
    permit(uriName('EXAMPLE.org')),
    { uris: ['https://Example.ORG'] },
    spiffe('example.net'),
  ],
  [
    'userinfo, port and path are no host',
    permit(uriName('example.org')),
    { uris: ['https://u:p@example.org:8443?q'] },
    { uris: ['https://example.org@evil.test/'] },
    { uris: ['https://evil.test#@example.org'] },
  ],
  [
    'a URI without a host is refused under a URI constraint',
    exclude(uriName('example.net')),
    spiffe('example.org'),
    { uris: ['urn:example'] },
    { uris: ['spiffe:///a'] },
  ],
  [
    'a URI with an address is refused under a URI constraint',
    exclude(uriName('example.net')),
    spiffe('example.org'),
    { uris: ['https://192.0.2.1/'] },
    { uris: ['https://[2001:db8::1]/'] },
  ],
  [
    'permitted and excluded both hold',
    nameConstraints([dnsName('example.org')], [dnsName('no.example.org')]),
    dns('example.org'),
    dns('no.example.org'),
    dns('example.net'),
  ],
  [
    'every name of a form must be permitted',
    permit(dnsName('example.org')),
    dns('a.example.org', 'example.org'),
    dns('a.example.org', 'example.net'),
  ],
  [
    'one of several permitted subtrees is enough',
    permit(dnsName('example.org'), dnsName('example.net')),
    dns('example.org', 'example.net'),
    dns('example.com'),
  ],
  [
    'a DNS name holds itself and what is below',
    permit(dnsName('example.org')),
    dns('a.b.example.org'),
    dns('badexample.org'),
    dns('org'),
  ],
  [
    'an excluded DNS name',
    exclude(dnsName('example.org')),
    dns('example.net'),
    dns('example.org'),
    dns('a.example.org'),
  ],
  ['the empty DNS name holds all', exclude(dnsName('')), spiffe('example.org'), dns('example.org')],
  [
    'a wildcard is permitted below a permitted name',
    permit(dnsName('example.org')),
    dns('*.example.org'),
    dns('*.org'),
    dns('*.example.net'),
  ],
  [
    'a wildcard reaches into an excluded name below it',
    exclude(dnsName('a.example.org')),
    dns('*.example.net'),
    dns('*.example.org'),
    dns('*.a.example.org'),
  ],
  [
    'a malformed DNS name is refused under a DNS constraint',
    exclude(dnsName('example.net')),
    dns('a_b.example.org'),
    dns('.example.org'),
    dns('a..b'),
    dns('a.*.b'),
    dns('-a.b'),
    dns(`${'a'.repeat(64)}.b`),
    dns(Array(128).fill('aa').join('.')),
  ],
  ['an IPv4 network', permit(ipName([192, 0, 2, 0, 255, 255, 255, 0])), ip(192, 0, 2, 77), ip(192, 0, 3, 77)],
  ['an excluded IPv4 network', exclude(ipName([192, 0, 2, 0, 255, 255, 255, 0])), ip(192, 0, 3, 1), ip(192, 0, 2, 1)],
  [
    'an IPv4 network holds no IPv6 address',
    permit(ipName([0, 0, 0, 0, 0, 0, 0, 0])),
    ip(1, 2, 3, 4),
    ip(...Array<number>(16).fill(0)),
  ],
  [
    'a form that is constrained and not matched refuses names of it',
    permit(emailName('example.org')),
    dns('example.org'),
    { otherNames: [emailName('a@example.org')] },
  ],
  [
    'an e-mail address in the subject is an e-mail name',
    permit(emailName('example.org')),
    { subject: 'x' },
    emailInSubject(),
  ],
  [
    'a directory name constraint refuses every subject',
    permit(der.explicit(4, name('x'))),
    { subject: '', ...spiffe('example.org') },
    { subject: 'x' },
    { subject: '', otherNames: [der.explicit(4, name('x'))] },
  ],
  [
    'a constraint of one form leaves the others alone',
    permit(dnsName('example.org')),
    spiffe('example.net'),
    dns('example.net'),
  ],
];

for (const [what, constraints, good, ...bad] of rules) {
  test(what, () => {
    const whole = (parts: CertificateParts) => ({ sanCritical: true, ...withSomeName(parts) });
    assert.equal(judge(constraints, whole(good)), 'path');
    for (const parts of bad) assert.equal(judge(constraints, whole(parts)), OUTSIDE, JSON.stringify(parts));
  });
}

const many = Array.from({ length: 65 }, (_, i) => dnsName(`h${i}`));
const malformed: [what: string, constraints: Uint8Array, detail: RegExp][] = [
  ['no list', der.sequence(), /are empty/],
  ['an empty list of permitted names', der.sequence(der.explicit(0)), /list of name constraints is empty/],
  [
    'an empty list of excluded names',
    der.sequence(der.explicit(0, der.sequence(dnsName('a'))), der.explicit(1)),
    /list of name/,
  ],
  [
    'lists in the wrong order',
    der.sequence(der.explicit(1, der.sequence(dnsName('a'))), der.explicit(0, der.sequence(dnsName('a')))),
    /follows the name constraints/,
  ],
  ['something after them', Buffer.concat([permit(dnsName('a')), der.nothing]), /follows the name constraints/],
  ['a minimum', der.sequence(der.explicit(0, der.sequence(dnsName('a'), der.implicit(0, '\x01')))), /follows the base/],
  ['a maximum', der.sequence(der.explicit(0, der.sequence(dnsName('a'), der.implicit(1, '\x01')))), /follows the base/],
  ['65 constraints', nameConstraints(many), /more than 64/],
  ['a URI base that is a URI', exclude(uriName('spiffe://example.org')), /URI constraint/],
  ['a URI base with a slash', exclude(uriName('example.org/')), /URI constraint/],
  ['an empty URI base', exclude(uriName('')), /URI constraint/],
  ['a URI base that is a dot', exclude(uriName('.')), /URI constraint/],
  ['a DNS base with a wildcard', permit(dnsName('*.example.org')), /DNS constraint/],
  ['a DNS base with a leading dot', permit(dnsName('.example.org')), /DNS constraint/],
  ['an IP base that is an address', permit(ipName([192, 0, 2, 1])), /IP constraint/],
  ['an IP base of another length', exclude(ipName([192, 0, 255, 0])), /IP constraint/],
  ['an IP base with a torn mask', permit(ipName([192, 0, 2, 0, 255, 0, 255, 0])), /IP constraint/],
  ['an e-mail base with two signs', permit(emailName('a@b@example.org')), /e-mail constraint/],
];

for (const [what, constraints, detail] of malformed) {
  test(`${what}: the constraints are refused`, () => assert.match(judge(constraints, spiffe('example.org')), detail));
}

test('name constraints that are not critical are refused', () => {
  const parts = { now: NOW, nameConstraints: permit(dnsName('a')), nameConstraintsCritical: false };
  const got = Certificate.parse(TestCa.root('example.org', parts).certificate.der);
  assert.match((got as Refusal).detail, /not critical/);
});

test('64 names against 64 constraints end at once', () => {
  const names = Array.from({ length: 63 }, (_, i) => `h${i}.example.org`);
  assert.equal(judge(nameConstraints(many.slice(0, 64)), { dns: names, sanCritical: true }), OUTSIDE);
});

/** A critical list of names is needed beside an empty subject. */
function withSomeName(parts: CertificateParts): CertificateParts {
  if (parts.uris ?? parts.dns ?? parts.otherNames) return parts;
  return { ...parts, otherNames: [der.implicit(8, '*')] };
}

function emailInSubject(): CertificateParts {
  const subject = der.sequence(
    der.setOf(der.sequence(der.oid('1.2.840.113549.1.9.1'), der.tlv(0x16, Buffer.from('a@b')))),
  );
  return { subject: 'x', mutateTbs: (tbs) => replaceBytes(tbs, name('x'), subject) };
}

/** The one occurrence of `from` in a SEQUENCE replaced, and the length of the SEQUENCE made right again. */
function replaceBytes(bytes: Uint8Array, from: Uint8Array, to: Uint8Array): Uint8Array {
  const at = Buffer.from(bytes).indexOf(from);
  const header = bytes[1]! < 0x80 ? 2 : 2 + (bytes[1]! & 0x7f);
  return der.sequence(bytes.subarray(header, at), to, bytes.subarray(at + from.length));
}
