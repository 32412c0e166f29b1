import { Refusal } from '../base/outcome.ts';
import type { Connection, Forwarded, XfccElement } from '../http/input.ts';
import type { BundleSnapshot } from '../trust/bundle.ts';
import type { CertificateText, SvidVerifier } from '../trust/svid-cache.ts';
import type { VerifiedSvid } from '../trust/x509-svid.ts';
import type { OnVerified } from './caller.ts';

/** What the config says about the way between the caller and this Envoy. */
export interface PeerRules {
  readonly verifier: SvidVerifier;
  /** SPIFFE IDs whose connections carry other workloads' requests, and whose XFCC is believed. */
  readonly trustedProxies: ReadonlySet<string>;
}

/**
 * Who connected, and through whom: `svid` is null when no certificate names a workload that may be a caller, `proxies` are
 * the trusted proxies, the nearest to this Envoy first.
 */
export interface PeerIdentity {
  readonly svid: VerifiedSvid | null;
  readonly proxies: readonly VerifiedSvid[];
}

/**
 * The X.509-SVID of the workload that this request is from. The peer's own certificate, verified again whatever Envoy
 * validated; or, when the verified peer is a trusted proxy, the XFCC element at the configured hop, where every element
 * right of it names a trusted proxy by its certificate. A proxy is transport: never a caller itself.
 */
export function presentedSvid(
  connection: Connection,
  rules: PeerRules,
  bundles: BundleSnapshot,
  now: number,
  onVerified: OnVerified,
): PeerIdentity | Refusal {
  const { principal } = connection.source;
  const shown = peerCertificate(connection);
  if (shown === null) return { svid: null, proxies: [] };
  const verify = (text: CertificateText) => rules.verifier.verify(text, bundles, now);
  const { forwarded } = connection;
  const peer = verify(shown);
  if (peer instanceof Refusal) return shown.chain === null ? withoutChain(peer, forwarded) : peer;
  if (!rules.trustedProxies.has(peer.id.text)) {
    onVerified({ id: peer.id, credential: 'x509-svid', thumbprint: peer.thumbprint, proxy: null });
  }
  if (principal !== '' && principal !== peer.id.text) {
    return new Refusal('identity_principal_mismatch', 'source.principal is not the id in source.certificate');
  }
  if (!rules.trustedProxies.has(peer.id.text)) return { svid: peer, proxies: [] };
  onVerified({ id: null, credential: null, thumbprint: null, proxy: peer.id });
  if (forwarded instanceof Refusal) return forwarded;
  const { element, nearer } = forwarded;
  return element === null ? { svid: null, proxies: [peer] } : behindProxies([element, ...nearer], peer, rules, verify);
}

/** What this Envoy shows of its own peer; null where that showed no certificate. */
export function peerCertificate({ source, forwarded }: Connection): CertificateText | null {
  if (source.certificate === '') return null;
  return { certificate: source.certificate, chain: nearest(forwarded)?.chain ?? null };
}

/**
 * Says of a peer whose leaf leads to no root how its intermediates come with it: `source.certificate` is the leaf alone,
 * and the chain that the peer showed is in the element that this Envoy writes about it.
 */
function withoutChain(refusal: Refusal, forwarded: Forwarded | Refusal): Refusal {
  if (refusal.reason !== 'identity_svid_issuer_unknown') return refusal;
  const unread = forwarded instanceof Refusal ? ` (the header could not be used: ${forwarded.detail})` : '';
  const cure = `set chain: true under Envoy's set_current_client_cert_details, and identity.forwarded.mode`;
  return new Refusal(
    refusal.reason,
    `${refusal.detail}; Envoy sent no chain${unread}: where an intermediate signs, ${cure}`,
  );
}

/** The element that this Envoy wrote about its own peer. */
const nearest = (forwarded: Forwarded | Refusal): XfccElement | null =>
  forwarded instanceof Refusal ? null : (forwarded.nearer.at(-1) ?? forwarded.element);

/** Walks from this Envoy towards the caller: each element must be about a trusted proxy before the next one is believed. */
function behindProxies(
  elements: readonly XfccElement[],
  peer: VerifiedSvid,
  rules: PeerRules,
  verify: (text: CertificateText) => VerifiedSvid | Refusal,
): PeerIdentity | Refusal {
  const proxies: VerifiedSvid[] = [];
  for (let at = elements.length - 1; at >= 0; at--) {
    const each = elements[at] as XfccElement;
    const svid = verifiedElement(each, verify);
    if (svid instanceof Refusal) return svid;
    if (at === elements.length - 1 && svid.thumbprint !== peer.thumbprint) {
      return new Refusal('identity_xfcc_mismatch', 'the last element is not about the peer of this Envoy');
    }
    const writer = proxies.at(-1);
    if (writer !== undefined && each.by.length > 0 && !each.by.includes(writer.id.text)) {
      return new Refusal('identity_xfcc_mismatch', `By is not ${writer.id.text}, whose element follows`);
    }
    const isProxy = rules.trustedProxies.has(svid.id.text);
    if (isProxy) proxies.push(svid);
    if (at === 0) return { svid: isProxy ? null : svid, proxies };
    if (!isProxy)
      return new Refusal('identity_proxy_untrusted', `${svid.id.text} stands between and is no trusted proxy`);
  }
  return { svid: null, proxies };
}

/** The certificate of an element. A bare URI is refused: Envoy writes it without quotes, whatever is in it. */
function verifiedElement(
  { cert, chain, hash, uri }: XfccElement,
  verify: (text: CertificateText) => VerifiedSvid | Refusal,
): VerifiedSvid | Refusal {
  if (cert === null && chain === null) {
    return new Refusal('identity_xfcc_without_certificate', 'an element without Cert and Chain makes no caller');
  }
  const svid = verify({ certificate: cert, chain });
  if (svid instanceof Refusal) return svid;
  if (hash !== null && hash.toLowerCase() !== Buffer.from(svid.thumbprint, 'base64url').toString('hex')) {
    return new Refusal('identity_xfcc_mismatch', 'Hash is not the hash of the certificate');
  }
  if (uri !== null && uri !== svid.id.text) {
    return new Refusal('identity_xfcc_mismatch', 'URI is not the id in the certificate');
  }
  return svid;
}
