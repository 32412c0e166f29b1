import { constants, createHash, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';

export type KeyAlgorithm = `${'RS' | 'PS' | 'ES'}${256 | 384 | 512}` | 'EdDSA';
type Members = Readonly<Record<string, unknown>>;

/** A key pair of a token issuer or of a workload. */
export interface SigningKey {
  readonly kid: string;
  readonly algorithm: KeyAlgorithm;
  readonly privateKey: KeyObject;
  /** Only the members that make the key: kty and its numbers. */
  readonly publicJwk: Members;
}

/** One change to a good token. A member that is set to undefined is left out. */
export interface Mutation {
  readonly header?: Members;
  readonly claims?: Members;
  /** Signs with this key; the header still names the right one. */
  readonly signWith?: SigningKey;
  /** The text of header or payload instead of the JSON of their members. */
  readonly headerText?: string;
  readonly payloadText?: string;
  /** The signature over `header.payload`, made in another way. */
  readonly signature?: (signed: string) => Buffer;
  /** Changes the finished token without another signature. */
  readonly respell?: (token: string) => string;
}

const CURVES = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' } as const;
const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const b64 = (data: string | Buffer): string => Buffer.from(data).toString('base64url');

/** A new key pair. RSA takes a tenth of a second: make it once for a test file. */
export function makeKey(algorithm: KeyAlgorithm = 'ES256', kid: string = randomUUID()): SigningKey {
  const { privateKey, publicKey } = keyPair(algorithm);
  return { kid, algorithm, privateKey, publicJwk: publicKey.export({ format: 'jwk' }) as Members };
}

/** An RSA key pair of any strength, good or bad. */
export function makeRsaKey(modulusLength: number, publicExponent = 0x10001, kid: string = randomUUID()): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength, publicExponent });
  return { kid, algorithm: 'RS256', privateKey, publicJwk: publicKey.export({ format: 'jwk' }) as Members };
}

/** The public JWK with its `kid`, and with members of your own (`use`, `alg`); undefined leaves one out. */
export function jwk(key: SigningKey, members: Members = {}): Members {
  return defined({ ...key.publicJwk, kid: key.kid, ...members });
}

/** RFC 7638 thumbprint: the value of `cnf.jkt`. */
export function thumbprint(key: SigningKey): string {
  const names = ['crv', 'e', 'kty', 'n', 'x', 'y'].filter((name) => key.publicJwk[name] !== undefined);
  return sha256(JSON.stringify(Object.fromEntries(names.map((name) => [name, key.publicJwk[name]]))));
}

/** base64url SHA-256: `ath`, `wth`, `tth`, `oth`. */
export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

/** A compact JWS over these members, with one mutation. */
export function mint(key: SigningKey, header: Members, claims: Members, mutation: Mutation = {}): string {
  const fullHeader = defined({ alg: key.algorithm, kid: key.kid, ...header, ...mutation.header });
  const headerText = mutation.headerText ?? JSON.stringify(fullHeader);
  const payloadText = mutation.payloadText ?? JSON.stringify(defined({ ...claims, ...mutation.claims }));
  const signed = `${b64(headerText)}.${b64(payloadText)}`;
  const signature = mutation.signature?.(signed) ?? signText(signed, mutation.signWith ?? key);
  const token = `${signed}.${b64(signature)}`;
  return mutation.respell?.(token) ?? token;
}

/** Who issues what for whom. `now` is in milliseconds; tokens live five minutes from then. */
export interface TokenFrame {
  readonly key: SigningKey;
  readonly now?: number;
}
const seconds = (now = Date.now()) => Math.floor(now / 1000);
/** When a token was issued and ends, in seconds since the epoch. */
export const life = (now?: number, length = 300) => ({ iat: seconds(now), exp: seconds(now) + length });

/** A JWT-SVID as SPIRE makes it. */
export function jwtSvid(frame: TokenFrame & { sub: string; aud: string }, mutation: Mutation = {}): string {
  const claims = { sub: frame.sub, aud: [frame.aud], ...life(frame.now) };
  return mint(frame.key, { typ: 'JWT' }, claims, mutation);
}

