import { randomBytes } from 'node:crypto';
import type { JwtAuthorities } from '../identity/jwt-svid.ts';
import type { History } from '../state/model.ts';
import { type JwsAlgorithm, standardAlgorithms } from '../token/jws-algorithms.ts';
import type { TokenFault } from '../token/jws-fault.ts';
import type { KeySet } from '../token/key-set.ts';
import type { SigningIssuer } from '../token/key-source.ts';
import { TokenVerifier } from '../token/verifier.ts';
import type { DeclaredHeaderNames } from './declared.ts';
import type { Assurance } from './model.ts';
import type { ResourcesClaim } from './resources.ts';

/** The names of nested members that lead to a claim, outermost first. */
export type ClaimPath = readonly string[];

/** How far an issuer is believed, whatever its tokens say. */
export interface IssuerScope {
  /** Every workload of the chain lies in one of these. */
  readonly trustDomains: readonly string[];
  /** Purposes of the inventory that it may state, with all below them; null: every one. */
  readonly purposes: readonly string[] | null;
  /** From `iat` to `exp`. */
  readonly maxLifetimeSeconds: number;
  readonly maxAssurance: Assurance;
  /** `forwarded`: a token travels on unchanged; the caller is appended to its chain, and assurance is at most 1. */
  readonly propagation: 'exchanged' | 'forwarded';
  /** Where its tokens say what a task is about; null: they are not limited so. */
  readonly resources: ResourcesClaim | null;
  /** Accepts tokens that are bound to nobody, with assurance 1. */
  readonly unsafeBearer: boolean;
}

/** A Transaction Token Service. */
export interface TxnTokenIssuer extends IssuerScope, SigningIssuer {
  readonly kind: 'txn-token';
  /** The trust domain that its tokens name in `aud`. */
  readonly audience: string;
  /** null: the purpose is the only scope, which then is no scope. */
  readonly purposeClaim: ClaimPath | null;
  /** Accepts `azd` for `tctx`, and `purp` or `purpose` for `scope`, as drafts before 06 had it. */
  readonly legacyClaimNames: boolean;
}

/** An authorization server of access tokens by RFC 9068. They name the audience of the host that is called. */
export interface AccessTokenIssuer extends IssuerScope, SigningIssuer {
  readonly kind: 'access-token';
  readonly idClaim: ClaimPath;
  readonly purposeClaim: ClaimPath;
}

/** JWT-SVIDs with task claims, of the trust domains in the scope. They name the audience of the host that is called. */
export interface JwtSvidIssuer extends IssuerScope {
  readonly kind: 'jwt-svid';
  readonly authorities: JwtAuthorities;
  readonly idClaim: ClaimPath;
  readonly purposeClaim: ClaimPath;
}

export type TaskIssuer = TxnTokenIssuer | AccessTokenIssuer | JwtSvidIssuer;

/** Proofs by RFC 9449. */
export interface DpopOptions {
  readonly algorithms: readonly JwsAlgorithm[];
  /** How old a proof may be by its `iat`, leeway not counted. */
  readonly maxAgeSeconds: number;
  readonly nonce: {
    /** A proof without a nonce of ours is refused, and told one. */
    readonly required: boolean;
    /**
     * Keys of the nonces, of at least 32 random bytes each: the first makes them, all of them verify. With a store that
     * several sidecars share, they may share the keys too.
     */
    readonly secrets: () => readonly Uint8Array[];
    readonly lifetimeSeconds: number;
  };
}

/** Workload Identity Tokens and Workload Proof Tokens (WIMSE). */
export interface WimseOptions {
  /** The keys that sign WITs of one trust domain, or why there are none. `now` is in milliseconds. */
  readonly witKeys: (trustDomain: string, now: number) => KeySet | TokenFault;
  readonly algorithms: readonly JwsAlgorithm[];
  readonly maxWitLifetimeSeconds: number;
  /** How far ahead the `exp` of a proof may lie, leeway not counted. */
  readonly maxProofLifetimeSeconds: number;
}

/** What holds for tasks. */
export interface TaskRules {
  /** Where a task may be said in plain headers; null switches them off. */
  readonly headers: DeclaredHeaderNames | null;
  readonly issuers: readonly TaskIssuer[];
  readonly tokens: TokenVerifier;
  /** Issuers of identity tokens, whose tokens in `Authorization` say who and never why. */
  readonly identityIssuers: { has(issuer: string): boolean };
  /** Since when uses are remembered. */
  readonly history: () => History;
  /** Workloads in a chain, the caller included. */
  readonly maxDepth: number;
  readonly dpop: DpopOptions;
  /** null: no WIT is believed. */
  readonly wimse: WimseOptions | null;
  /** Challenges name the protected resource metadata of the host (RFC 9728 section 5.1), where its origin is configured. */
  readonly resourceMetadata: boolean;
}

/** What the config says about tasks. Whatever is left out believes nobody. */
export type TaskOptions = Pick<TaskRules, 'headers' | 'history'> & Partial<TaskRules>;

/** The rules with their defaults. The default secret of nonces is made at random: they then end with the process. */
export function taskRules(options: TaskOptions): TaskRules {
  const secrets = [randomBytes(32)];
  return {
    issuers: [],
    tokens: new TokenVerifier(),
    identityIssuers: new Set(),
    maxDepth: 4,
    dpop: {
      algorithms: standardAlgorithms,
      maxAgeSeconds: 60,
      nonce: { required: false, secrets: () => secrets, lifetimeSeconds: 300 },
    },
    wimse: null,
    resourceMetadata: false,
    ...options,
  };
}
