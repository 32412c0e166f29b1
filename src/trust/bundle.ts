import { createHash } from 'node:crypto';
import { canonicalJson } from '../base/json.ts';
import { Refusal } from '../base/outcome.ts';
import type { ExactNumber, JsonObject } from '../base/strict-json.ts';
import type { Certificate } from '../x509/certificate.ts';

/** A key of a trust domain that signs tokens: a JWK with `use` `jwt-svid` or `wit-svid` and no private member. */
export interface JwtAuthority {
  readonly kid: string;
  readonly jwk: JsonObject<ExactNumber>;
}

/** What a bundle document says. Made by the parsers of bundle-document.ts. */
export interface BundleContent {
  readonly x509Authorities: readonly Certificate[];
  readonly jwtAuthorities: readonly JwtAuthority[];
  /** Keys that sign Workload Identity Tokens (WIT-SVID): kept apart, since one kind of authority is never another. */
  readonly witAuthorities: readonly JwtAuthority[];
  /** What each root or key that cannot be used suffers from. */
  readonly unreadable: readonly string[];
  /** `spiffe_sequence`; null where the document states none. */
  readonly sequence: bigint | null;
  /** When to read the source again, in seconds, between 30 s and an hour. */
  readonly refreshSeconds: number;
}

/**
 * What is trusted to sign for one trust domain, and for no other: X.509 roots and JWT keys, kept apart (SPIFFE Trust
 * Domain and Bundle, section 4). Frozen. No roots means that the trust domain revoked them all.
 */
export class TrustBundle implements BundleContent {
  readonly trustDomain: string;
  readonly x509Authorities: readonly Certificate[];
  readonly jwtAuthorities: readonly JwtAuthority[];
  readonly witAuthorities: readonly JwtAuthority[];
  readonly unreadable: readonly string[];
  readonly sequence: bigint | null;
  readonly refreshSeconds: number;
  /** SHA-256 (hex) of the trust domain, the roots and the keys: bundles with one revision trust the same. */
  readonly revision: string;

  constructor(trustDomain: string, content: BundleContent) {
    this.trustDomain = trustDomain;
    this.x509Authorities = Object.freeze([...content.x509Authorities]);
    this.jwtAuthorities = Object.freeze([...content.jwtAuthorities]);
    this.witAuthorities = Object.freeze([...content.witAuthorities]);
    this.unreadable = Object.freeze([...content.unreadable]);
    this.sequence = content.sequence;
    this.refreshSeconds = content.refreshSeconds;
    this.revision = revisionOf(trustDomain, content);
    Object.freeze(this);
  }
}

function revisionOf(trustDomain: string, { x509Authorities, jwtAuthorities, witAuthorities }: BundleContent): string {
  const roots = x509Authorities.map((root) => root.thumbprint);
  const texts = (authorities: readonly JwtAuthority[]) => authorities.map(({ kid, jwk }) => [kid, canonicalJson(jwk)]);
  return createHash('sha256')
    .update(JSON.stringify([trustDomain, roots, texts(jwtAuthorities), texts(witAuthorities)]))
    .digest('hex');
}

/** How one trust domain is configured. */
export interface TrustDomainOptions {
  readonly name: string;
  /** Ours, not a federated one: the inventory calls every workload of the others external. */
  readonly local: boolean;
  /** Milliseconds since the last successful read or message, beyond which the bundle is no longer believed. */
  readonly maxStaleMs: number;
}

/** What is known of one trust domain at one moment. */
export interface TrustDomainState extends TrustDomainOptions {
  /** Null while no bundle was read, or after it was withdrawn. */
  readonly bundle: TrustBundle | null;
  /** Milliseconds: the last successful read or message; null while there was none. */
  readonly freshAt: number | null;
}

/**
 * All trust domains at one moment: frozen, swapped whole, each domain's bundle by itself and never pooled, since a
 * pooled root could sign in the name of any domain. A check takes one snapshot and reads nothing else.
 */
export class BundleSnapshot {
  readonly #domains: ReadonlyMap<string, TrustDomainState>;

  constructor(domains: Iterable<TrustDomainState>) {
    this.#domains = new Map([...domains].map((state) => [state.name, Object.freeze({ ...state })]));
    Object.freeze(this);
  }

  /**
   * The bundle of a trust domain, believed at `now` (milliseconds). Refuses with `identity_trust_domain_unknown`,
   * `identity_bundle_absent`, or `identity_bundle_stale`.
   */
  bundleOf(trustDomain: string, now: number): TrustBundle | Refusal {
    const state = this.#domains.get(trustDomain);
    if (state === undefined) return new Refusal('identity_trust_domain_unknown', trustDomain);
    if (state.bundle === null || state.freshAt === null) return new Refusal('identity_bundle_absent', trustDomain);
    const age = now - state.freshAt;
    if (!(age <= state.maxStaleMs)) return new Refusal('identity_bundle_stale', `${trustDomain}, ${age} ms old`);
    return state.bundle;
  }

  /** Every configured trust domain, in the order of the configuration. */
  get domains(): readonly TrustDomainState[] {
    return [...this.#domains.values()];
  }
}
