import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import type { PresentedCertificates } from './x509-svid.ts';

/** Above what path validation takes, so that it is the one to refuse. */
const MAX_CERTIFICATES = 32;

/**
 * The certificates that the peer of a finished handshake showed, or null when it showed none. That it holds the key of the
 * leaf is what the handshake proved; everything else is still to be verified.
 */
export function presentedBy(socket: TLSSocket): PresentedCertificates | null {
  const chain: Uint8Array[] = [];
  const seen = new Set<string>();
  // The type says that there always is one; a peer without a certificate gives an empty object or nothing.
  let next = socket.getPeerCertificate(true) as Partial<DetailedPeerCertificate> | null | undefined;
  while (next?.raw !== undefined && !seen.has(next.fingerprint256 ?? '') && chain.length < MAX_CERTIFICATES) {
    seen.add(next.fingerprint256 ?? '');
    chain.push(next.raw);
    next = next.issuerCertificate;
  }
  const [leaf, ...intermediates] = chain;
  return leaf === undefined ? null : { leaf, intermediates };
}
