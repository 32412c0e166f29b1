import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { loadConfig } from '../../src/config/load.ts';
import { canonicalHost } from '../../src/envoy/host.ts';
import { decodeCheck } from '../../src/envoy/messages.ts';
import { readTarget } from '../../src/envoy/path.ts';
import { readRequest } from '../../src/envoy/request.ts';
import { parseXfcc } from '../../src/envoy/xfcc.ts';
import { parseBundleFile, parseJwtAuthorities, parseX509Authorities } from '../../src/identity/bundle-document.ts';
import { Certificate } from '../../src/identity/certificate.ts';
import { decodePemText, readCertificates } from '../../src/identity/certificate-pem.ts';
import { PublicJwk } from '../../src/identity/jwk.ts';
import { UnverifiedJws, verifyWithEmbeddedKey } from '../../src/identity/jws.ts';
import { TokenFault } from '../../src/identity/jws-fault.ts';
import { loadInventory } from '../../src/inventory/load.ts';
import { splitPolicies } from '../../src/policy/split.ts';
import { SpiffeId } from '../../src/spiffe-id.ts';
import { parseExactJson, parseStrictJsonBytes } from '../../src/strict-json.ts';
import { normalTargetUri } from '../../src/task/target-uri.ts';
import { authorities, requestShapes, targets, xfccValues } from '../support/arbitraries.ts';
import { bundleDocument, pemBundle, TestCa, urlEncodedPem } from '../support/ca.ts';
import { checkBytes, requestOptions } from '../support/check-request.ts';
import { mutatedBytes, mutatedText } from '../support/mutations.ts';
import { dpopProof, jwk, jwtSvid, makeKey } from '../support/tokens.ts';
import type { SoakResult } from './run.ts';

const DEFAULT_SECONDS = 600;
/** What the slowest input should take; above it a parser is named, since a busy machine makes failures of nothing. */
const GOAL_MS = 50;

/** What came of feeding one parser. */
interface Found {
  readonly name: string;
  readonly inputs: number;
  /** What it threw, with the input; null when it always came back with a value. */
  readonly fault: string | null;
  readonly slowestMs: number;
  readonly slowest: string;
}

type Target = (seconds: number, seed: number) => Promise<Found>;

/** `npm run soak -- fuzz [SECONDS]`: no throw leaves a parser. The seed is printed; FUZZ_SEED repeats a run. */
export async function run([seconds = String(DEFAULT_SECONDS)]: readonly string[]): Promise<SoakResult> {
  const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);
  const found: Found[] = [];
  for (const target of parsers) found.push(await target(Number(seconds) / parsers.length, seed));
  const faults = found.flatMap(({ name, inputs, fault }) => {
    if (fault !== null) return [`${name}: ${fault}`];
    return inputs === 0 ? [`${name}: nothing was tried`] : [];
  });
  const total = found.reduce((sum, { inputs }) => sum + inputs, 0);
  const [slowest, ...others] = found.toSorted((a, b) => b.slowestMs - a.slowestMs) as [Found, ...Found[]];
  const slow = others.filter(({ slowestMs }) => slowestMs > GOAL_MS);
  const line =
    `${total} inputs to ${found.length} parsers, seed ${seed}, ` +
    `slowest ${slowest.slowestMs.toFixed(1)} ms in ${slowest.name}: ${slowest.slowest}` +
    slow.map(({ name, slowestMs }) => `; ${slowestMs.toFixed(1)} ms in ${name}`).join('');
  return { line, faults };
}

function parser<T>(name: string, inputs: fc.Arbitrary<T>, feed: (input: T) => unknown): Target {
  return async (seconds, seed) => {
    let count = 0;
    let slowestMs = 0;
    let slowest = '';
    const property = fc.asyncProperty(inputs, async (input) => {
      count++;
      const start = performance.now();
      await feed(input);
      const ms = performance.now() - start;
      // The first inputs pay for compilation.
      if (count > 100 && ms > slowestMs) [slowestMs, slowest] = [ms, excerpt(input)];
    });
    const result = await fc.check(property, {
      seed,
      numRuns: Number.MAX_SAFE_INTEGER,
      interruptAfterTimeLimit: seconds * 1000,
      markInterruptAsFailure: false,
    });
    const fault = result.failed ? `${String(result.errorInstance)} for ${excerpt(result.counterexample)}` : null;
    return { name, inputs: count, fault, slowestMs, slowest };
  };
}

