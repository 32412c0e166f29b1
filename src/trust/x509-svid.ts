import { Refusal } from '../base/outcome.ts';
import type { Proven } from '../base/proven.ts';
import { SpiffeId } from '../base/spiffe-id.ts';
import { Certificate } from '../x509/certificate.ts';
import { keyUsages } from '../x509/certificate-extensions.ts';
import { sameBytes } from '../x509/der.ts';
import { forms } from '../x509/names.ts';
import { type Path, refuse, type Usage, validatePath } from '../x509/path.ts';
import type { BundleSnapshot } from './bundle.ts';

/** Intermediates that a request may bring; configured ones do not count. */
const MAX_PRESENTED = 16;

/** Certificates as they came with a request, DER. */
export interface PresentedCertificates {
  readonly leaf: Uint8Array;
  /** In any order; what cannot be read or is not needed is passed over. */
  readonly intermediates: readonly Uint8Array[];
}

export interface X509SvidOptions {
  /** The longest time from notBefore to notAfter that is accepted, in seconds. */
  readonly maxLifetimeSeconds: number;
  /** Demand the key usage extension, and that it is critical (X509-SVID section 4.3); default true. */
  readonly requireKeyUsage?: boolean;
  /** What the certificate was used for; default `client`. */
  readonly usage?: Usage;
  /** Intermediates from the configuration: candidates for every path. */
  readonly intermediates?: readonly Certificate[];
}

/**
 * An X.509-SVID that was verified: its form, its leaf rules, and a path to a root of its own trust domain, all at one
 * moment. Holding one is the proof; only `verifyX509Svid` makes it. That the peer holds the private key is what Envoy
 * saw in the handshake. The certificates themselves are not kept, so that many can be remembered.
 */
export type VerifiedSvid = Proven<
  'x509-svid',
  {
    id: SpiffeId;
    /** base64url SHA-256 of the leaf's DER. */
    thumbprint: string;
    /** The leaf's validity, seconds since the epoch, both ends inclusive. */
    notBefore: number;
    notAfter: number;
    /** When the whole path is valid, in seconds: never longer than the leaf. */
    pathNotBefore: number;
    pathNotAfter: number;
    /** The revision of the bundle that the path ends in. */
    bundleRevision: string;
  }
>;

function proven(id: SpiffeId, path: Path, bundleRevision: string): VerifiedSvid {
  const [{ thumbprint, notBefore, notAfter }] = path;
  const pathNotBefore = Math.max(...path.map((certificate) => certificate.notBefore));
  const pathNotAfter = Math.min(...path.map((certificate) => certificate.notAfter));
  const proven = { id, thumbprint, notBefore, notAfter, pathNotBefore, pathNotAfter, bundleRevision };
  return Object.freeze(proven) as VerifiedSvid;
}

/**
 * The workload that a client certificate names, proven at `now` (milliseconds): X509-SVID sections 4 and 5. In the
 * order of section 5: the leaf's form and its own rules, the bundle of its trust domain, the path to a root of it.
 * Refuses with `identity_svid_*`, `identity_spiffe_id_malformed`, `identity_trust_domain_unknown`, `identity_bundle_*`.
 */
export function verifyX509Svid(
  presented: PresentedCertificates,
  bundles: BundleSnapshot,
  now: number,
  options: X509SvidOptions,
): VerifiedSvid | Refusal {
  const leaf = Certificate.parse(presented.leaf);
  if (leaf instanceof Refusal) return leaf;
  const id = workloadId(leaf);
  if (id instanceof Refusal) return id;
  const fault = checkLeaf(leaf, options.requireKeyUsage ?? true);
  if (fault !== null) return fault;
  const lifetime = leaf.notAfter - leaf.notBefore;
  const most = options.maxLifetimeSeconds;
  if (lifetime > most)
    return refuse('lifetime', `valid for ${lifetime} s, longer than the ${most} s of identity.maxLifetime.x509`);

  const bundle = bundles.bundleOf(id.trustDomain, now);
  if (bundle instanceof Refusal) return bundle;
  if (bundle.x509Authorities.length === 0) return new Refusal('identity_bundle_empty', id.trustDomain);
  if (presented.intermediates.length > MAX_PRESENTED)
    return refuse('path_budget', `more than ${MAX_PRESENTED} intermediates`);
  // A chain as Envoy writes it begins with the leaf, which issues nothing.
  const above = presented.intermediates.filter((der) => !sameBytes(der, presented.leaf));
  const read = above.map((der) => Certificate.parse(der));
  const candidates = [...(options.intermediates ?? []), ...read.filter((one) => one instanceof Certificate)];
  const path = validatePath(leaf, candidates, bundle.x509Authorities, now, { usage: options.usage ?? 'client' });
  if (path instanceof Refusal) return withUnread(path, read);
  return proven(id, path, bundle.revision);
}

/** Says of a path that was not found what might have belonged to it, had it been readable. */
function withUnread(refusal: Refusal, read: readonly (Certificate | Refusal)[]): Refusal {
  const unread = read.filter((one) => one instanceof Refusal).map(({ detail }) => detail);
  if (unread.length === 0) return refusal;
  return new Refusal(refusal.reason, `${refusal.detail}; passed over as unreadable: ${unread.join('; ')}`);
}

/** The one URI name of a leaf, a SPIFFE ID with a path (X509-SVID sections 2 and 5.2). Other forms of name may be there. */
function workloadId(leaf: Certificate): SpiffeId | Refusal {
  const [uri, ...more] = leaf.extensions.names.filter((name) => name.form === forms.uri);
  if (uri === undefined) return refuse('uri_count', 'no URI name');
  if (more.length > 0) return refuse('uri_count', `${more.length + 1} URI names`);
  const id = SpiffeId.parse(uri.text);
  if (id instanceof SpiffeId && id.path === '') return refuse('without_path', id.text);
  return id;
}

/** Null when the certificate is a workload's, not an authority's (X509-SVID sections 4.1, 4.3 and 5.2). */
export function checkLeaf({ extensions }: Certificate, requireKeyUsage: boolean): Refusal | null {
  const { basicConstraints, keyUsage } = extensions;
  if (basicConstraints?.ca) return refuse('ca', 'the CA flag is set');
  if (keyUsage === null) return requireKeyUsage ? refuse('key_usage', 'there is no key usage') : null;
  if (keyUsage.bits.has(keyUsages.keyCertSign)) return refuse('key_usage', 'it may sign certificates');
  if (keyUsage.bits.has(keyUsages.cRLSign)) return refuse('key_usage', 'it may sign revocation lists');
  if (!keyUsage.bits.has(keyUsages.digitalSignature)) return refuse('key_usage', 'it may not sign');
  if (requireKeyUsage && !keyUsage.critical) return refuse('key_usage', 'the key usage is not critical');
  return null;
}
