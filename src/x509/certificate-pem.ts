import { attempt } from '../base/attempt.ts';
import { Fault } from '../base/fault.ts';
import { Refusal } from '../base/outcome.ts';
import { Certificate } from './certificate.ts';

/** The longest certificate text of one request, URL-encoded. */
const MAX_TEXT = 65_536;
/** A leaf and the intermediates that may come with it. */
const MAX_BLOCKS = 17;
const BOUNDARY = /^-----(BEGIN|END) ([A-Z0-9 ]+)-----$/;
const LABEL = 'CERTIFICATE';
/** What may lie between the certificates of a file and is passed over: SPIFFE knows no revocation lists. */
const CRL = 'X509 CRL';

/**
 * The DER of each certificate in a text as Envoy writes it into `source.certificate` and into XFCC `Cert` and `Chain`:
 * PEM with the label CERTIFICATE, in the order of the text, at least one and at most 17, percent-encoded by RFC 3986
 * (`+` is a plus). Anything else between or around the blocks refuses with `identity_svid_encoding`.
 */
export function decodePemText(urlEncoded: string): readonly Uint8Array[] | Refusal {
  if (urlEncoded.length > MAX_TEXT) return refuse(`longer than ${MAX_TEXT} characters`);
  const text = attempt(() => decodeURIComponent(urlEncoded));
  if (text === null) return refuse('not percent-encoded text');
  const blocks = readPem(text, false);
  if (blocks instanceof Fault) return refuse(blocks.detail);
  if (blocks.length > MAX_BLOCKS) return refuse(`more than ${MAX_BLOCKS} certificates`);
  return blocks;
}

/**
 * The DER of each CERTIFICATE block of a PEM text (RFC 7468), in order; canonical base64 only. Other labels are faults,
 * and so is a text without a block. `file` reads what an operator's tools write: lines that end in CRLF, CR or LF with
 * blanks before the end (RFC 7468 figure 1), a byte order mark, explanatory text outside the blocks (section 5.2), and
 * revocation lists, which are passed over.
 */
export function readPem(text: string, file: boolean): readonly Uint8Array[] | Fault {
  const blocks: Uint8Array[] = [];
  let open: { readonly label: string; readonly body: string[] } | null = null;
  for (const line of file ? linesOfFile(text) : text.split(/\r?\n/)) {
    const boundary = BOUNDARY.exec(line);
    if (boundary === null) {
      if (open !== null) open.body.push(line);
      else if (line.startsWith('-----')) return new Fault('a broken boundary line');
      else if (line !== '' && !file) return new Fault('text outside of a block');
      continue;
    }
    const [, kind, label = ''] = boundary;
    if (label !== LABEL && !(file && label === CRL)) return new Fault('a block that is no certificate');
    if ((kind === 'BEGIN') !== (open === null) || (open !== null && open.label !== label))
      return new Fault('boundary lines that do not match');
    if (open === null) {
      open = { label, body: [] };
      continue;
    }
    const der = canonicalBase64(open.body.join(''));
    if (der === null) return new Fault('a block that is not canonical base64');
    if (label === LABEL) blocks.push(der);
    open = null;
  }
  if (open !== null) return new Fault('a block that does not end');
  if (blocks.length === 0) return new Fault('no certificate');
  return blocks;
}

/** Blanks are space and tab alone (RFC 5234 WSP): `trimEnd` would pass over more. A regex for them could look in vain. */
function linesOfFile(text: string): string[] {
  const lines = text.replace(/^\ufeff/, '').split(/\r\n|\r|\n/);
  return lines.map((line) => {
    let end = line.length;
    while (line[end - 1] === ' ' || line[end - 1] === '\t') end--;
    return line.slice(0, end);
  });
}

/** The certificates of a PEM file, each of which must be readable: what an operator configures is used or refused. */
export function readCertificates(text: string): readonly Certificate[] | Fault {
  const blocks = readPem(text, true);
  if (blocks instanceof Fault) return blocks;
  const certificates: Certificate[] = [];
  for (const [i, der] of blocks.entries()) {
    const certificate = Certificate.parse(der);
    if (certificate instanceof Refusal) return new Fault(`certificate ${i + 1}: ${certificate.detail}`);
    certificates.push(certificate);
  }
  return certificates;
}

/** The octets of a base64 text that is exactly how its octets are encoded (RFC 4648 section 3.5), else null; not empty. */
export function canonicalBase64(text: string): Uint8Array | null {
  const octets = Buffer.from(text, 'base64');
  return octets.length > 0 && octets.toString('base64') === text ? octets : null;
}

function refuse(detail: string): Refusal {
  return new Refusal('identity_svid_encoding', detail);
}
