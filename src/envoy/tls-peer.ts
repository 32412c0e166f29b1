import { Refusal } from '../base/outcome.ts';
import type { SpiffeId } from '../base/spiffe-id.ts';
import type { CheckPeer } from '../http/input.ts';
import type { BundleSnapshot } from '../trust/bundle.ts';
import { type PresentedCertificates, type VerifiedSvid, verifyX509Svid } from '../trust/x509-svid.ts';
import type { Peers } from './peers.ts';

export interface CheckPeerRules {
  /** Who may ask now. */
  readonly peers: () => Peers;
  readonly bundles: () => BundleSnapshot;
  readonly maxLifetimeSeconds: number;
}

/** Who is on the other end of a connection to the check port: an X.509-SVID of one of the peers. */
export class ProvenPeer {
  readonly #presented: PresentedCertificates;
  readonly #rules: CheckPeerRules;
  #svid: VerifiedSvid;
  #peers: Peers;
  #bound: CheckPeer | null;

  private constructor(presented: PresentedCertificates, rules: CheckPeerRules, svid: VerifiedSvid) {
    this.#presented = presented;
    this.#rules = rules;
    this.#svid = svid;
    this.#peers = rules.peers();
    this.#bound = this.#peers.bind(svid);
  }

  /** The peer at `now` (milliseconds), or the refusal of `verifyX509Svid`, or `identity_proxy_untrusted`. */
  static prove(presented: PresentedCertificates, rules: CheckPeerRules, now: number): ProvenPeer | Refusal {
    const svid = verify(presented, rules, now);
    if (svid instanceof Refusal) return svid;
    const peer = new ProvenPeer(presented, rules, svid);
    return peer.#bound === null ? stranger(svid.id) : peer;
  }

  /** When its path ends, in milliseconds. */
  get endsAt(): number {
    return this.#svid.pathNotAfter * 1000;
  }

  /**
   * Who it is, and what it may ask about, for one check at `now`. The connection may outlive the certificate, its root and
   * its place among the peers, so that all three are looked at again: the whole path anew when the bundle has changed. What
   * no longer proves itself is `internal`, since the caller is not to blame; what is no peer any more is
   * `identity_proxy_untrusted`.
   */
  at(now: number): CheckPeer | Refusal {
    const fault = this.#proveAgain(now);
    if (fault !== null) return fault;
    const peers = this.#rules.peers();
    if (peers !== this.#peers) [this.#peers, this.#bound] = [peers, peers.bind(this.#svid)];
    return this.#bound ?? stranger(this.#svid.id);
  }

  #proveAgain(now: number): Refusal | null {
    const bundle = this.#rules.bundles().bundleOf(this.#svid.id.trustDomain, now);
    const unchanged = !(bundle instanceof Refusal) && bundle.revision === this.#svid.bundleRevision;
    if (unchanged && now <= this.endsAt) return null;
    const svid = verify(this.#presented, this.#rules, now);
    if (svid instanceof Refusal) {
      return new Refusal('internal', `${this.#svid.id.text} no longer proves itself: ${svid.reason}: ${svid.detail}`);
    }
    this.#svid = svid;
    return null;
  }
}

function verify(
  presented: PresentedCertificates,
  { bundles, maxLifetimeSeconds }: CheckPeerRules,
  now: number,
): VerifiedSvid | Refusal {
  return verifyX509Svid(presented, bundles(), now, { maxLifetimeSeconds, usage: 'client' });
}

const stranger = (id: SpiffeId): Refusal =>
  new Refusal('identity_proxy_untrusted', `${id.text} is not under listen.peers, nor in its file`);
