import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type CertificateParts,
  extension,
  flipBit,
  type Issued,
  nameConstraints,
  newKeys,
  signatureAlgorithm,
  TestCa,
  uriName,
} from '../../test/support/ca.ts';
import * as der from '../../test/support/der.ts';
import { Refusal } from '../base/outcome.ts';
import { Certificate } from './certificate.ts';
import { type PathOptions, validatePath } from './path.ts';

const NOW = Date.UTC(2026, 10, 25);
const ID = 'spiffe://prod.example/ns/a';
const root = TestCa.root('prod.example', { now: NOW });
const rsa = newKeys('rsa2048');
const SECOND = 1000;
const DAY = 86_400 * SECOND;

interface Given {
  readonly leaf: Issued;
  readonly candidates?: readonly (Issued | TestCa)[];
  readonly anchors?: readonly (Issued | TestCa)[];
  readonly now?: number;
  readonly options?: Partial<PathOptions>;
}

function certificates(list: readonly (Issued | TestCa)[]): readonly Certificate[] {
  return list.map((one) => {
    const parsed = Certificate.parse(one instanceof TestCa ? one.certificate.der : one.der);
    assert.ok(parsed instanceof Certificate, parsed instanceof Refusal ? parsed.detail : '');
    return parsed;
  });
}

/** The number of certificates of the path, or the reason without its family. */
function judge({ leaf, candidates = [], anchors = [root], now = NOW, options = {} }: Given): number | string {
  const [parsed] = certificates([leaf]) as [Certificate];
  const usage = { usage: 'client', ...options } as const;
  const path = validatePath(parsed, certificates(candidates), certificates(anchors), now, usage);
  return path instanceof Refusal ? path.reason.replace('identity_svid_', '') : path.length;
}

test('a leaf under a root, and under an intermediate', () => {
  assert.equal(judge({ leaf: root.svid(ID) }), 2);
  const between = root.intermediate();
  assert.equal(judge({ leaf: between.svid(ID), candidates: [between] }), 3);
});

test('the path holds the leaf first and the anchor last', () => {
  const between = root.intermediate();
  const all = certificates([between.svid(ID), between, root]);
  const [leaf, candidate, anchor] = all as [Certificate, Certificate, Certificate];
  assert.deepEqual(validatePath(leaf, [candidate], [anchor], NOW, { usage: 'client' }), all);
});

test('B23: without its intermediate a leaf has no path, with it in any order it has one', () => {
  const upper = root.intermediate('upper');
  const lower = upper.intermediate('lower');
  const leaf = lower.svid(ID);
  assert.equal(judge({ leaf }), 'issuer_unknown');
  assert.equal(judge({ leaf, candidates: [lower] }), 'issuer_unknown');
  assert.equal(judge({ leaf, candidates: [lower, upper] }), 4);
  assert.equal(judge({ leaf, candidates: [upper, leaf, lower] }), 4);
});

test('an intermediate that is an anchor ends the path', () => {
  const between = root.intermediate();
  assert.equal(judge({ leaf: between.svid(ID), anchors: [between] }), 2);
});

test('candidates are no anchors', () => {
  const foreign = TestCa.root('prod.example', { now: NOW });
  const leaf = foreign.svid(ID);
  assert.equal(judge({ leaf, candidates: [foreign] }), 'signature');
  assert.equal(judge({ leaf, candidates: [foreign], anchors: [] }), 'issuer_unknown');
});

