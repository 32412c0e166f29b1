import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { attempt } from '../base/attempt.ts';
import { Fault, fail, reading } from '../base/fault.ts';
import { Refusal } from '../base/outcome.ts';
import {
  type ExactNumber,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseExactJson,
} from '../base/strict-json.ts';
import { KeySet } from '../token/key-set.ts';
import { Certificate } from '../x509/certificate.ts';
import { canonicalBase64, readPem } from '../x509/certificate-pem.ts';
import { DerReader, tags } from '../x509/der.ts';
import type { BundleContent, JwtAuthority } from './bundle.ts';

type Json = JsonValue<ExactNumber>;
type Jwk = JsonObject<ExactNumber>;

/** Seconds between two reads of a source: the document's hint, held between a minimum and a maximum. */
const DEFAULT_REFRESH = 300;
const MIN_REFRESH = 30;
const MAX_REFRESH = 3600;
const MAX_KEYS = 1024;
/** Members of private and symmetric keys (RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1). */
const SECRET_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
/** Key types that are known; a key of another type is ignored (SPIFFE Trust Domain and Bundle, section 4.2.1). */
const KEY_TYPES: ReadonlySet<unknown> = new Set(['EC', 'RSA', 'OKP']);

/**
 * The bundle of `trustDomain` in a file: a SPIFFE bundle document (SPIFFE Trust Domain and Bundle, section 4; `keys` is
 * required and may be empty), a map of them by trust domain (`trust_domains`), or PEM. Null when the file is a map that
 * does not have the trust domain: it was withdrawn. What a map says of other trust domains is not looked at.
 */
