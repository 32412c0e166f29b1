import { createPrivateKey } from 'node:crypto';
import { Issued, newKeys, TestCa, urlEncodedPem } from '../support/ca.ts';
import { TRUST_DOMAIN } from '../support/estate.ts';
import { CRM, ids, places, type ThiefEstate } from '../support/thief-estate.ts';
import { AUDIENCES, altered, type Change, type Headers, respelled } from '../support/thief-tokens.ts';
import type { Attempt } from '../support/thief-way.ts';
import { BEARERS, bearer, keptFrom, PROOF, said, WRITES } from './reuse-lease.ts';
import { type Cell, type Play, type Row, refused, works } from './reuse-matrix.ts';

type Person = keyof ThiefEstate['svids'];
const HOUR = 3_600_000;

const saying =
  (person: Person, path: string, headers: Headers = said(), more: Partial<Attempt> = {}): Play =>
  ({ svids }) => ({ as: svids[person], path, headers, ...more });

const saidElsewhere = (how: string, person: Person, headers: Headers, kept: string): Cell =>
  works(
    how,
    saying(person, places.status, headers),
    keptFrom('the same where it matters', saying(person, kept, headers), PROOF),
  );

const declaredRow: Row = {
  name: 'declared headers',
  what: '`x-task-id` and `x-task-purpose`, which anybody can say.',
  control: { how: 'billing-agent reads the public status page', play: saying('agent', places.status) },
  cells: {
    'another workload': saidElsewhere('by the thief', 'thief', said(), places.invoice),
    'other purpose': saidElsewhere('saying issue-refunds', 'agent', said('t-42', 'issue-refunds'), places.claims),
    'other method': refused(
      'POST',
      saying('agent', places.status, said(), { method: 'POST' }),
      'request_method_not_allowed',
    ),
    'other resource': refused('at a confidential resource', saying('agent', places.invoice), 'policy_forbidden', PROOF),
    'other host': refused(
      'at the other host',
      saying('agent', places.ticket, said(), { host: CRM }),
      'policy_forbidden',
      PROOF,
    ),
    'replayed as it was': saidElsewhere('again', 'agent', said(), places.invoice),
    'one hop further': saidElsewhere('by the tool server', 'tools', said(), places.exports),
    'forged header beside': refused(
      'a second purpose',
      saying('agent', places.status, {
        'x-task-id': 't-42',
        'x-task-purpose': ['reconcile-invoices', 'issue-refunds'],
      }),
      'request_header_repeated',
    ),
    'thief’s own proof': refused(
      'a DPoP proof over a token of the thief’s',
      ({ tokens, svids }) => {
        const { dpop } = tokens.withDpop(tokens.access(ids.thief), places.status, { key: tokens.thief });
        return { as: svids.agent, path: places.status, headers: { ...said(), dpop: dpop! } };
      },
      'task_proof_token',
    ),
  },
};

const asLedger =
  (path: string, change: Change = {}, more: Partial<Attempt> = {}): Play =>
  ({ tokens }) => ({ as: null, path, headers: bearer(tokens.identity(ids.ledger, change)), ...more });

const worksBelowConfidential = (how: string): Cell =>
  works(
    how,
    asLedger(places.exports),
    keptFrom('the same at a confidential resource', asLedger(places.invoice), BEARERS),
  );

const jwtSvidRow: Row = {
  name: 'JWT-SVID',
  what: 'A JWT-SVID of the ledger, which may do everything here: a bearer token, by its specification.',
  control: { how: 'the ledger reads an internal resource', play: asLedger(places.exports) },
  cells: {
    'another workload': worksBelowConfidential('by the thief, without a certificate of its own'),
    'after expiry': refused('the token ended', asLedger(places.exports, { ended: true }), 'identity_token_expired'),
    'other method': works(
      'POST, as the ledger may',
      asLedger(places.claims, {}, { method: 'POST' }),
      keptFrom('the same at a confidential resource', asLedger(places.invoice, {}, { method: 'POST' }), BEARERS),
    ),
    'other resource': refused('at a confidential resource', asLedger(places.invoice), 'policy_forbidden', BEARERS),
    'other host': refused('at the other host', asLedger(places.ticket, {}, { host: CRM }), 'identity_token_audience'),
    'other audience': refused(
      'issued for another audience',
      asLedger(places.exports, { claims: { aud: [AUDIENCES.crm] } }),
      'identity_token_audience',
    ),
    'replayed as it was': worksBelowConfidential('again'),
    'respelled signature': refused(
      'left-over bits in the last character',
      ({ tokens }) => ({ as: null, path: places.exports, headers: bearer(respelled(tokens.identity(ids.ledger))) }),
      'identity_token_malformed',
    ),
    'invented chain': refused(
      'another name written into it',
      ({ tokens }) => {
        const token = altered(tokens.identity(ids.agent), { sub: ids.ledger });
        return { as: null, path: places.exports, headers: bearer(token) };
      },
      'identity_token_signature',
    ),
    'forged header beside': {
      ...refused(
        'the ledger’s certificate in x-forwarded-client-cert, at a confidential resource',
        ({ tokens, svids }) => ({
          as: null,
          path: places.invoice,
          headers: { ...bearer(tokens.identity(ids.ledger)), 'x-forwarded-client-cert': forwarded(svids.ledger) },
        }),
        'policy_forbidden',
        BEARERS,
      ),
      needsEnvoy: true,
    },
    'thief’s own proof': refused(
      'beside the thief’s certificate',
      (estate) => ({ ...asLedger(places.exports)(estate), as: estate.svids.thief }),
      'identity_conflict',
    ),
  },
};