describe('the clock', () => {
  const leaf = root.svid(ID, { notBefore: NOW, notAfter: NOW + DAY });
  const times: [text: string, now: number, expected: number | string][] = [
    ['the first second', NOW, 2],
    ['before the first second', NOW - 1, 'not_yet_valid'],
    ['the last second', NOW + DAY, 2],
    ['within the last second', NOW + DAY + 999, 2],
    ['after the last second', NOW + DAY + SECOND, 'expired'],
    ['no number', Number.NaN, 'expired'],
  ];
  for (const [text, now, expected] of times) test(text, () => assert.equal(judge({ leaf, now }), expected));

  const issuerTimes: [text: string, parts: CertificateParts, expected: number | string][] = [
    ['an issuer in its first second', { notBefore: NOW }, 3],
    ['an issuer before its first second', { notBefore: NOW + SECOND }, 'issuer_expired'],
    ['an issuer in its last second', { notAfter: NOW }, 3],
    ['an issuer after its last second', { notAfter: NOW - SECOND }, 'issuer_expired'],
  ];
  for (const [text, parts, expected] of issuerTimes) {
    test(text, () => {
      const between = root.intermediate('between', parts);
      assert.equal(judge({ leaf: between.svid(ID), candidates: [between] }), expected);
    });
  }
  test('an anchor that has ended', () => {
    const old = TestCa.root('prod.example', { now: NOW, notAfter: NOW - SECOND });
    assert.equal(judge({ leaf: old.svid(ID), anchors: [old] }), 'issuer_expired');
  });
});

describe('signatures', () => {
  test('a bit flipped in the leaf', () => {
    assert.equal(judge({ leaf: root.svid(ID, { mutateSignature: (bytes) => bytes }) }), 2);
    assert.equal(judge({ leaf: root.svid(ID, { mutateSignature: (bytes) => flipBit(bytes, -1) }) }), 'signature');
  });
  test('a bit flipped in an intermediate', () => {
    const between = root.intermediate('between', { mutateSignature: (bytes) => flipBit(bytes, -1) });
    assert.equal(judge({ leaf: between.svid(ID), candidates: [between] }), 'signature');
  });
  test('B22: a foreign authority of the same name', () => {
    const foreign = TestCa.root('prod.example', { now: NOW });
    assert.equal(judge({ leaf: foreign.svid(ID) }), 'signature');
  });
  test('the right key under another name', () => {
    const leaf = root.svid(ID, { issuerDer: TestCa.root('other', { now: NOW }).certificate.subject });
    assert.equal(judge({ leaf }), 'issuer_unknown');
  });
  test('an algorithm of another family than the key', () => {
    assert.equal(judge({ leaf: root.svid(ID, { signWith: rsa.privateKey }) }), 'signature');
  });
  test('an ECDSA signature under the name of an RSA algorithm', () => {
    const algorithm = signatureAlgorithm(rsa.privateKey);
    assert.equal(judge({ leaf: root.svid(ID, { algorithm }) }), 'signature');
  });
  test('RSA throughout', () => {
    const ca = TestCa.root('prod.example', { now: NOW, keys: rsa });
    assert.equal(judge({ leaf: ca.svid(ID, { keys: rsa, hash: 'sha384' }), anchors: [ca] }), 2);
  });
  for (const keyType of ['p384', 'p521'] as const) {
    test(`${keyType} throughout`, () => {
      const ca = TestCa.root('prod.example', { now: NOW, keyType });
      assert.equal(judge({ leaf: ca.svid(ID, { keyType }), anchors: [ca] }), 2);
    });
  }
  test('SHA-1 in the leaf', () => assert.equal(judge({ leaf: root.svid(ID, { hash: 'sha1' }) }), 'algorithm'));
  test('Ed25519 in the leaf', () =>
    assert.equal(judge({ leaf: root.svid(ID, { signWith: newKeys('ed25519').privateKey }) }), 'algorithm'));
  test('SHA-1 in an intermediate', () => {
    const between = root.intermediate('between', { hash: 'sha1' });
    assert.equal(judge({ leaf: between.svid(ID), candidates: [between] }), 'issuer_invalid');
  });
  test('SHA-1 in the own signature of an anchor does not matter', () => {
    const old = TestCa.root('prod.example', { now: NOW, hash: 'sha1' });
    assert.equal(judge({ leaf: old.svid(ID), anchors: [old] }), 2);
  });
  test('an issuer whose point is not on its curve', () => {
    const algorithm = der.sequence(der.oid('1.2.840.10045.2.1'), der.oid('1.3.132.0.34'));
    const spki = der.sequence(algorithm, der.bits(0, Buffer.concat([Buffer.from([4]), Buffer.alloc(96, 1)])));
    const keys = newKeys('p384');
    const good = keys.publicKey.export({ type: 'spki', format: 'der' });
    const mutateTbs = (tbs: Uint8Array) => {
      const at = Buffer.from(tbs).indexOf(good);
      return Buffer.concat([tbs.subarray(0, at), spki, tbs.subarray(at + good.length)]);
    };
    const broken = TestCa.root('prod.example', { now: NOW, keys, mutateTbs });
    assert.equal(judge({ leaf: broken.svid(ID), anchors: [broken] }), 'issuer_invalid');
  });
});

