import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jwk, jwtSvid, life, type Mutation, makeKey, mint, type SigningKey, wit, wpt } from './tokens.ts';

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

  txnToken({ workload, id = 't-42', purpose = 'reconcile-invoices', mutation, now, ...shape }: TaskShape): string {
    const { scope = 'invoices', subject: sub = 'user:4711' } = shape;
    const claims = { iss: TTS, aud: this.trustDomain, txn: id, sub, scope, req_wl: workload, tctx: { purpose } };
    return mint(this.keys.tts, { typ: 'txntoken+jwt' }, { ...claims, ...life(now) }, mutation);
  }

  /** An access token (RFC 9068). `audience` is that of the host in the inventory. */
  accessToken(aud: string, { workload, subject: sub = 'user:4711', now, ...shape }: TaskShape): string {
    const claims = { iss: AS, sub, aud, client_id: workload, jti: randomUUID(), ...life(now) };
    return mint(this.keys.as, { typ: 'at+jwt' }, claims, withTask(shape));
  }

  /** A JWT-SVID of the workload with the task in it. */
  jwtSvid(audience: string, { workload, now, ...shape }: TaskShape): string {
    return jwtSvid(
      { key: this.keys.domain, ...(now !== undefined && { now }), sub: workload, aud: audience },
      withTask(shape),
    );
  }

  /** A WIT for the workload, and a WPT of its `key` over it and the tokens beside it. */
  workloadProof(
    frame: Omit<Parameters<typeof wpt>[0], 'wit'> & { workload: string },
    mutation: Mutation = {},
    ofIdentity: Mutation = {},
  ): { readonly 'workload-identity-token': string; readonly 'workload-proof-token': string } {
    const identity = wit({ ...frame, key: this.keys.wit, sub: frame.workload, holder: frame.key }, ofIdentity);
    return {
      'workload-identity-token': identity,
      'workload-proof-token': wpt({ ...frame, wit: identity }, mutation),
    };
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
