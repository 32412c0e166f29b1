import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  accessToken,
  dpopProof,
  jwk,
  jwtSvid,
  type Mutation,
  makeKey,
  type SigningKey,
  txnToken,
  wit,
  wpt,
} from './tokens.ts';

export const TTS = 'https://tts.prod.example';
export const AS = 'https://as.prod.example';

/** What a task token says. SPIFFE IDs throughout; what is left out is left out of the token. */
export interface TaskShape {
  /** The workload that it is issued to. */
  readonly workload: string;
  readonly id?: string;
  readonly purpose?: string;
  readonly scope?: string;
  readonly subject?: string;
  readonly mutation?: Mutation;
  /** Milliseconds since the epoch. */
  readonly now?: number;
}

/** Of the Transaction Token Service, of the authorization server, and of the trust domain: its JWT-SVIDs and its WITs. */
type IssuerKeys = Readonly<Record<'tts' | 'as' | 'domain' | 'wit', SigningKey>>;

/** Who makes a proof, for which request. */
type Holding = { readonly holder: SigningKey; readonly uri: string; readonly now?: number };

/** One change to the settings of every issuer, such as `unsafeBearer` or `propagation`. */
export type IssuerSettings = Readonly<Record<string, unknown>>;

/**
 * A small token service for tests and the demo: mints every kind of task token and proof, each with single mutations, and
 * writes the key files and the `task` section that a sidecar in the same folder needs to believe it.
 */
export class TaskIssuer {
  readonly trustDomain: string;
  readonly keys: IssuerKeys;

  constructor(
    trustDomain: string,
    keys: IssuerKeys = { tts: makeKey(), as: makeKey(), domain: makeKey(), wit: makeKey() },
  ) {
    this.trustDomain = trustDomain;
    this.keys = keys;
  }

  /** Writes the JWK Sets into the folder of the configuration, and returns its `task` section. */
  configure(dir: string, settings: IssuerSettings = {}): Record<string, unknown> {
    for (const name of ['tts', 'as'] as const)
      writeFileSync(join(dir, `${name}.json`), JSON.stringify({ keys: [jwk(this.keys[name])] }));
    const scope = { trustDomains: [this.trustDomain], purposes: ['finance', 'reconcile-invoices'], ...settings };
    const claims = { idClaim: '/task/id', purposeClaim: '/task/purpose' };
    return {
      issuers: [
        {
          kind: 'txn-token',
          issuer: TTS,
          audience: this.trustDomain,
          jwks: { file: './tts.json' },
          purposeClaim: '/tctx/purpose',
          ...scope,
        },
        { kind: 'access-token', issuer: AS, jwks: { file: './as.json' }, ...claims, ...scope },
        { kind: 'jwt-svid', ...claims, ...scope },
      ],
      wimse: {},
    };
  }

  /** The keys that the trust domain's bundle document must hold besides its X.509 authorities. */
  bundleKeys(): readonly Readonly<Record<string, unknown>>[] {
    return [jwk(this.keys.domain, { use: 'jwt-svid' }), jwk(this.keys.wit, { use: 'wit-svid' })];
  }

  txnToken(shape: TaskShape): string {
    const { workload, id = 't-42', scope = 'invoices', subject = 'user:4711', now = Date.now() } = shape;
    const { purpose = 'reconcile-invoices', mutation = {} } = shape;
    return txnToken(
      { key: this.keys.tts, now, iss: TTS, aud: this.trustDomain, txn: id, sub: subject, scope, workload },
      { ...mutation, claims: { tctx: { purpose }, ...mutation.claims } },
    );
  }

  /** `audience` is that of the host in the inventory. */
  accessToken(audience: string, { workload, subject = 'user:4711', now = Date.now(), ...shape }: TaskShape): string {
    return accessToken(
      { key: this.keys.as, now, iss: AS, sub: subject, aud: audience, client: workload },
      withTask(shape),
    );
  }

  /** A JWT-SVID of the workload with the task in it. */
  jwtSvid(audience: string, { workload, now = Date.now(), ...shape }: TaskShape): string {
    return jwtSvid({ key: this.keys.domain, now, sub: workload, aud: audience }, withTask(shape));
  }

  /** A WIT for the workload, and a WPT of the holder's key over it and the tokens beside it. */
  workloadProof(
    frame: Holding & { workload: string; accessToken?: string; txnToken?: string },
    mutation: Mutation = {},
    ofIdentity: Mutation = {},
  ): { readonly 'workload-identity-token': string; readonly 'workload-proof-token': string } {
    const { workload, holder, now = Date.now(), ...over } = frame;
    const identity = wit({ key: this.keys.wit, now, sub: workload, holder }, ofIdentity);
    const proof = wpt({ ...over, key: holder, now, wit: identity }, mutation);
    return { 'workload-identity-token': identity, 'workload-proof-token': proof };
  }

  /** A DPoP proof of the holder's key over a token. */
  dpopProof(
    { holder, now = Date.now(), token, ...frame }: Holding & { method: string; token: string },
    mutation: Mutation = {},
  ): string {
    return dpopProof({ ...frame, key: holder, now, accessToken: token }, mutation);
  }
}

/** The `act` claim of a chain: originator first, the one that acts now last. */
export function actClaim(chain: readonly string[]): Record<string, unknown> | undefined {
  return chain.reduce<Record<string, unknown> | undefined>(
    (act, sub) => (act === undefined ? { sub } : { sub, act }),
    undefined,
  );
}

function withTask({
  id = 't-42',
  purpose = 'reconcile-invoices',
  scope,
  mutation = {},
}: Omit<TaskShape, 'workload'>): Mutation {
  return { ...mutation, claims: { task: { id, purpose }, scope, ...mutation.claims } };
}