describe('issuers', () => {
  const between = (parts: CertificateParts): number | string => {
    const ca = root.intermediate('between', parts);
    return judge({ leaf: ca.svid(ID), candidates: [ca] });
  };
  const policies = extension('2.5.29.32', true, der.sequence(der.sequence(der.oid('2.5.29.32.0'))));
  const rules: [text: string, parts: CertificateParts, expected: number | string][] = [
    ['without key usage', { keyUsage: null }, 3],
    ['without the CA flag', { ca: false }, 'issuer_invalid'],
    ['without basic constraints', { ca: null }, 'issuer_invalid'],
    ['with basic constraints that are not critical', { basicConstraintsCritical: false }, 'issuer_invalid'],
    ['whose key usage lacks keyCertSign', { keyUsage: ['cRLSign'] }, 'issuer_invalid'],
    ['for clients', { extendedKeyUsage: ['clientAuth'] }, 3],
    ['for any usage', { extendedKeyUsage: ['any'] }, 3],
    ['for code signing', { extendedKeyUsage: ['codeSigning'] }, 'issuer_invalid'],
    ['with an unknown critical extension', { extensions: [policies] }, 'issuer_invalid'],
    ['with a path length of 0', { pathLength: 0 }, 3],
  ];
  for (const [text, parts, expected] of rules) test(text, () => assert.equal(between(parts), expected));

  test('an anchor is held to the same rules', () => {
    const odd = TestCa.root('prod.example', { now: NOW, keyUsage: ['cRLSign'] });
    assert.equal(judge({ leaf: odd.svid(ID), anchors: [odd] }), 'issuer_invalid');
  });
  test('B22: another workload as the issuer', () => {
    const workload = root.intermediate('workload', { ca: false, keyUsage: ['digitalSignature'], uris: [ID] });
    assert.equal(judge({ leaf: workload.svid(ID), candidates: [workload] }), 'issuer_invalid');
  });
  test('a useless candidate beside a good one is passed over', () => {
    const good = root.intermediate('between');
    const bad = root.intermediate('between', { ca: false });
    assert.equal(judge({ leaf: good.svid(ID), candidates: [bad, good] }), 3);
  });
});

describe('the leaf', () => {
  const critical = extension('1.2.3', true, der.nothing);
  const rules: [text: string, parts: CertificateParts, usage: PathOptions['usage'], expected: number | string][] = [
    ['with an unknown critical extension', { extensions: [critical] }, 'client', 'critical_extension'],
    ['without extended key usage', { extendedKeyUsage: null }, 'client', 2],
    ['for servers, used as a client', { extendedKeyUsage: ['serverAuth'] }, 'client', 'extended_key_usage'],
    ['for servers, used as a server', { extendedKeyUsage: ['serverAuth'] }, 'server', 2],
    ['for any usage', { extendedKeyUsage: ['any'] }, 'server', 2],
  ];
  for (const [text, parts, usage, expected] of rules) {
    test(text, () => assert.equal(judge({ leaf: root.svid(ID, parts), options: { usage } }), expected));
  }
});

