/** What one JWS algorithm asks of its key (RFC 7518 section 3, RFC 8037 section 3.1). */
interface AlgorithmRow {
  readonly kty: 'RSA' | 'EC' | 'OKP';
  /** Name of the curve; null for RSA. */
  readonly crv: string | null;
  /** How WebCrypto is told of the algorithm. */
  readonly importParams: Readonly<{ name: string; hash?: string; namedCurve?: string }>;
}

const rsa = (name: string, bits: number): AlgorithmRow => {
  return { kty: 'RSA', crv: null, importParams: { name, hash: `SHA-${bits}` } };
};
const ec = (crv: string): AlgorithmRow => ({ kty: 'EC', crv, importParams: { name: 'ECDSA', namedCurve: crv } });

const rows = {
  RS256: rsa('RSASSA-PKCS1-v1_5', 256),
  RS384: rsa('RSASSA-PKCS1-v1_5', 384),
  RS512: rsa('RSASSA-PKCS1-v1_5', 512),
  PS256: rsa('RSA-PSS', 256),
  PS384: rsa('RSA-PSS', 384),
  PS512: rsa('RSA-PSS', 512),
  ES256: ec('P-256'),
  ES384: ec('P-384'),
  ES512: ec('P-521'),
  EdDSA: { kty: 'OKP', crv: 'Ed25519', importParams: { name: 'Ed25519' } },
} as const satisfies Record<string, AlgorithmRow>;

/** Every algorithm that a token may name at all: no symmetric one, no `none`. */
export type JwsAlgorithm = keyof typeof rows;

/** Their names, those of the specification first. */
export const jwsAlgorithms = Object.keys(rows) as [JwsAlgorithm, ...JwsAlgorithm[]];

/** The list of the JWT-SVID specification, section 2.2, and the default for every kind of token. EdDSA is a choice. */
export const standardAlgorithms: readonly JwsAlgorithm[] = Object.freeze(
  jwsAlgorithms.filter((name) => name !== 'EdDSA'),
);

/** Whether a text names an algorithm of the table; names are case-sensitive (RFC 7515 section 4.1.1). */
export function isJwsAlgorithm(name: string): name is JwsAlgorithm {
  return Object.hasOwn(rows, name);
}

export function algorithmRow(algorithm: JwsAlgorithm): AlgorithmRow {
  return rows[algorithm];
}