/** An OIDC workload token, as a cluster makes it for a service account. */
export function oidcToken(
  frame: TokenFrame & { iss: string; sub: string; aud: string },
  mutation: Mutation = {},
): string {
  const claims = { iss: frame.iss, sub: frame.sub, aud: [frame.aud], jti: randomUUID(), ...life(frame.now) };
  return mint(frame.key, {}, claims, mutation);
}

/** A DPoP proof (RFC 9449); `accessToken` adds `ath`. */
export function dpopProof(
  frame: TokenFrame & { method: string; uri: string; accessToken?: string; nonce?: string },
  mutation: Mutation = {},
): string {
  const claims = {
    jti: randomUUID(),
    htm: frame.method,
    htu: frame.uri,
    iat: seconds(frame.now),
    ath: frame.accessToken === undefined ? undefined : sha256(frame.accessToken),
    nonce: frame.nonce,
  };
  return mint(frame.key, { typ: 'dpop+jwt', kid: undefined, jwk: frame.key.publicJwk }, claims, mutation);
}

/** A Workload Identity Token (WIMSE) that binds `sub` to the public key of `holder`. */
export function wit(frame: TokenFrame & { sub: string; holder: SigningKey }, mutation: Mutation = {}): string {
  const cnf = { jwk: { ...frame.holder.publicJwk, alg: frame.holder.algorithm } };
  return mint(frame.key, { typ: 'wit+jwt' }, { sub: frame.sub, cnf, ...life(frame.now, 3600) }, mutation);
}

/** A Workload Proof Token (WIMSE), signed by the holder's key, over a WIT and the tokens beside it. */
export function wpt(
  frame: TokenFrame & { uri: string; wit: string; accessToken?: string; txnToken?: string; others?: Members },
  mutation: Mutation = {},
): string {
  const claims = {
    aud: frame.uri,
    exp: seconds(frame.now) + 60,
    jti: randomUUID(),
    wth: sha256(frame.wit),
    ath: frame.accessToken === undefined ? undefined : sha256(frame.accessToken),
    tth: frame.txnToken === undefined ? undefined : sha256(frame.txnToken),
    oth: frame.others,
  };
  return mint(frame.key, { typ: 'wpt+jwt', kid: undefined }, claims, mutation);
}

/** The other valid form of an ECDSA P-256 signature: s becomes n − s. */
export function otherSignature(token: string): string {
  const dot = token.lastIndexOf('.') + 1;
  const signature = Buffer.from(token.slice(dot), 'base64url');
  const s = P256_ORDER - BigInt(`0x${signature.subarray(32).toString('hex')}`);
  const flipped = Buffer.concat([signature.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')]);
  return token.slice(0, dot) + b64(flipped);
}

/** The same bytes spelled with left-over bits in the last character, which lenient decoders drop. */
export function leftOverBits(token: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return token.slice(0, -1) + alphabet[alphabet.indexOf(token.at(-1) ?? '') + 1];
}

function signText(signed: string, { algorithm, privateKey }: SigningKey): Buffer {
  const data = Buffer.from(signed);
  const hash = algorithm === 'EdDSA' ? null : `sha${algorithm.slice(2)}`;
  if (algorithm.startsWith('ES')) return sign(hash, data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  if (!algorithm.startsWith('PS')) return sign(hash, data, privateKey);
  return sign(hash, data, {
    key: privateKey,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  });
}

function keyPair(algorithm: KeyAlgorithm): { privateKey: KeyObject; publicKey: KeyObject } {
  switch (algorithm) {
    case 'ES256':
    case 'ES384':
    case 'ES512':
      return generateKeyPairSync('ec', { namedCurve: CURVES[algorithm] });
    case 'EdDSA':
      return generateKeyPairSync('ed25519');
    default:
      return generateKeyPairSync('rsa', { modulusLength: 2048 });
  }
}

function defined(members: Members): Members {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