describe('path lengths', () => {
  const chain = (count: number, parts: CertificateParts = {}) => {
    let ca = root;
    for (let i = 0; i < count; i++) ca = ca.intermediate(`ca ${i}`, i === 0 ? parts : {});
    return { leaf: ca.svid(ID), candidates: ca.chain };
  };
  test('an issuer with a path length of 1 allows one intermediate below it', () => {
    assert.equal(judge(chain(2, { pathLength: 1 })), 4);
    assert.equal(judge(chain(3, { pathLength: 1 })), 'path_length');
  });
  test('the path length of an anchor counts', () => {
    const short = TestCa.root('prod.example', { now: NOW, pathLength: 0 });
    assert.equal(judge({ leaf: short.svid(ID), anchors: [short] }), 2);
    const ca = short.intermediate();
    assert.equal(judge({ leaf: ca.svid(ID), candidates: [ca], anchors: [short] }), 'path_length');
  });
  test('self-issued certificates do not count', () => {
    const first = root.intermediate('ca', { pathLength: 0 });
    const second = first.intermediate('ca', { pathLength: 0 });
    assert.equal(judge({ leaf: second.svid(ID), candidates: [first, second], options: { maxDepth: 1 } }), 4);
    const other = first.intermediate('other');
    assert.equal(judge({ leaf: other.svid(ID), candidates: [first, other] }), 'path_length');
  });
  test('eight intermediates are the most', () => {
    assert.equal(judge(chain(8)), 10);
    assert.equal(judge(chain(9)), 'path_length');
  });
  test('the most can be set lower', () => {
    assert.equal(judge({ ...chain(1), options: { maxDepth: 1 } }), 3);
    assert.equal(judge({ ...chain(1), options: { maxDepth: 0 } }), 'path_length');
  });
});

describe('name constraints', () => {
  const elsewhere = nameConstraints([uriName('other.example')]);
  test('an intermediate binds the leaf', () => {
    const ca = root.intermediate('ca', { nameConstraints: elsewhere });
    assert.equal(judge({ leaf: ca.svid('spiffe://other.example/a'), candidates: [ca] }), 3);
    assert.equal(judge({ leaf: ca.svid(ID), candidates: [ca] }), 'name_constraints');
  });
  test('a root binds intermediates, self-issued ones apart', () => {
    const bound = TestCa.root('prod.example', { now: NOW, nameConstraints: elsewhere });
    const outside = bound.intermediate('ca', { uris: ['spiffe://prod.example'] });
    const leaf = (ca: TestCa) => ca.svid('spiffe://other.example/a');
    assert.equal(judge({ leaf: leaf(outside), candidates: [outside], anchors: [bound] }), 'name_constraints');
    const selfIssued = bound.intermediate('prod.example root', { uris: ['spiffe://prod.example'] });
    assert.equal(judge({ leaf: leaf(selfIssued), candidates: [selfIssued], anchors: [bound] }), 3);
  });
  test('a self-issued leaf is bound', () => {
    const bound = TestCa.root('prod.example', { now: NOW, nameConstraints: elsewhere });
    const leaf = bound.svid(ID, { subject: 'prod.example root' });
    assert.equal(judge({ leaf, anchors: [bound] }), 'name_constraints');
  });
});

