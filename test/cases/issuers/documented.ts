/**
 * Tokens and key sets in the form that their issuers document. Times, `iss`, `sub` and `aud` are added; numbers of keys are
 * those of a key that the test makes. What only names a form (a thumbprint, a certificate) is filler.
 */
export interface DocumentedIssuer {
  readonly name: string;
  readonly issuer: string;
  readonly subject: string;
  readonly algorithm: 'RS256' | 'ES256';
  /** Header parameters beside `alg` and `kid`. */
  readonly header: Readonly<Record<string, unknown>>;
  /** Claims beside `iss`, `sub`, `aud`, `iat`, `exp`. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** `aud` as one text, as some issuers write it, or as an array. */
  readonly audience: 'text' | 'array';
  /** Members of the key that signs, beside `kty`, `kid` and its numbers. */
  readonly key: Readonly<Record<string, unknown>>;
  /** Other keys of the same set: none of them may spoil it. */
  readonly others: readonly Readonly<Record<string, unknown>>[];
  /** Members of the set beside `keys`. */
  readonly set?: Readonly<Record<string, unknown>>;
}

const THUMBPRINT = 'nzgVE1jDkpYzjz2wkFKTWtXyuLs';
const encryption = { kty: 'RSA', use: 'enc', alg: 'RSA-OAEP', kid: 'enc-1', n: 'AQAB', e: 'AQAB', x5t: THUMBPRINT };
const secp256k1 = { kty: 'EC', crv: 'secp256k1', kid: 'k1', alg: 'ES256K', use: 'sig', x: 'AA', y: 'AA' };
const postQuantum = { kty: 'AKP', alg: 'ML-DSA-44', kid: 'pq-1', use: 'sig', pub: 'AA' };
const agreement = { kty: 'OKP', crv: 'X25519', kid: 'x-1', use: 'enc', x: 'AA' };
const certificate = { x5t: THUMBPRINT, x5c: ['MIIBszCCAVmgAwIBAgIUQ0F='] };
const rsaSignature = { use: 'sig', alg: 'RS256' };

export const documentedIssuers: readonly DocumentedIssuer[] = [
  {
    name: 'Kubernetes, a projected token of a service account',
    issuer: 'https://kubernetes.default.svc.cluster.local',
    subject: 'system:serviceaccount:payments:ledger',
    algorithm: 'RS256',
    header: {},
    claims: {
      nbf: '<iat>',
      jti: 'e2a1b0c4-6a55-4b0e-9f5e-0f6a3c2d1e4b',
      'kubernetes.io': {
        namespace: 'payments',
        node: { name: 'node-1', uid: '5f0c1f6e' },
        pod: { name: 'ledger-0', uid: 'b1f2c7d0' },
        serviceaccount: { name: 'ledger', uid: '14ee3fa4' },
      },
    },
    audience: 'array',
    key: rsaSignature,
    others: [],
  },
  {
    name: 'GitHub Actions',
    issuer: 'https://token.actions.githubusercontent.com',
    subject: 'repo:octo-org/octo-repo:environment:prod',
    algorithm: 'RS256',
    header: { typ: 'JWT', x5t: THUMBPRINT },
    claims: {
      jti: 'example-id',
      nbf: '<iat>',
      ref: 'refs/heads/main',
      repository: 'octo-org/octo-repo',
      run_attempt: '2',
      repository_visibility: 'private',
      job_workflow_ref: 'octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main',
    },
    audience: 'text',
    key: { ...rsaSignature, ...certificate },
    others: [{ ...encryption, kid: 'old', use: 'sig', alg: 'RS256' }],
  },
  {
    name: 'Microsoft Entra ID, a workload identity',
    issuer: 'https://login.microsoftonline.com/9122040d-6c67-4c5b-b112-36a304b66dad/v2.0',
    subject: '7f3b2c1d-0000-4000-8000-000000000001',
    algorithm: 'RS256',
    header: { typ: 'JWT', x5t: THUMBPRINT },
    claims: {
      nbf: '<iat>',
      aio: 'E2RgYHg',
      azp: '7f3b2c1d',
      azpacr: '2',
      roles: [],
      uti: 'x',
      ver: '2.0',
      xms_idrel: '7 2',
    },
    audience: 'text',
    key: { use: 'sig', ...certificate, issuer: 'https://login.microsoftonline.com/{tenantid}/v2.0' },
    others: [],
  },
  {
    name: 'Google Cloud, the identity of a service account',
    issuer: 'https://accounts.google.com',
    subject: '113774264463038321964',
    algorithm: 'RS256',
    header: { typ: 'JWT' },
    claims: { azp: '113774264463038321964', email: 'ledger@shop.iam.gserviceaccount.com', email_verified: true },
    audience: 'text',
    key: rsaSignature,
    others: [],
  },
  {
    name: 'SPIRE, the JWKS of its OIDC discovery provider',
    issuer: 'https://oidc.prod.example',
    subject: 'spiffe://prod.example/ns/payments/sa/ledger',
    algorithm: 'ES256',
    header: { typ: 'JWT' },
    claims: { jti: '0b6d5a3e' },
    audience: 'array',
    key: { alg: 'ES256', use: 'sig' },
    others: [postQuantum],
  },
  {
    name: 'an issuer whose set holds keys of every other kind',
    issuer: 'https://sso.prod.example',
    subject: 'ledger',
    algorithm: 'ES256',
    header: { typ: 'JWT', cty: 'JWT', 'x-own': { a: 1 } },
    claims: { cnf: undefined, address: null, amr: ['pwd', 'mfa'], 'https://example.com/claim': { deep: [1.5, true] } },
    audience: 'array',
    key: { use: 'sig', key_ops: ['verify'], exp: 1893456000, nbf: 0, iat: 0 },
    others: [encryption, secp256k1, postQuantum, agreement, { kty: 'oct', kid: 'secret' }, {}, { kty: 7, kid: 7 }],
    set: { next_update: '2026-12-01', more: [] },
  },
];
