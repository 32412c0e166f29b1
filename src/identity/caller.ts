import type { Proven } from '../base/proven.ts';
import type { SpiffeId } from '../base/spiffe-id.ts';
import type { Workload } from '../inventory/model.ts';
import type { TokenFacts } from '../token/verified-token.ts';
import type { VerifiedSvid } from '../trust/x509-svid.ts';

export const credentials = ['x509-svid', 'jwt-svid', 'oidc', 'api-key', 'legacy-certificate', 'waypoint'] as const;
export type Credential = (typeof credentials)[number];

/** What a verified credential says, before it becomes a Caller. Times are seconds since the epoch. */
export interface CallerFacts {
  readonly workload: Workload;
  readonly credential: Credential;
  /**
   * base64url SHA-256 of the DER certificate (RFC 8705 `x5t#S256`), or of the token's canonical content. Null, as are the
   * times, where the word of Envoy or of a waypoint alone names the caller.
   */
  readonly thumbprint: string | null;
  /** Start of the credential's life. */
  readonly issuedAt: number | null;
  readonly expiresAt: number | null;
  /** The verified token that named the caller, beside its certificate or without one; null where none did. */
  readonly token: TokenFacts | null;
  /** The trusted proxy whose connection carried the request, or the waypoint that named the caller; null when the caller connected itself. */
  readonly proxy: SpiffeId | null;
  /** All trusted proxies that it came through, by their certificates: the nearest, which is `proxy`, first. */
  readonly proxies: readonly Pick<VerifiedSvid, 'id' | 'thumbprint' | 'notBefore'>[];
}

/**
 * A credential that was verified, whether or not it made a Caller: for the record of a refusal alone. Null where it does not
 * say: `id` and `credential` where only the proxy was verified, `id` where the inventory knows no such subject.
 */
export interface VerifiedCredential {
  readonly id: SpiffeId | null;
  readonly credential: Credential | null;
  /** As in `CallerFacts`. */
  readonly thumbprint: string | null;
  readonly proxy: SpiffeId | null;
}

/** Called with what was verified so far; a later call replaces what an earlier one said. */
export type OnVerified = (credential: VerifiedCredential) => void;

/**
 * The workload whose credential this request proved. Holding one is the proof: only identity/ makes it, after the
 * credential was verified and the inventory knew the workload (test/imports.test.ts pins who calls `provenCaller`).
 */
export type Caller = Proven<
  'caller',
  CallerFacts & {
    /** The caller proved possession of a private key in the handshake (X.509-SVID); a bearer credential proves none. */
    possession: boolean;
  }
>;

/** Only after verification: identity/identify.ts is the one caller. */
export const provenCaller = (facts: CallerFacts): Caller =>
  Object.freeze({ ...facts, possession: facts.credential === 'x509-svid' }) as Caller;
