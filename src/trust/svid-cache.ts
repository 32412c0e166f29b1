import { hash } from 'node:crypto';
import { BoundedMemory } from '../base/bounded-memory.ts';
import { Refusal } from '../base/outcome.ts';
import { TextDigests } from '../base/text-digests.ts';
import { decodePemText } from '../x509/certificate-pem.ts';
import type { BundleSnapshot } from './bundle.ts';
import { type VerifiedSvid, verifyX509Svid, type X509SvidOptions } from './x509-svid.ts';

const DEFAULT_LIMIT = 1024;
/** Most that one entry takes in memory besides the SPIFFE ID that the leaf names: measured, and rounded up. */
const ENTRY_BYTES = 1024;
/** What an entry may take on the average; a SPIFFE ID of 512 characters fits. */
const AVERAGE_BYTES = 2048;
/** Chains that are remembered of one leaf: a client can send another one with each connection. */
const CHAINS_OF_ONE_LEAF = 4;
/** What the texts of the last leaves may take, beside their digests. */
const DIGESTS_BYTES = 512 * 1024;

/** Certificates of one peer as Envoy wrote them, URL-encoded PEM. At least one of the two is there. */
export interface CertificateText {
  /** `source.certificate` or XFCC `Cert`: one certificate, the leaf. Null: the leaf is the first of the chain. */
  readonly certificate: string | null;
  /** XFCC `Chain`: path candidates, the leaf among them or not. */
  readonly chain: string | null;
}

export interface SvidVerifierOptions extends X509SvidOptions {
  /** How many verified certificates are remembered; default 1024. They take no more than 2 KiB each on the average. */
  readonly limit?: number;
}

/** How much is remembered, and how much may be. */
export interface CertificateLoad {
  readonly entries: number;
  readonly limit: number;
  readonly bytes: number;
  readonly byteLimit: number;
}

/**
 * Verifies X.509-SVIDs and remembers those that it verified, by the digest of their exact text; what was refused is not
 * remembered. A remembered one is used again only while its whole path is valid, and while the bundle of its trust domain
 * has the revision that it was verified with and is not stale. So memory saves time and changes no answer.
 *
 * Callers choose what is remembered, so it is bounded: in entries, in bytes, and in chains of one leaf. Of the certificates
 * themselves nothing is kept but the texts of the last leaves.
 */
export class SvidVerifier {
  readonly #options: X509SvidOptions;
  readonly #limit: number;
  readonly #memory: BoundedMemory<VerifiedSvid>;
  readonly #digests = new TextDigests(DIGESTS_BYTES);
  /** The keys of each leaf, the one that was remembered first in front. */
  readonly #byLeaf = new Map<string, readonly string[]>();

  constructor(options: SvidVerifierOptions) {
    this.#options = options;
    this.#limit = options.limit ?? DEFAULT_LIMIT;
    this.#memory = new BoundedMemory(this.#limit * AVERAGE_BYTES, this.#limit, (key, { thumbprint }) => {
      const others = this.#keysOf(thumbprint).filter((other) => other !== key);
      if (others.length === 0) this.#byLeaf.delete(thumbprint);
      else this.#byLeaf.set(thumbprint, others);
    });
  }

  get load(): CertificateLoad {
    const { size: entries, bytes, byteLimit } = this.#memory;
    return { entries, limit: this.#limit, bytes, byteLimit };
  }

  /** The verified workload at `now` (milliseconds), or the refusal of the decoder or of `verifyX509Svid`. */
  verify(text: CertificateText, bundles: BundleSnapshot, now: number): VerifiedSvid | Refusal {
    const key = this.#keyOf(text);
    const remembered = this.#memory.get(key);
    if (remembered !== undefined) {
      if (stillHolds(remembered, bundles, now)) return remembered;
      this.#memory.delete(key);
    }
    const verified = this.#verify(text, bundles, now);
    if (!(verified instanceof Refusal)) this.#remember(key, verified);
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
    const [first, ...others] = this.#keysOf(svid.thumbprint);
    if (first !== undefined && others.length + 1 === CHAINS_OF_ONE_LEAF) this.#memory.delete(first);
    if (this.#memory.set(key, svid, ENTRY_BYTES + 2 * svid.id.text.length))
      this.#byLeaf.set(svid.thumbprint, [...this.#keysOf(svid.thumbprint), key]);
  }

  /** A digest, since the text is the client's and long. The length keeps two texts apart that would run into one another. */
  #keyOf({ certificate, chain }: CertificateText): string {
    // By far the most have no chain.
    if (certificate !== null && chain === null) return this.#digests.of(certificate);
    return `chain ${hash('sha256', `${certificate?.length ?? '-'} ${certificate ?? ''} ${chain ?? ''}`, 'base64url')}`;
  }

  #keysOf(thumbprint: string): readonly string[] {
    return this.#byLeaf.get(thumbprint) ?? [];
  }
}

function stillHolds(svid: VerifiedSvid, bundles: BundleSnapshot, now: number): boolean {
  const seconds = Math.floor(now / 1000);
  if (!(seconds >= svid.pathNotBefore && seconds <= svid.pathNotAfter)) return false;
  const bundle = bundles.bundleOf(svid.id.trustDomain, now);
  return !(bundle instanceof Refusal) && bundle.revision === svid.bundleRevision;
}
