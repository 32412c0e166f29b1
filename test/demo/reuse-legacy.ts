import { TestCa } from '../support/ca.ts';
import { KEY_HEADER } from '../support/legacy.ts';
import { CRM, ids, places, type ThiefEstate } from '../support/thief-estate.ts';
import { ELSEWHERE, ERP, ITS_NETWORK } from '../support/thief-legacy.ts';
import type { Headers } from '../support/thief-tokens.ts';
import type { Attempt } from '../support/thief-way.ts';
import { BEARERS, bearer, keptFrom } from './reuse-lease.ts';
import { type Cell, type Column, type Play, type Row, refused, works } from './reuse-matrix.ts';

const HOUR = 3_600_000;

/** How a legacy account proves itself: what it sends with a request to this path, with what differs. */
type Show = (more?: Partial<Attempt>) => Play;

/** The last of the 43 characters has two bits that say nothing: as text it is another key. */
function respelledKey(key: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return key.slice(0, -1) + alphabet[alphabet.indexOf(key.at(-1)!) ^ 1];
}

const withKey =
  (keyOf: (estate: ThiefEstate) => string, more: Partial<Attempt> = {}): Play =>
  (estate) => ({
    as: null,
    path: places.exports,
    ...more,
    headers: { [KEY_HEADER]: keyOf(estate), ...more.headers },
  });
const byKey: Show = (more) => withKey(({ legacy }) => legacy.key, more);

const withCertificate =
  (certificateOf: (estate: ThiefEstate) => Attempt['as'], more: Partial<Attempt> = {}): Play =>
  (estate) => ({ as: certificateOf(estate), path: places.exports, ...more });
const byCertificate: Show = (more) => withCertificate(({ legacy }) => legacy.certificate, more);

const and =
  (show: Show, headersOf: (estate: ThiefEstate) => Headers): Play =>
  (estate) =>
    show({ headers: headersOf(estate) })(estate);

/** What holds alike for all that an account may show. */
const bounded = (show: Show): Readonly<Partial<Record<Column, Cell>>> => ({
  'another workload': refused(
    'from the thief’s machine, in another network',
    show({ from: ELSEWHERE }),
    'identity_legacy_network',
  ),
  'other purpose': refused(
    'with a task token that names the account',
    and(show, ({ tokens }) => ({ 'txn-token': tokens.txn(ERP, { purpose: 'issue-refunds' }) })),
    'task_unbound',
  ),
  'other method': refused('POST', show({ method: 'POST' }), 'request_method_not_allowed'),
  'other resource': refused('at a confidential resource', show({ path: places.invoice }), 'policy_forbidden', BEARERS),
  'other host': refused('at the other host', show({ host: CRM, path: places.ticket }), 'identity_legacy_host'),
  'replayed as it was': works(
    'again, from its network',
    show(),
    keptFrom('the same at a confidential resource', show({ path: places.invoice }), BEARERS),
  ),
  'forged header beside': refused(
    'from another network, with x-forwarded-for of its own',
    show({ from: ELSEWHERE, headers: { 'x-forwarded-for': ITS_NETWORK } }),
    'identity_legacy_network',
  ),
  'thief’s own proof': refused(
    'beside an identity token of the thief’s own',
    and(show, ({ tokens }) => bearer(tokens.identity(ids.thief))),
    'identity_conflict',
  ),
});

const keyRow: Row = {
  name: 'API key',
  what: 'The key of a legacy account, which may read exports. It is good for whoever holds it, within bounds that no policy widens.',
  control: { how: 'the account reads an internal resource, from its network', play: byKey() },
  cells: {
    ...bounded(byKey),
    'after expiry': refused(
      'a day after it was to be rotated',
      withKey(({ legacy }) => legacy.endedKey),
      'identity_key_expired',
    ),
    'respelled signature': refused(
      'left-over bits in the last character',
      withKey(({ legacy }) => respelledKey(legacy.key)),
      'identity_key_unknown',
    ),
    'one hop further': refused(
      'by the tool server, over its own connection',
      (estate) => ({ ...byKey()(estate), as: estate.svids.tools }),
      'identity_conflict',
    ),
  },
};

const certificateRow: Row = {
  name: 'legacy certificate',
  what: 'Certificate and key of a legacy account without a SPIFFE ID: the thief is the account until the certificate ends, where the account may be.',
  control: { how: 'the account reads an internal resource, from its network', play: byCertificate() },
  cells: {
    ...bounded(byCertificate),
    'after expiry': refused(
      'the certificate ended',
      withCertificate(({ legacy }) =>
        legacy.like({ notBefore: legacy.ca.now - 2 * HOUR, notAfter: legacy.ca.now - HOUR }),
      ),
      'identity_svid_expired',
    ),
    'respelled signature': refused(
      'signed anew with the thief’s key',
      withCertificate(({ legacy, svids }) => legacy.like({ signWith: svids.thief.keys.privateKey })),
      'identity_svid_signature',
    ),
    'invented chain': refused(
      'the same name from a CA of the thief’s',
      withCertificate(({ legacy }) => legacy.like({}, TestCa.root('legacy.example', { subject: 'thief', uris: [] }))),
      'identity_svid_issuer_unknown',
    ),
  },
};

export const legacyRows = { keyRow, certificateRow };
