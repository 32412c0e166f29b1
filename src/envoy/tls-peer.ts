import { Refusal } from '../base/outcome.ts';
import type { BundleSnapshot } from '../trust/bundle.ts';
import { type PresentedCertificates, type VerifiedSvid, verifyX509Svid } from '../trust/x509-svid.ts';

export interface CheckPeerRules {
  /** The SPIFFE IDs that may ask. */
  readonly peers: ReadonlySet<string>;
  readonly bundles: () => BundleSnapshot;
  readonly maxLifetimeSeconds: number;
}

/** Who is on the other end of a connection to the check port: an X.509-SVID of a listed SPIFFE ID. */
export class ProvenPeer {
  readonly #presented: PresentedCertificates;
  readonly #rules: CheckPeerRules;
  #svid: VerifiedSvid;

  private constructor(presented: PresentedCertificates, rules: CheckPeerRules, svid: VerifiedSvid) {
    this.#presented = presented;
    this.#rules = rules;
    this.#svid = svid;
  }

  /** The peer at `now` (milliseconds), or the refusal of `verifyX509Svid`, or `identity_proxy_untrusted`. */
  static prove(presented: PresentedCertificates, rules: CheckPeerRules, now: number): ProvenPeer | Refusal {
    const svid = verify(presented, rules, now);
    if (svid instanceof Refusal) return svid;
    if (rules.peers.has(svid.id.text)) return new ProvenPeer(presented, rules, svid);
    return new Refusal('identity_proxy_untrusted', `${svid.id.text} is not under listen.peers`);
  }

  /** When its path ends, in milliseconds. */
  get endsAt(): number {
    return this.#svid.pathNotAfter * 1000;
  }

  /**
   * Its SPIFFE ID. The connection may outlive the certificate or its root, so that both are looked at again for each check:
   * the whole path anew when the bundle has changed. What no longer holds is `internal`, since the caller is not to blame.
   */
  id(now: number): string | Refusal {
    const bundle = this.#rules.bundles().bundleOf(this.#svid.id.trustDomain, now);
    const unchanged = !(bundle instanceof Refusal) && bundle.revision === this.#svid.bundleRevision;
    if (unchanged && now <= this.endsAt) return this.#svid.id.text;
    const svid = verify(this.#presented, this.#rules, now);
    if (svid instanceof Refusal) {
      return new Refusal('internal', `${this.#svid.id.text} no longer proves itself: ${svid.reason}: ${svid.detail}`);
    }
    this.#svid = svid;
    return svid.id.text;
  }
}

function verify(
  presented: PresentedCertificates,
  { bundles, maxLifetimeSeconds }: CheckPeerRules,
  now: number,
): VerifiedSvid | Refusal {
  return verifyX509Svid(presented, bundles(), now, { maxLifetimeSeconds, usage: 'client' });
}
