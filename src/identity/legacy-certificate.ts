import { hash } from 'node:crypto';
import { Refusal } from '../base/outcome.ts';
import type { Proven } from '../base/proven.ts';
import { Remembered } from '../base/remembered.ts';
import type { SpiffeId } from '../base/spiffe-id.ts';
import type { Connection } from '../http/input.ts';
import type { Inventory } from '../inventory/inventory.ts';
import { certificateName } from '../inventory/legacy/rules.ts';
import type { Host } from '../inventory/model.ts';
import type { CertificateText } from '../trust/svid-cache.ts';
import { checkLeaf } from '../trust/x509-svid.ts';
import { Certificate } from '../x509/certificate.ts';
import { decodePemText } from '../x509/certificate-pem.ts';
import { forms } from '../x509/names.ts';
import { validatePath } from '../x509/path.ts';
import type { OnVerified } from './caller.ts';
import { boundsFault } from './legacy.ts';
import { peerCertificate } from './peer.ts';

const REMEMBERED_BYTES = 2 ** 20;
/** What an entry takes besides its names. */
const ENTRY_BYTES = 300;

/** Who issues certificates to legacy accounts: apart from every other, and from every trust domain. */
export interface LegacyAuthority {
  readonly name: string;
  readonly anchors: readonly Certificate[];
}

/** A certificate without a SPIFFE ID whose path to one authority was valid. Times are seconds since the epoch. */
interface ValidatedCertificate {
  /** base64url SHA-256 of the DER. */
  readonly thumbprint: string;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly pathNotBefore: number;
  readonly pathNotAfter: number;
  readonly dnsNames: readonly string[];
  readonly authority: string;
}

/** A certificate that names one legacy account, at this host, from this address, at this time. */
export type VerifiedLegacyCertificate = Proven<
  'legacy-certificate',
  Pick<ValidatedCertificate, 'thumbprint' | 'notBefore' | 'notAfter'> & { readonly id: SpiffeId }
>;

/**
 * Verifies certificates of legacy accounts, by paths to authorities that are configured for those alone. One with any URI
 * name is none of them: what claims a SPIFFE ID is an SVID or nothing.
 */
export class LegacyCertificates {
  readonly #authorities: readonly LegacyAuthority[];
  /** Texts are the client's, so they are remembered once their path was valid. */
  readonly #validated = new Remembered<ValidatedCertificate>(REMEMBERED_BYTES, ({ dnsNames }) =>
    dnsNames.reduce((bytes, name) => bytes + 2 * name.length, ENTRY_BYTES),
  );

  constructor(authorities: readonly LegacyAuthority[]) {
    this.#authorities = authorities;
  }

  /**
   * The account of the peer's certificate; null where that is no certificate of this kind. `now` in milliseconds. Refusals:
   * those of the leaf and of the path (`identity_svid_…`), `identity_principal_mismatch`, `identity_legacy_unknown`,
   * `identity_conflict` where it names two accounts, and those of `boundsFault`.
   */
  verify(
    connection: Connection,
    host: Pick<Host, 'name'>,
    known: Inventory,
    now: number,
    onVerified: OnVerified,
  ): VerifiedLegacyCertificate | Refusal | null {
    const shown = this.#authorities.length === 0 ? null : peerCertificate(connection);
    const found = shown === null ? null : this.#validate(shown, now);
    if (found === null || found instanceof Refusal) return found;
    if (connection.source.principal.startsWith('spiffe://'))
      return new Refusal('identity_principal_mismatch', 'source.principal is an id that source.certificate has not');
    const { thumbprint, notBefore, notAfter } = found;
    const sha256 = Buffer.from(thumbprint, 'base64url').toString('hex');
    const named = found.dnsNames.map((name) => known.legacy('name', certificateName(found.authority, name)));
    const [account, ...others] = [known.legacy('certificate', sha256), ...named].filter((one) => one !== null);
    if (account === undefined)
      return new Refusal('identity_legacy_unknown', `no account has the certificate sha256:${sha256} or a name of it`);
    const { id } = account;
    const other = others.find((one) => one.id.text !== id.text);
    if (other !== undefined)
      return new Refusal('identity_conflict', `the certificate is of ${id.text} and of ${other.id.text}`);
    onVerified({ id, credential: 'legacy-certificate', thumbprint, proxy: null });
    const fault = boundsFault(account, host, connection.source.address, known);
    return fault ?? Object.freeze({ id, thumbprint, notBefore, notAfter } as VerifiedLegacyCertificate);
  }

  #validate(text: CertificateText, now: number): ValidatedCertificate | Refusal | null {
    const { certificate, chain } = text;
    const key = hash('sha256', `${certificate?.length} ${certificate} ${chain ?? ''}`, 'base64url');
    const seconds = Math.floor(now / 1000);
    const remembered = this.#validated.get(key);
    if (remembered !== undefined && seconds >= remembered.pathNotBefore && seconds <= remembered.pathNotAfter)
      return remembered;
    const found = this.#search(text, now);
    if (found !== null && !(found instanceof Refusal)) this.#validated.set(key, found);
    return found;
  }

  #search({ certificate, chain }: CertificateText, now: number): ValidatedCertificate | Refusal | null {
    const own = decodePemText(certificate ?? '');
    if (own instanceof Refusal) return own;
    const leaf = Certificate.parse(own[0]!);
    if (leaf instanceof Refusal) return leaf;
    const { names } = leaf.extensions;
    if (own.length > 1 || names.some(({ form }) => form === forms.uri)) return null;
    const fault = checkLeaf(leaf, false);
    if (fault !== null) return fault;
    const dnsNames = names.flatMap((name) => (name.form === forms.dns ? [name.text.toLowerCase()] : []));
    const above = chain === null ? [] : decodePemText(chain);
    const candidates = above instanceof Refusal ? [] : above.map((der) => Certificate.parse(der));
    const intermediates = candidates.filter((one) => one instanceof Certificate);
    let refusal: Refusal | null = null;
    for (const { name: authority, anchors } of this.#authorities) {
      const path = validatePath(leaf, intermediates, anchors, now, { usage: 'client' });
      if (path instanceof Refusal) {
        // Of several authorities most have nothing to do with it.
        if (refusal === null || refusal.reason === 'identity_svid_issuer_unknown') refusal = path;
        continue;
      }
      const { thumbprint, notBefore, notAfter } = leaf;
      const pathNotBefore = Math.max(...path.map((one) => one.notBefore));
      const pathNotAfter = Math.min(...path.map((one) => one.notAfter));
      return { thumbprint, notBefore, notAfter, pathNotBefore, pathNotAfter, dnsNames, authority };
    }
    return refusal;
  }
}
