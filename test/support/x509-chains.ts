import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../src/base/fault.ts';
import { Refusal } from '../../src/base/outcome.ts';
import { SpiffeId } from '../../src/base/spiffe-id.ts';
import { BundleSnapshot, TrustBundle } from '../../src/trust/bundle.ts';
import { parseBundleFile } from '../../src/trust/bundle-document.ts';
import { SvidVerifier } from '../../src/trust/svid-cache.ts';
import type { VerifiedSvid } from '../../src/trust/x509-svid.ts';
import { Certificate } from '../../src/x509/certificate.ts';
import { readPem } from '../../src/x509/certificate-pem.ts';
import { forms } from '../../src/x509/names.ts';
import { corporaDir } from './corpora.ts';

/** A chain of a corpus: PEM throughout, `time` in ISO 8601. */
export interface Chain {
  readonly id: string;
  readonly time: string;
  readonly leaf: string;
  readonly ints: readonly string[];
  readonly roots: readonly string[];
}

/** The longest lifetime that a number holds: the corpora are not about lifetimes. */
const ANY_LIFETIME = Number.MAX_SAFE_INTEGER;
const YEAR_MS = 31_536_000_000;

export function readCorpus<T>(...path: readonly string[]): T {
  return JSON.parse(readFileSync(join(corporaDir, ...path), 'utf8')) as T;
}

export function readExceptions<T>(name: string): T {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../conformance/exceptions', `${name}.json`), 'utf8')) as T;
}

/**
 * Verifies a chain the way that a request's is: the roots as the bundle file of the trust domain that the leaf names,
 * the certificates as the text that Envoy writes.
 */
export function verifyChain(chain: Chain): VerifiedSvid | Refusal {
  const now = Date.parse(chain.time);
  const bundles = bundlesFor(trustDomainOf(chain.leaf), chain.roots.join(''), now);
  const text = {
    certificate: encodeURIComponent(chain.leaf),
    chain: chain.ints.length === 0 ? null : encodeURIComponent(chain.ints.join('')),
  };
  return new SvidVerifier({ maxLifetimeSeconds: ANY_LIFETIME }).verify(text, bundles, now);
}

/** A snapshot in which this text is the bundle of one trust domain; without a bundle when it cannot be read. */
export function bundlesFor(trustDomain: string, text: string, now: number): BundleSnapshot {
  const content = parseBundleFile(trustDomain, text);
  const bundle = content === null || content instanceof Fault ? null : new TrustBundle(trustDomain, content);
  return new BundleSnapshot([{ name: trustDomain, local: true, maxStaleMs: YEAR_MS, bundle, freshAt: now }]);
}

function trustDomainOf(leaf: string): string {
  const [certificate] = certificatesOf([leaf]);
  const uri = certificate?.extensions.names.find((name) => name.form === forms.uri)?.text ?? '';
  const id = SpiffeId.parse(uri);
  return id instanceof Refusal ? 'example.org' : id.trustDomain;
}

/** The certificates of PEM texts of one block each, without those that cannot be read. */
export function certificatesOf(texts: readonly string[]): readonly Certificate[] {
  return texts.map(certificateOf).filter((one) => one instanceof Certificate);
}

export function certificateOf(text: string): Certificate | Refusal {
  const blocks = readPem(text, false);
  const [der] = blocks instanceof Fault ? [] : blocks;
  return der === undefined ? new Refusal('identity_svid_encoding', 'not PEM') : Certificate.parse(der);
}
