import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { attempt } from '../base/attempt.ts';
import { Fault } from '../base/fault.ts';
import { Refusal } from '../base/outcome.ts';
import { SpiffeId } from '../base/spiffe-id.ts';
import { Certificate } from '../x509/certificate.ts';
import { forms } from '../x509/names.ts';
import { splitDer } from './bundle-document.ts';
import type { X509SvidMessage } from './workload-api-messages.ts';
import { checkLeaf } from './x509-svid.ts';

/** The X.509-SVID of this process with its key: what a server or client of TLS shows. */
export interface OwnSvid {
  readonly id: SpiffeId;
  /** The leaf first, then the intermediates, as PEM. */
  readonly certificatesPem: string;
  readonly keyPem: string;
  /** Seconds since the epoch, both ends inclusive. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** base64url SHA-256 of the leaf's DER. */
  readonly thumbprint: string;
}

/**
 * The SVID to use of those in a message: the one with the id that is wanted, or the first, which is the default identity
 * (SPIFFE Workload API section 5.4). Null when the workload is not entitled to it. The leaf must be a workload's, carry
 * exactly this id, and belong to the key; whether others trust it is theirs to say.
 */
export function readOwnSvid({ svids }: X509SvidMessage, wanted: SpiffeId | null): OwnSvid | Fault | null {
  if (svids.length === 0) return new Fault('the message holds no SVID');
  const chosen = wanted === null ? svids[0] : svids.find(({ spiffe_id }) => spiffe_id === wanted.text);
  if (chosen === undefined) return null;
  const id = SpiffeId.parse(chosen.spiffe_id);
  if (id instanceof Refusal) return new Fault(id.detail);
  const blocks = splitDer(chosen.x509_svid);
  if (blocks instanceof Fault) return blocks;
  const [der] = blocks;
  if (der === undefined) return new Fault('the SVID holds no certificate');
  const leaf = Certificate.parse(der);
  if (leaf instanceof Refusal) return new Fault(leaf.detail);
  const wrong = checkLeaf(leaf, true);
  if (wrong !== null) return new Fault(wrong.detail);
  const uris = leaf.extensions.names.filter(({ form }) => form === forms.uri).map(({ text }) => text);
  if (uris.length !== 1 || uris[0] !== id.text) return new Fault('the certificate is not about the id beside it');
  const pkcs8 = Buffer.from(chosen.x509_svid_key);
  const key = attempt(() => createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }));
  if (key === null) return new Fault('the private key cannot be read');
  if (!leaf.key?.equals(createPublicKey(key))) return new Fault('the private key is not that of the certificate');
  const { notBefore, notAfter, thumbprint } = leaf;
  const certificatesPem = blocks.map((block) => new X509Certificate(block).toString()).join('');
  const keyPem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { id, certificatesPem, keyPem, notBefore, notAfter, thumbprint };
}
