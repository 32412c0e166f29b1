import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { CompactSign } from 'jose';
import { attempt } from '../base/attempt.ts';
import { Fault, fail, reading } from '../base/fault.ts';
import { isJsonObject, type JsonObject, type JsonValue, parseExactJson } from '../base/strict-json.ts';
import { PublicJwk } from './jwk.ts';
import type { JwsAlgorithm } from './jws-algorithms.ts';

/** Keys that sign tokens of our own: the first of a file signs, all of them are published. */
export interface SigningKeys {
  /** The JWK Set of their public halves (RFC 7517 section 5), each with `kid`, `alg` and `use`. */
  readonly jwks: { readonly keys: readonly JsonObject[] };
  /** A compact JWS of these claims by the first key, with its `alg` and `kid`. */
  sign(typ: string, claims: object): Promise<string>;
}

/** Which algorithm a key signs with where its JWK names none: the first that fits. EdDSA is in no list of defaults. */
const PREFERRED: readonly JwsAlgorithm[] = ['ES256', 'ES384', 'ES512', 'PS256'];
const MAX_KEYS = 8;
const PEM = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----[A-Za-z0-9+/=\s]+-----END (?:[A-Z]+ )?PRIVATE KEY-----/g;

interface SigningKey {
  readonly key: KeyObject;
  readonly kid: string;
  readonly algorithm: JwsAlgorithm;
  readonly published: JsonObject;
}

/**
 * The keys of a file: private keys in PEM, one after the other, or a JWK Set with private keys. 1 to 8 keys, each of EC
 * (P-256, P-384, P-521) or RSA with at least 2048 bits, and no `kid` twice; a key without one is named by its
 * thumbprint (RFC 7638).
 */
export function readSigningKeys(text: string): SigningKeys | Fault {
  return reading(
    () => {
      const given = text.trimStart().startsWith('{') ? jwksKeys(text) : pemKeys(text);
      if (given.length > MAX_KEYS) fail(`more than ${MAX_KEYS} keys`);
      const keys = given.map(signingKey);
      const [first] = keys;
      if (first === undefined) fail('no private key, in PEM or as a JWK Set');
      if (new Set(keys.map(({ kid }) => kid)).size < keys.length) fail('two keys have one kid');
      const { key, kid, algorithm } = first;
      return {
        jwks: { keys: keys.map(({ published }) => published) },
        sign: (typ: string, claims: object) =>
          new CompactSign(Buffer.from(JSON.stringify(claims)))
            .setProtectedHeader({ alg: algorithm, typ, kid })
            .sign(key),
      };
    },
    (detail) => new Fault(detail),
  );
}

interface GivenKey {
  readonly key: KeyObject;
  readonly kid: string | null;
  readonly alg: string | null;
}

function pemKeys(text: string): GivenKey[] {
  const blocks = text.match(PEM) ?? [];
  if (text.replace(PEM, '').includes('-----BEGIN')) fail('something else than private keys that are not encrypted');
  return blocks.map((pem, at) => {
    const key = attempt(() => createPrivateKey(pem)) ?? fail(`key ${at} is no private key`);
    return { key, kid: null, alg: null };
  });
}

function jwksKeys(text: string): GivenKey[] {
  const set = parseExactJson(text);
  if (set instanceof Fault) fail(`not strict JSON: ${set.detail}`);
  const jwks = isJsonObject(set) ? set.keys : undefined;
  if (!Array.isArray(jwks)) fail('no JWK Set: it has no keys array');
  return jwks.map((jwk, at) => {
    if (!isJsonObject(jwk)) fail(`key ${at} is no JSON object`);
    const key = attempt(() => createPrivateKey({ key: { ...jwk }, format: 'jwk' }));
    const named = (name: string) => (typeof jwk[name] === 'string' ? jwk[name] : null);
    return { key: key ?? fail(`key ${at} is no private key`), kid: named('kid'), alg: named('alg') };
  });
}

function signingKey({ key, kid, alg }: GivenKey, at: number): SigningKey {
  const exported = createPublicKey(key).export({ format: 'jwk' }) as JsonObject;
  const read = PublicJwk.read(exported as JsonValue);
  if (read instanceof Fault) fail(`key ${at}: ${read.detail}`);
  const algorithm = PREFERRED.find((name) => (alg === null || alg === name) && read.supports(name));
  if (algorithm === undefined) fail(`key ${at} is for none of ${PREFERRED.join(', ')}`);
  const name = kid ?? read.thumbprint;
  return { key, kid: name, algorithm, published: { ...exported, kid: name, alg: algorithm, use: 'sig' } };
}
