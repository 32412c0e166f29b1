import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { Fault, messageOf } from '../base/fault.ts';
import { Refusal } from '../base/outcome.ts';
import { SpiffeId } from '../base/spiffe-id.ts';
import { Certificate } from '../x509/certificate.ts';
import { extendedKeyUsages } from '../x509/certificate-extensions.ts';
import { readPem } from '../x509/certificate-pem.ts';
import { forms } from '../x509/names.ts';
import { splitDer } from './bundle-document.ts';
import type { X509SvidMessage } from './workload-api-messages.ts';
import { checkLeaf } from './x509-svid.ts';

/** The certificate of this process with its key: what a server or client of TLS shows. */
export interface OwnSvid {
  /** Null where it comes from a file and is no SVID: clients then know it by another name, such as its DNS name. */
  readonly id: SpiffeId | null;
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
  const key = importKey(() => ({ key: Buffer.from(chosen.x509_svid_key), format: 'der', type: 'pkcs8' }));
  if (key instanceof Fault) return key;
  const svid = shown(blocks, key, true);
  if (svid instanceof Fault || svid.id?.text === id.text) return svid;
  return new Fault('the certificate is not about the id beside it');
}

/**
 * The certificate of a server in two PEM files (RFC 7468): the leaf first, then what leads to its authority, and its key in
 * any of the forms that tools write (PKCS #8, PKCS #1, SEC 1). It need not be an SVID. At `nowMs` it must be valid.
 */
export function readOwnFiles(certificates: string, keyText: string, nowMs: number): OwnSvid | Fault {
  const blocks = readPem(certificates, true);
  if (blocks instanceof Fault) return new Fault(`the certificate file: ${blocks.detail}`);
  const key = importKey(() => keyText);
  if (key instanceof Fault) return key;
  const svid = shown(blocks, key, false);
  if (svid instanceof Fault) return svid;
  const { notBefore, notAfter } = svid;
  if (nowMs / 1000 > notAfter) return new Fault(`the certificate has expired, on ${dateOf(notAfter)}`);
  if (nowMs / 1000 < notBefore) return new Fault(`the certificate is not valid before ${dateOf(notBefore)}`);
  return svid;
}

/** What a server of TLS can show: `strict` asks of the leaf what X509-SVID section 4.3 does. */
function shown(blocks: readonly Uint8Array[], key: KeyObject, strict: boolean): OwnSvid | Fault {
  const [der] = blocks;
  if (der === undefined) return new Fault('there is no certificate');
  const leaf = Certificate.parse(der);
  if (leaf instanceof Refusal) return new Fault(`the certificate: ${leaf.detail}`);
  const wrong = checkLeaf(leaf, strict);
  if (wrong !== null) return new Fault(`the certificate is not one of a workload: ${wrong.detail}`);
  const { extendedKeyUsage, names } = leaf.extensions;
  if (
    extendedKeyUsage !== null &&
    ![extendedKeyUsages.server, extendedKeyUsages.any].some((use) => extendedKeyUsage.has(use))
  )
    return new Fault('the certificate is not for a server: its extended key usage lacks serverAuth');
  if (!leaf.key?.equals(createPublicKey(key))) return new Fault('the private key is not that of the certificate');
  const { notBefore, notAfter, thumbprint } = leaf;
  const pair = pemOf(blocks, key);
  if (pair instanceof Fault) return pair;
  const uris = names.filter(({ form }) => form === forms.uri);
  const id = uris.length === 1 ? SpiffeId.parse(uris[0]!.text) : null;
  return { id: id instanceof SpiffeId ? id : null, ...pair, notBefore, notAfter, thumbprint };
}

function importKey(key: () => Parameters<typeof createPrivateKey>[0]): KeyObject | Fault {
  try {
    return createPrivateKey(key());
  } catch {
    // What OpenSSL says of it helps nobody, and might quote it.
    return new Fault('the private key cannot be read; write it as PEM without a passphrase');
  }
}

/** What node:tls is given, tried: a certificate of the chain that OpenSSL does not take would throw there. */
function pemOf(blocks: readonly Uint8Array[], key: KeyObject): Pick<OwnSvid, 'certificatesPem' | 'keyPem'> | Fault {
  try {
    const certificatesPem = blocks.map((block) => new X509Certificate(block).toString()).join('');
    const keyPem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
    createSecureContext({ cert: certificatesPem, key: keyPem });
    return { certificatesPem, keyPem };
  } catch (error) {
    return new Fault(`OpenSSL does not take the certificates: ${messageOf(error)}`);
  }
}

const dateOf = (seconds: number): string => new Date(seconds * 1000).toISOString();
