import type { Reason } from '../../../src/base/outcome.ts';
import {
  type CertificateParts,
  extension,
  flipBit,
  nameConstraints,
  TestCa,
  uriName,
  urlEncodedPem,
} from '../../support/ca.ts';
import { nothing } from '../../support/der.ts';
import { workload } from '../../support/world.ts';
import { LEDGER, ledgerReads, ledgerShows, READER } from '../../support/world-asks.ts';
import { type Pair, pair, type ReasonCase } from './case.ts';

const HOUR = 3_600_000;

/** The ledger's certificate, with one mutation. */
const wrong = (parts: CertificateParts | ((ca: TestCa) => CertificateParts)): Pair =>
  pair(
    ledgerReads(),
    ledgerShows((world) => ({ leaf: world.svid(LEDGER, typeof parts === 'function' ? parts(world.keys.ca) : parts) })),
  );

type Between = (root: TestCa) => TestCa;

const shown = (between: Between, more: number) =>
  ledgerShows(({ keys: { ca } }) => {
    const issuer = between(ca);
    const others = Array.from({ length: more }, (_, index) => ca.intermediate(`other ${index}`).certificate);
    return { leaf: issuer.svid(workload(LEDGER)), chain: [...issuer.chain, ...others] };
  });

/** The ledger's certificate issued by intermediates, with one mutation of them. */
const wrongPath = (good: Between, bad: Between): Pair => pair(shown(good, 0), shown(bad, 0));

const one: Between = (root) => root.intermediate('one');

export const identitySvid = {
  identity_svid_encoding: pair(ledgerReads(), ledgerReads({ certificate: 'no%20PEM' })),
  identity_svid_malformed: pair(ledgerReads(), (world) => {
    const cut = { der: world.svid(LEDGER).der.subarray(0, -1) };
    return ledgerReads({ certificate: urlEncodedPem(cut) })(world);
  }),
  identity_svid_algorithm: wrong({ hash: 'sha1' }),
  identity_svid_uri_count: wrong({ uris: [workload(LEDGER), workload(READER)] }),
  identity_svid_without_path: wrong({ uris: ['spiffe://prod.example'] }),
  identity_svid_ca: wrong({ ca: true }),
  identity_svid_key_usage: wrong({ keyUsage: ['digitalSignature', 'keyCertSign'] }),
  identity_svid_extended_key_usage: wrong({ extendedKeyUsage: ['serverAuth'] }),
  identity_svid_critical_extension: wrong({ extensions: [extension('1.3.6.1.4.1.99999.1', true, nothing)] }),
  identity_svid_expired: wrong(({ now }) => ({ notBefore: now - 2 * HOUR, notAfter: now - HOUR })),
  identity_svid_not_yet_valid: wrong(({ now }) => ({ notBefore: now + HOUR, notAfter: now + 2 * HOUR })),
  identity_svid_lifetime: wrong(({ now }) => ({ notAfter: now + 25 * HOUR })),
  identity_svid_issuer_unknown: pair(
    ledgerReads(),
    ledgerShows(() => ({ leaf: TestCa.root('prod.example', { subject: 'another' }).svid(workload(LEDGER)) })),
  ),
  identity_svid_issuer_invalid: wrongPath(one, (root) => root.intermediate('one', { ca: false })),
  identity_svid_issuer_expired: wrongPath(one, (root) => root.intermediate('one', { notAfter: root.now - HOUR })),
  identity_svid_signature: wrong({ mutateSignature: (signature) => flipBit(signature, -1) }),
  identity_svid_path_length: wrongPath(
    (root) => one(root).intermediate('two'),
    (root) => root.intermediate('one', { pathLength: 0 }).intermediate('two'),
  ),
  identity_svid_path_budget: pair(shown(one, 14), shown(one, 15)),
  identity_svid_name_constraints: wrongPath(
    (root) => root.intermediate('one', { nameConstraints: nameConstraints([uriName('prod.example')]) }),
    (root) => root.intermediate('one', { nameConstraints: nameConstraints([uriName('other.example')]) }),
  ),
} satisfies Readonly<Record<Extract<Reason, `identity_svid_${string}`>, ReasonCase>>;
