import { hash } from 'node:crypto';
import { Refusal } from '../base/outcome.ts';
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
 * Callers choose what is remembered, so it is bounded: in entries, in bytes, and in chains of one leaf. Nothing of the
 * certificates themselves is kept.
 */
export class SvidVerifier {
  readonly #options: X509SvidOptions;
  readonly #limit: number;
  /** Least recently used first. */
  readonly #memory = new Map<string, VerifiedSvid>();
  /** The keys of each leaf, the one that was remembered first in front. */
  readonly #byLeaf = new Map<string, readonly string[]>();
  #bytes = 0;

  constructor(options: SvidVerifierOptions) {
    this.#options = options;
    this.#limit = options.limit ?? DEFAULT_LIMIT;
  }

  get load(): CertificateLoad {
    const [limit, byteLimit] = [this.#limit, this.#limit * AVERAGE_BYTES];
    return { entries: this.#memory.size, limit, bytes: this.#bytes, byteLimit };
  }

  /** The verified workload at `now` (milliseconds), or the refusal of the decoder or of `verifyX509Svid`. */
  verify(text: CertificateText, bundles: BundleSnapshot, now: number): VerifiedSvid | Refusal {
    const key = keyOf(text);
    const remembered = this.#memory.get(key);
    if (remembered !== undefined) {
      if (stillHolds(remembered, bundles, now)) {
        this.#memory.delete(key);
        this.#memory.set(key, remembered);
        return remembered;
      }
      this.#forget(key, remembered);
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
    if (this.#limit === 0) return;
    const keys = this.#byLeaf.get(svid.thumbprint) ?? [];
    const [first] = keys;
    if (first !== undefined && keys.length === CHAINS_OF_ONE_LEAF) this.#forget(first, svid);
    this.#memory.set(key, svid);
    this.#byLeaf.set(svid.thumbprint, [...(this.#byLeaf.get(svid.thumbprint) ?? []), key]);
    this.#bytes += bytesOf(svid);
    const { byteLimit } = this.load;
    for (const [oldest, its] of this.#memory) {
      if (this.#memory.size <= this.#limit && this.#bytes <= byteLimit) return;
      this.#forget(oldest, its);
    }
  }

  #forget(key: string, { thumbprint }: VerifiedSvid): void {
    const svid = this.#memory.get(key);
    if (svid === undefined) return;
    this.#memory.delete(key);
    this.#bytes -= bytesOf(svid);
    const others = this.#byLeaf.get(thumbprint)?.filter((other) => other !== key) ?? [];
    if (others.length === 0) this.#byLeaf.delete(thumbprint);
    else this.#byLeaf.set(thumbprint, others);
  }
}

/** A digest, since the text is the client's and long. The length keeps two texts apart that would run into one another. */
function keyOf({ certificate, chain }: CertificateText): string {
  const text = `${certificate?.length ?? '-'} ${certificate ?? ''}${chain === null ? '' : ` ${chain}`}`;
  return hash('sha256', text, 'base64url');
}

const bytesOf = ({ id }: VerifiedSvid): number => ENTRY_BYTES + 2 * id.text.length;

function stillHolds(svid: VerifiedSvid, bundles: BundleSnapshot, now: number): boolean {
  const seconds = Math.floor(now / 1000);
  if (!(seconds >= svid.pathNotBefore && seconds <= svid.pathNotAfter)) return false;
  const bundle = bundles.bundleOf(svid.id.trustDomain, now);
  return !(bundle instanceof Refusal) && bundle.revision === svid.bundleRevision;
}
