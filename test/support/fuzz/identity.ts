import assert from 'node:assert/strict';
import { createPublicKey, X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { Fault } from '../../../src/base/fault.ts';
import { Refusal } from '../../../src/base/outcome.ts';
import { SpiffeId } from '../../../src/base/spiffe-id.ts';
import { type JsonValue, parseStrictJson } from '../../../src/base/strict-json.ts';
import { PublicJwk } from '../../../src/token/jwk.ts';
import { parseJwks } from '../../../src/token/key-set.ts';
import { type BundleContent, BundleSnapshot, TrustBundle } from '../../../src/trust/bundle.ts';
import { parseBundleFile, parseJwtAuthorities, parseX509Authorities } from '../../../src/trust/bundle-document.ts';
import { type VerifiedSvid, verifyX509Svid } from '../../../src/trust/x509-svid.ts';
import { Certificate } from '../../../src/x509/certificate.ts';
import { decodePemText, readCertificates } from '../../../src/x509/certificate-pem.ts';
import { forms } from '../../../src/x509/names.ts';
import { bundleDocument, dnsName, nameConstraints, pemBundle, TestCa, uriName, urlEncodedPem } from '../ca.ts';
import { jwk, makeKey } from '../tokens.ts';
import { mutatedDer } from './der-tree.ts';
import { jsonPieces, mutatedBytes, mutatedText, uriPieces } from './mutations.ts';
import { type Parser, parser } from './parser.ts';
import { mutatedTree } from './tree.ts';

const ID = 'spiffe://prod.example/ns/payments/sa/ledger';
const ca = TestCa.root('prod.example');
const svid = ca.svid(ID, { dns: ['payments.internal'] });
const constrained = ca.intermediate('constrained', {
  nameConstraints: nameConstraints([uriName('prod.example'), dnsName('internal')]),
  pathLength: 0,
});
const rsa = ca.svid(ID, { keyType: 'rsa2048' });
const good = [svid.der, rsa.der, ca.certificate.der, constrained.certificate.der];

const key = makeKey();
const bundle = bundleDocument([ca], [{ kid: 'k1', publicKey: createPublicKey(key.privateKey) }], {
  spiffe_sequence: 7,
});
const bundles = [bundle, { trust_domains: { 'prod.example': bundle, 'a.example': { keys: [] } } }];
const trusted = new BundleSnapshot([
  {
    name: 'prod.example',
    local: true,
    maxStaleMs: 60_000,
    freshAt: ca.now,
    bundle: new TrustBundle('prod.example', {
      x509Authorities: [certificateOf(ca.certificate.der)],
      jwtAuthorities: [],
      witAuthorities: [],
      unreadable: [],
      sequence: null,
      refreshSeconds: 300,
    }),
  },
]);

/** SVIDs whose signed part was edited before the authority signed it: nothing but the rules stands in their way. */
const signedAnyway = mutatedDer([signedPartOf(svid.der)]).map(
  (tbs) => ca.svid(ID, { keys: svid.keys, mutateTbs: () => tbs }).der,
);

/** What reads certificates, bundles and keys. */
export const identityParsers: readonly Parser[] = [
  parser('SPIFFE ID', mutatedText([ID], uriPieces), SpiffeId.parse, (id, text) => {
    if (id instanceof Refusal) return false;
    assert.equal(id.text, text);
    assert.equal(id.text, `spiffe://${id.trustDomain}${id.path}`);
    return true;
  }),
  parser('certificate', fc.oneof(mutatedDer(good), mutatedBytes(good)), Certificate.parse, isCertificate),
  parser(
    'certificate that was signed anyway',
    signedAnyway,
    (leaf) => verifyX509Svid({ leaf, intermediates: [] }, trusted, ca.now, { maxLifetimeSeconds: 86_400 }),
    isSvid,
  ),
  parser(
    'certificate and path',
    fc.record({ leaf: mutatedDer([svid.der]), intermediates: fc.array(mutatedDer(good), { maxLength: 4 }) }),
    (presented) => verifyX509Svid(presented, trusted, ca.now, { maxLifetimeSeconds: 86_400 }),
    (verified, { leaf }) => {
      if (verified instanceof Refusal) return false;
      assert.ok(Buffer.from(leaf).equals(svid.der), 'what was edited after it was signed is refused');
      return true;
    },
  ),
  parser(
    'certificate text',
    mutatedText([urlEncodedPem(svid, ca.certificate)], ['%', '%0A', '%0D', '-----', '+', '=', '%E2']),
    decodePemText,
    (blocks, text) => {
      if (blocks instanceof Refusal) return false;
      const base64 = decodeURIComponent(text).replace(/-----(?:BEGIN|END) CERTIFICATE-----|[\r\n]/g, '');
      assert.equal(blocks.map((der) => Buffer.from(der).toString('base64')).join(''), base64, 'written in one way');
      const again = decodePemText(urlEncodedPem(...blocks.map((der) => ({ der }))));
      // Written out in full, a text without any needless escape can become too long.
      if (!(again instanceof Refusal)) assert.ok(Buffer.concat(again).equals(Buffer.concat(blocks)));
      return true;
    },
  ),
  parser(
    'certificate file',
    mutatedText([pemBundle(ca), svid.pem + rsa.pem], ['-----BEGIN CERTIFICATE-----', '\n', '\r', '=', ' ', '# ']),
    readCertificates,
    (certificates) => !(certificates instanceof Fault) && certificates.length > 0,
  ),
  parser(
    'bundle file',
    fc.oneof(
      mutatedTree(bundles).map((tree) => JSON.stringify(tree) ?? ''),
      mutatedText([...bundles.map((tree) => JSON.stringify(tree)), pemBundle(ca)], jsonPieces),
    ),
    (text) => parseBundleFile('prod.example', text),
    isBundle,
  ),
  parser(
    'X.509 authorities of the Workload API',
    fc.oneof(mutatedDer([Buffer.concat([ca.certificate.der, rsa.der])]), mutatedBytes(good)),
    parseX509Authorities,
    isBundle,
  ),
  parser(
    'JWT authorities of the Workload API',
    mutatedText([JSON.stringify(bundle)], jsonPieces),
    parseJwtAuthorities,
    isBundle,
  ),
  parser(
    'JWK',
    mutatedTree([jwk(key), jwk(makeKey('RS256')), jwk(makeKey('EdDSA'))]),
    (tree) => PublicJwk.read(strictly(tree)),
    (read, tree) => {
      if (read instanceof Fault) return false;
      createPublicKey({ key: tree as Record<string, string>, format: 'jwk' });
      return true;
    },
  ),
  parser(
    'JWKS',
    fc
      .oneof(
        mutatedTree([{ keys: [jwk(key), jwk(makeKey('ES384'), { use: 'sig' })] }]).map(
          (tree) => JSON.stringify(tree) ?? '',
        ),
        mutatedText([JSON.stringify({ keys: [jwk(key)] })], jsonPieces),
      )
      .map((text) => Buffer.from(text)),
    parseJwks,
    (set) => !(set instanceof Fault) && set.keys.length > 0,
  ),
];

function certificateOf(der: Uint8Array): Certificate {
  const certificate = Certificate.parse(der);
  if (certificate instanceof Refusal) throw new Error(certificate.detail);
  return certificate;
}

/** The first element inside of the outermost one. */
function signedPartOf(der: Uint8Array): Uint8Array {
  return certificateOf(der).signed;
}

/** OpenSSL takes whatever we take, and reads the same. */
function isCertificate(certificate: Certificate | Refusal, der: Uint8Array): boolean {
  if (certificate instanceof Refusal) return false;
  const theirs = new X509Certificate(der);
  assert.equal(theirs.validFromDate.getTime(), certificate.notBefore * 1000);
  assert.equal(theirs.validToDate.getTime(), certificate.notAfter * 1000);
  // They ask for the key usage of an authority too.
  if (theirs.ca) assert.equal(certificate.extensions.basicConstraints?.ca, true);
  assert.deepEqual(
    urisOf(theirs),
    certificate.extensions.names.flatMap(({ form, text }) => (form === forms.uri ? [text] : [])),
  );
  assert.ok(Buffer.from(certificate.der).equals(der));
  return true;
}

function isSvid(verified: VerifiedSvid | Refusal, der: Uint8Array): boolean {
  if (verified instanceof Refusal) return false;
  const theirs = new X509Certificate(der);
  assert.deepEqual(urisOf(theirs), [verified.id.text]);
  assert.equal(theirs.ca, false);
  const { basicConstraints, keyUsage } = certificateOf(der).extensions;
  assert.ok(!basicConstraints?.ca && keyUsage?.critical && keyUsage.bits.has(0));
  assert.ok(theirs.verify(ca.certificate.keys.publicKey));
  return true;
}

/** Node writes a name with characters that could be mistaken as a JSON string. */
function urisOf({ subjectAltName = '' }: X509Certificate): readonly string[] {
  return [...subjectAltName.matchAll(/URI:("(?:[^"\\]|\\.)*"|[^,]*)/g)].map(([, uri = '']) =>
    uri.startsWith('"') ? (JSON.parse(uri) as string) : uri,
  );
}

function isBundle(content: BundleContent | null | Fault): boolean {
  if (content === null || content instanceof Fault) return false;
  for (const root of content.x509Authorities) assert.ok(root instanceof Certificate);
  return true;
}

function strictly(tree: unknown): JsonValue {
  const value = parseStrictJson(JSON.stringify(tree) ?? 'null');
  return value as JsonValue;
}