/** What a proxy would write about a client with this certificate. */
function forwarded(victim: Issued): string {
  const hash = Buffer.from(victim.thumbprint, 'base64url').toString('hex');
  return `Hash=${hash};Cert="${urlEncodedPem(victim)}";URI=${ids.ledger}`;
}

const showing =
  (certificate: (estate: ThiefEstate) => Issued, path: string = places.invoice, headers: Headers = {}): Play =>
  (estate) => ({ as: certificate(estate), path, headers });

/** The certificate beside a private key that says it is the right one: it carries the public key of the certificate. */
function withThiefsKey({ der, keys, subject }: Issued): Issued {
  const stolen = keys.privateKey.export({ format: 'jwk' });
  const own = newKeys('p256').privateKey.export({ format: 'jwk' });
  const privateKey = createPrivateKey({ key: { ...stolen, d: own.d! }, format: 'jwk' });
  return new Issued(der, { ...keys, privateKey }, subject);
}

const certificateRow: Row = {
  name: 'X.509-SVID, no key',
  what: 'The ledger’s certificate. It is no secret: its holder shows it to everyone.',
  control: { how: 'the ledger reads a confidential resource', play: showing(({ svids }) => svids.ledger) },
  cells: {
    'another workload': {
      ...refused(
        'shown without its key',
        showing(({ svids }) => withThiefsKey(svids.ledger)),
        'handshake',
      ),
      needsEnvoy: true,
    },
    'respelled signature': refused(
      'signed anew with the thief’s key',
      showing(({ base }) => {
        const keys = newKeys('p256');
        return base.ca.svid(ids.ledger, { keys, signWith: keys.privateKey });
      }),
      'identity_svid_signature',
    ),
    'invented chain': refused(
      'the same name from a CA of the thief’s',
      showing(() => TestCa.root(TRUST_DOMAIN, { subject: 'thief' }).svid(ids.ledger)),
      'identity_svid_issuer_unknown',
    ),
    'forged header beside': {
      ...refused(
        'in x-forwarded-client-cert, over the thief’s connection',
        ({ svids }) => ({
          as: svids.thief,
          path: places.invoice,
          headers: { 'x-forwarded-client-cert': forwarded(svids.ledger) },
        }),
        'policy_forbidden',
        PROOF,
      ),
      needsEnvoy: true,
    },
  },
};

const agent = ({ svids }: ThiefEstate): Issued => svids.agent;

const keyRow: Row = {
  name: 'X.509-SVID with key',
  what: 'Certificate and key of billing-agent: the thief is the workload until the certificate ends, and still has no task.',
  control: { how: 'billing-agent reads the public status page', play: showing(agent, places.status) },
  cells: {
    'another workload': works(
      'by the thief, as billing-agent',
      showing(agent, places.status),
      keptFrom('where agents need a task', showing(agent, places.invoice), PROOF),
    ),
    'after expiry': refused(
      'the certificate ended',
      showing(
        ({ base: { ca } }) => ca.svid(ids.agent, { notBefore: ca.now - 2 * HOUR, notAfter: ca.now - HOUR }),
        places.status,
      ),
      'identity_svid_expired',
    ),
    'other purpose': refused(
      'where issue-refunds is asked for',
      showing(agent, places.claims),
      'policy_forbidden',
      PROOF,
    ),
    'other method': refused(
      'POST',
      (estate) => ({ as: agent(estate), method: 'POST', path: places.claims }),
      'policy_forbidden',
      WRITES,
    ),
    'other resource': refused('at a confidential resource', showing(agent), 'policy_forbidden', PROOF),
    'other host': refused(
      'at the other host',
      (estate) => ({ as: agent(estate), host: CRM, path: places.ticket }),
      'policy_forbidden',
      PROOF,
    ),
    'invented chain': refused(
      'a certificate of the ledger’s name, signed with the stolen key',
      showing(({ base, svids: { agent: issuer } }) =>
        base.ca.svid(ids.ledger, { issuerDer: issuer.subject, signWith: issuer.keys.privateKey }),
      ),
      'identity_svid_issuer_unknown',
    ),
    'forged header beside': refused(
      'a declared task beside it',
      showing(agent, places.invoice, said()),
      'policy_forbidden',
      PROOF,
    ),
    'thief’s own proof': refused(
      'with a task token of the thief’s own',
      (estate) => ({ as: agent(estate), path: places.invoice, headers: { 'txn-token': estate.tokens.txn(ids.thief) } }),
      'task_of_another',
    ),
  },
};

export const identityRows = { declaredRow, jwtSvidRow, certificateRow, keyRow };