/** The beginning of an input, and how long it is. */
function excerpt(input: unknown): string {
  const text = JSON.stringify(input, (_, value) => (value instanceof Uint8Array ? hexOf(value) : value)) ?? '';
  return text.length <= 120 ? text : `${text.slice(0, 120)}… (${text.length} characters)`;
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const utf8 = (text: string): Uint8Array => Buffer.from(text);
const example = (file: string): string =>
  readFileSync(join(import.meta.dirname, '..', '..', 'cedar', 'example', file), 'utf8');

const now = Date.now();
const ca = TestCa.root('prod.example');
const svid = ca.svid('spiffe://prod.example/ns/payments/sa/ledger', { dns: ['payments.internal'] });
const certificates = [svid.der, ca.certificate.der, ca.intermediate().certificate.der];
const key = makeKey();
const bundle = JSON.stringify(bundleDocument([ca], [{ kid: 'k1', publicKey: createPublicKey(key.privateKey) }]));
const tokens = [
  jwtSvid({ key, now, sub: 'spiffe://prod.example/a', aud: 'spiffe://prod.example/b' }),
  dpopProof({ key, now, method: 'GET', uri: 'https://payments.internal/api/invoices/42' }),
];
const jsonPieces = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ':',
  ',',
  '\\u',
  '\\ud800',
  '1e999',
  '-',
  '0',
  'null',
  '"kid":',
  '"__proto__":',
];
const yamlPieces = [
  '\n',
  '  ',
  ': ',
  '- ',
  '&a ',
  '*a ',
  '<<: ',
  '|',
  '{',
  '[',
  '"',
  "'",
  '# ',
  '!!js ',
  '? ',
  '%',
  '---',
];
const uriPieces = ['spiffe://', '/', '.', '..', '%2e', '?', '#', '@', ':', 'A', '\u0000', 'é'];
const config = `serves: [payments.internal]
identity: { trustDomains: { prod.example: { ours: true, bundle: { file: ./b.json } } } }
limits: { deadline: 1s, requestBytes: 1MiB }
`;

/** Reads a token, and verifies it with the key that it brings. */
async function readToken(text: string): Promise<unknown> {
  const token = UnverifiedJws.decodeUnverified(text);
  if (token instanceof TokenFault) return token;
  return await verifyWithEmbeddedKey(token, { types: ['dpop+jwt'], algorithms: ['ES256'] });
}

const parsers: readonly Target[] = [
  parser('request', requestShapes, (shape) =>
    readRequest(decodeCheck(checkBytes(shape)), { checkPeer: null }, requestOptions),
  ),
  parser(
    'request bytes',
    mutatedBytes([checkBytes({ path: '/api/invoices/42?a=b', headers: { accept: '*/*' } })]),
    (bytes) => readRequest(decodeCheck(bytes), { checkPeer: null }, requestOptions),
  ),
  parser(
    'path',
    fc.oneof(targets, mutatedText(['/api/invoices/42?full=1'], ['%2e', '%', '/', '..', ';', '\\'])),
    (target) => readTarget(target, { mergeSlashes: true, bangIsReplacement: false }),
  ),
  parser('host', authorities, (authority) => canonicalHost(authority, 'https')),
  parser('xfcc', fc.array(xfccValues, { maxLength: 3 }), (values) => parseXfcc(values)),
  parser(
    'xfcc, long',
    mutatedText(
      [`By=spiffe://a/b;Hash=00;Cert="${urlEncodedPem(svid)}";URI=spiffe://a/c`],
      ['"', '\\"', ';', ',', '='],
    ),
    (value) => parseXfcc([value]),
  ),
  parser('SPIFFE ID', mutatedText(['spiffe://prod.example/ns/payments/sa/ledger'], uriPieces), (id) =>
    SpiffeId.parse(id),
  ),
  parser('JSON', mutatedText([bundle], jsonPieces), (text) => [parseExactJson(text), parseStrictJsonBytes(utf8(text))]),
  parser('certificate', mutatedBytes(certificates), (der) => Certificate.parse(der)),
  parser(
    'certificate text',
    mutatedText([urlEncodedPem(svid, ca.certificate)], ['%', '%0A', '-----', '+', '=']),
    (text) => decodePemText(text),
  ),
  parser('certificate file', mutatedText([pemBundle(ca)], ['-----BEGIN CERTIFICATE-----', '\n', '=', ' ']), (text) =>
    readCertificates(text),
  ),
  parser('bundle', mutatedText([bundle, pemBundle(ca)], jsonPieces), (text) => [
    parseBundleFile('prod.example', text),
    parseJwtAuthorities(text),
  ]),
  parser('bundle of the Workload API', mutatedBytes([Buffer.concat([ca.certificate.der, ca.certificate.der])]), (der) =>
    parseX509Authorities(der),
  ),
  parser('JWK', mutatedText([JSON.stringify(jwk(key))], jsonPieces), (text) => {
    const value = parseExactJson(text);
    return value !== null && typeof value === 'object' && 'kty' in value ? PublicJwk.read(value) : null;
  }),
  parser('token', mutatedText(tokens, ['.', '=', '-', '_', 'A', 'e30', ' ']), readToken),
  parser('target URI', mutatedText(['https://payments.internal/api?x=1#y'], uriPieces), (uri) => normalTargetUri(uri)),
  parser('configuration', mutatedText([config], yamlPieces), (text) => loadConfig(text, 'config.yaml', {})),
  parser('inventory', mutatedText([example('inventory.yaml')], yamlPieces), (text) =>
    loadInventory(text, 'inventory.yaml', { ownTrustDomains: new Set(['prod.example']) }),
  ),
  parser(
    'policies',
    mutatedText([example('policies/payments.cedar')], ['@id("', '"', '//', ';', '::', '(', '\\']),
    (text) => splitPolicies({ file: 'payments.cedar', text }),
  ),
];