export function parseBundleFile(trustDomain: string, text: string): BundleContent | null | Fault {
  if (!/^\s*\{/.test(text)) return parsePem(text);
  return readingBundle(() => {
    const document = parseObject(text);
    const { trust_domains: map, keys } = document;
    if (map === undefined) return readBundle(document);
    if (keys !== undefined) fail('both keys and trust_domains');
    if (!isJsonObject(map)) fail('trust_domains is no object');
    const own = map[trustDomain];
    if (own === undefined) return null;
    return isJsonObject(own) ? readBundle(own) : fail('the bundle of the trust domain is no object');
  });
}

/** A SPIFFE bundle document (SPIFFE Trust Domain and Bundle, section 4): `keys` is required and may be empty. */
export const parseBundleDocument = (text: string): BundleContent | Fault =>
  readingBundle(() => readBundle(parseObject(text)));

/** PEM certificates, at least one of which can be read; text between the blocks is passed over. */
function parsePem(text: string): BundleContent | Fault {
  const blocks = readPem(text, true);
  return blocks instanceof Fault ? blocks : readingBundle(() => ({ ...empty, ...readRoots(blocks) }));
}

/**
 * The X.509 authorities of one trust domain as the Workload API's stream has them: DER certificates one after another, at
 * least one of which can be read (SPIFFE Workload API, section 5.2.2). No bytes are a fault, since there they mean that a
 * mandatory field was left out.
 */
export const parseX509Authorities = (bytes: Uint8Array): BundleContent | Fault =>
  readingBundle(() => {
    const blocks = derBlocks(bytes);
    if (blocks.length === 0) fail('no certificates');
    return { ...empty, ...readRoots(blocks) };
  });

/** DER certificates that stand one after another, apart; nothing is read inside them. */
export const splitDer = (bytes: Uint8Array): readonly Uint8Array[] | Fault => readingBundle(() => derBlocks(bytes));

function derBlocks(bytes: Uint8Array): readonly Uint8Array[] {
  const blocks: Uint8Array[] = [];
  for (const reader = new DerReader(bytes); reader.next !== null; ) {
    if (blocks.length === MAX_KEYS) fail(`there are more than ${MAX_KEYS} certificates`);
    blocks.push(reader.whole(tags.sequence, 'a certificate'));
  }
  return blocks;
}

/**
 * The JWT authorities of one trust domain as the Workload API's stream has them: a JWK set whose keys state no `use`,
 * since nothing else is in it (SPIFFE Workload API, section 6.2.2).
 */
export const parseJwtAuthorities = (text: string): BundleContent | Fault =>
  readingBundle(() => {
    const jwtAuthorities = readTokenKeys(readKeys(parseObject(text)), 'jwt-svid', 'jwt-svid', undefined);
    return { ...empty, jwtAuthorities, unreadable: unusable(jwtAuthorities) };
  });

const empty: BundleContent = {
  x509Authorities: [],
  jwtAuthorities: [],
  witAuthorities: [],
  unreadable: [],
  sequence: null,
  refreshSeconds: DEFAULT_REFRESH,
};

/** What `read` gives, or the fault that it met (`fail`). */
const readingBundle = <T>(read: () => T): T | Fault => reading(read, (detail) => new Fault(detail));

function parseObject(text: string): Jwk {
  const value = parseExactJson(text);
  if (value instanceof Fault) fail(value.detail);
  return isJsonObject(value) ? value : fail('not a JSON object');
}

function readBundle(document: Jwk): BundleContent {
  const keys = readKeys(document);
  const blocks = keys.filter(({ use, x5c }) => use === 'x509-svid' && x5c !== undefined).map(readX5c);
  const { x509Authorities, unreadable } = blocks.length === 0 ? empty : readRoots(blocks);
  const jwtAuthorities = readTokenKeys(keys, 'jwt-svid', 'jwt-svid');
  const witAuthorities = readTokenKeys(keys, 'wit-svid', 'wit-svid');
  return {
    x509Authorities,
    jwtAuthorities,
    witAuthorities,
    unreadable: [...unreadable, ...unusable(jwtAuthorities), ...unusable(witAuthorities)],
    sequence: readSequence(document.spiffe_sequence),
    refreshSeconds: readRefreshHint(document.spiffe_refresh_hint),
  };
}

/** The keys of a known type. A key that is private would be known to whoever reads the bundle: the document is refused. */
function readKeys(document: Jwk): readonly Jwk[] {
  const { keys } = document;
  if (!Array.isArray(keys)) fail('keys is no array');
  if (keys.length > MAX_KEYS) fail(`more than ${MAX_KEYS} keys`);
  const known: Jwk[] = [];
  for (const key of keys as readonly Json[]) {
    if (!isJsonObject(key)) fail('a key is no object');
    if (SECRET_MEMBERS.some((member) => Object.hasOwn(key, member))) fail('a key holds a secret');
    if (KEY_TYPES.has(key.kty)) known.push(key);
  }
  return known;
}

/** The one certificate of an X.509 authority, whose key is the key that stands beside it. */
function readX5c(key: Jwk): Uint8Array {
  const { x5c } = key;
  if (!Array.isArray(x5c) || x5c.length !== 1) fail('an x509-svid key has not exactly one certificate');
  const [text] = x5c as readonly Json[];
  const der = typeof text === 'string' ? canonicalBase64(text) : null;
  if (der === null) fail('an x5c is not canonical base64');
  const certificate = Certificate.parse(der);
  if (certificate instanceof Certificate && !isKeyOf(certificate, key))
    fail('an x509-svid key is not the key of its certificate');
  return der;
}

function isKeyOf(certificate: Certificate, key: Jwk): boolean {
  const stated = attempt(() => createPublicKey({ key: key as JsonWebKey, format: 'jwk' }));
  return stated !== null && (certificate.key?.equals(stated) ?? false);
}

/** A root that cannot be read does not spoil the others, but none that can be read is a bad update, not a revocation. */
function readRoots(blocks: readonly Uint8Array[]): Pick<BundleContent, 'x509Authorities' | 'unreadable'> {
  const x509Authorities: Certificate[] = [];
  const unreadable: string[] = [];
  for (const [i, der] of blocks.entries()) {
    const root = Certificate.parse(der);
    if (root instanceof Refusal) unreadable.push(`root ${i + 1}: ${root.detail}`);
    else x509Authorities.push(root);
  }
  if (x509Authorities.length === 0) fail(`no root can be read: ${unreadable.join('; ')}`);
  return { x509Authorities, unreadable };
}

/** The keys that state one of these uses. Each is given the first: where they come from makes them what they are. */
function readTokenKeys(
  keys: readonly Jwk[],
  use: 'jwt-svid' | 'wit-svid',
  ...stated: readonly (Json | undefined)[]
): readonly JwtAuthority[] {
  const wanted = keys.filter((key) => stated.includes(key.use));
  return wanted.map((key) => {
    const { kid } = key;
    if (typeof kid !== 'string' || kid === '') fail(`a ${use} key has no kid`);
    return Object.freeze({ kid, jwk: Object.freeze({ ...key, use }) });
  });
}

/** Keys that verify nothing, such as weak ones: no reason to refuse the document, but one to be seen. */
function unusable(authorities: readonly JwtAuthority[]): readonly string[] {
  const keys = authorities.map(({ jwk: { use: _, ...key } }) => key);
  return KeySet.of(keys, 'workload-api').ignored.map(({ kid, why }) => `key ${kid}: ${why}`);
}

function readSequence(value: Json | undefined): bigint | null {
  if (value === undefined) return null;
  const integer = typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value));
  if (!integer || value < 0) fail('spiffe_sequence is no sequence number');
  return BigInt(value);
}

/** Held between both ends, so that no hint makes a source spin or never be read again. */
function readRefreshHint(value: Json | undefined): number {
  if (value === undefined) return DEFAULT_REFRESH;
  if (typeof value !== 'number' && typeof value !== 'bigint') fail('spiffe_refresh_hint is no number');
  return Math.min(Math.max(Number(value), MIN_REFRESH), MAX_REFRESH);
}
