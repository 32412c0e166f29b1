import { Refusal } from '../outcome.ts';
import type { BundleSnapshot } from './bundle.ts';
import { decodePemText } from './certificate-pem.ts';
import { VerifiedSvid, verifyX509Svid, type X509SvidOptions } from './x509-svid.ts';

const DEFAULT_LIMIT = 1024;

/** Certificates of one peer as Envoy wrote them, URL-encoded PEM. At least one of the two is there. */
export interface CertificateText {
  /** `source.certificate` or XFCC `Cert`: one certificate, the leaf. Null: the leaf is the first of the chain. */
  readonly certificate: string | null;
  /** XFCC `Chain`: path candidates, the leaf among them or not. */
  readonly chain: string | null;
}

export interface SvidVerifierOptions extends X509SvidOptions {
  /** How many verified certificates are remembered; default 1024. */
  readonly limit?: number;
}

/**
 * Verifies X.509-SVIDs and remembers those that it verified, by their exact text; what was refused is not remembered.
 * A remembered one is used again only while its whole path is valid, and while the bundle of its trust domain has the
 * revision that it was verified with and is not stale. So memory saves time and changes no answer.
 */
export class SvidVerifier {
  readonly #options: X509SvidOptions;
  /** Least recently used first. */
  readonly #memory = new Map<string, VerifiedSvid>();
  readonly limit: number;

  constructor(options: SvidVerifierOptions) {
    this.#options = options;
    this.limit = options.limit ?? DEFAULT_LIMIT;
  }

  get size(): number {
    return this.#memory.size;
  }

  /** The verified workload at `now` (milliseconds), or the refusal of the decoder or of `verifyX509Svid`. */
  verify(text: CertificateText, bundles: BundleSnapshot, now: number): VerifiedSvid | Refusal {
    const key = keyOf(text);
    const remembered = this.#memory.get(key);
    if (remembered !== undefined) {
      this.#memory.delete(key);
      if (stillHolds(remembered, bundles, now)) {
        this.#memory.set(key, remembered);
        return remembered;
      }
    }
    const verified = this.#verify(text, bundles, now);
    if (verified instanceof VerifiedSvid) this.#remember(key, verified);
    return verified;
  }

  #verify({ certificate, chain }: CertificateText, bundles: BundleSnapshot, now: number): VerifiedSvid | Refusal {
    const above = chain === null ? [] : decodePemText(chain);
    if (above instanceof Refusal) return above;
    const own = certificate === null ? above.slice(0, 1) : decodePemText(certificate);
    if (own instanceof Refusal) return own;
    const [leaf, ...more] = own;
    if (leaf === undefined) return new Refusal('identity_missing', 'no certificate');
    if (more.length > 0) return new Refusal('identity_svid_encoding', 'several certificates where one is the leaf');
    return verifyX509Svid({ leaf, intermediates: above }, bundles, now, this.#options);
  }

  #remember(key: string, svid: VerifiedSvid): void {
    if (this.#memory.size >= this.limit) {
      const [oldest] = this.#memory.keys();
      if (oldest !== undefined) this.#memory.delete(oldest);
    }
    this.#memory.set(key, svid);
  }
}

/** The length keeps two texts apart that would run into one another. */
function keyOf({ certificate, chain }: CertificateText): string {
  return `${certificate?.length ?? '-'} ${certificate ?? ''}${chain === null ? '' : ` ${chain}`}`;
}

function stillHolds(svid: VerifiedSvid, bundles: BundleSnapshot, now: number): boolean {
  const seconds = Math.floor(now / 1000);
  if (!(seconds >= svid.pathNotBefore && seconds <= svid.pathNotAfter)) return false;
  const bundle = bundles.bundleOf(svid.id.trustDomain, now);
  return !(bundle instanceof Refusal) && bundle.revision === svid.bundleRevision;
}