describe('the search', () => {
  test('key identifiers come first, and exclude nothing', () => {
    const wrong = Buffer.from('another key');
    assert.equal(judge({ leaf: root.svid(ID, { authorityKeyId: wrong }) }), 2);
    assert.equal(judge({ leaf: root.svid(ID, { authorityKeyId: null }) }), 2);
  });
  test('a candidate that the key identifier points at is tried before the budget is spent on others', () => {
    const ca = root.intermediate('ca');
    const crowd = Array.from({ length: 30 }, () => root.intermediate('ca'));
    assert.equal(judge({ leaf: ca.svid(ID), candidates: [...crowd, ca] }), 3);
    const unnamed = ca.svid(ID, { authorityKeyId: null });
    assert.equal(judge({ leaf: unnamed, candidates: [...crowd, ca] }), 'path_budget');
  });
  test('roots do not use up the budget: rotation leaves several of one name', () => {
    const others = Array.from({ length: 30 }, () => TestCa.root('prod.example', { now: NOW, subjectKeyId: null }));
    assert.equal(judge({ leaf: root.svid(ID, { authorityKeyId: null }), anchors: [...others, root] }), 2);
  });
  test('two authorities that certified each other end the search', () => {
    const a = TestCa.root('a', { now: NOW });
    const b = TestCa.root('b', { now: NOW });
    const crossed = [
      a.intermediate('b root', { keys: b.certificate.keys }),
      b.intermediate('a root', { keys: a.certificate.keys }),
    ];
    assert.equal(judge({ leaf: a.svid(ID), candidates: crossed }), 'issuer_unknown');
    assert.equal(judge({ leaf: a.svid(ID), candidates: crossed, anchors: [b] }), 3);
  });
  test('a mesh of authorities that certified each other ends at the budget', () => {
    const all = Array.from({ length: 5 }, (_, i) => TestCa.root(`ca${i}`, { now: NOW }));
    const mesh = all.flatMap((by) =>
      all
        .filter((of) => of !== by)
        .map((of, i) =>
          by.intermediate(`ca${all.indexOf(of)} root`, { keys: of.certificate.keys, serial: Buffer.from([1, i]) }),
        ),
    );
    assert.equal(judge({ leaf: all[0]!.svid(ID), candidates: mesh }), 'path_budget');
  });
  test('signatures that are slow to check use up the budget sooner', () => {
    const root521 = TestCa.root('root', { now: NOW, keys: newKeys('p521') });
    const chain = (length: number) => {
      const all = [root521];
      for (let at = 0; at < length; at++) all.push(all.at(-1)!.intermediate(`ca ${at}`, { keys: newKeys('p521') }));
      return { leaf: all.at(-1)!.svid(ID), candidates: all.slice(1), anchors: [root521] };
    };
    assert.equal(judge(chain(2)), 4);
    assert.equal(judge(chain(3)), 'path_budget');
  });
  test('an issuer that may not issue is found before its signature is paid for', () => {
    const crowd = Array.from({ length: 30 }, () => root.intermediate('ca', { ca: false }));
    const ca = root.intermediate('ca');
    assert.equal(judge({ leaf: ca.svid(ID, { authorityKeyId: null }), candidates: [...crowd, ca] }), 3);
  });
  test('a root is not needed to be self-signed', () => {
    const odd = TestCa.root('prod.example', { now: NOW, signWith: newKeys('p256').privateKey });
    assert.equal(judge({ leaf: odd.svid(ID), anchors: [odd] }), 2);
  });
  test('a leaf with the name and the key of its root still has a path', () => {
    const leaf = root.svid(ID, { subject: 'prod.example root', keys: root.certificate.keys });
    assert.equal(judge({ leaf }), 2);
  });
});

test('the reason is that of the fault furthest from the leaf', () => {
  const near = root.intermediate('ca', { ca: false });
  const far = TestCa.root('prod.example', { now: NOW }).intermediate('ca');
  const leaf = far.svid(ID, { authorityKeyId: null });
  assert.equal(judge({ leaf, candidates: [near, far] }), 'signature');
});

test('an inner algorithm of another key is no algorithm of this one', () => {
  const innerAlgorithm = signatureAlgorithm(newKeys('p384').privateKey);
  const parsed = Certificate.parse(root.svid(ID, { innerAlgorithm }).der);
  assert.ok(parsed instanceof Refusal);
});
