import { mint } from '../tokens.ts';
import { words } from '../words.ts';
import type { Ask, World } from '../world.ts';
import {
  AGENT,
  type AskOf,
  agentByDpop,
  agentByTxn,
  agentByWimse,
  agentTxn,
  bearer,
  INVOICE,
  LEDGER,
  ledgerReads,
} from '../world-asks.ts';

/** Something that a client writes, in a request that is otherwise permitted. */
export interface Field {
  readonly name: string;
  /** The longest text that is tried. */
  readonly limit: number;
  readonly ask: (world: World, text: string) => Ask;
}

/** All headers together have 64 KiB by default; the other headers of the request need some of it. */
const HEADER = 60_000;
/** Path and query have 8 KiB by default, and so have the headers that policies read. */
const TARGET = 8000;
const XFCC = 32_000;
/** Headers of a request may be 1024. */
const MANY = 1000;

const field = (name: string, limit: number, ask: (text: string) => AskOf): Field => ({
  name,
  limit,
  ask: (world, text) => ask(text)(world),
});

const header = (name: string, before = '', limit = HEADER): Field =>
  field(before === '' ? name : `${name}: ${before.trim()}`, limit - before.length, (text) =>
    ledgerReads({ headers: { [name]: before + text } }),
  );

const b64 = (text: string): string => Buffer.from(text).toString('base64url');
const SIGNATURE = b64('s'.repeat(64));

/** A token that nobody signed, with this text as its header or its claims. */
const unsigned = (name: string, where: 'header' | 'claims', put: (token: string) => Ask['headers']): Field =>
  field(`${name}, its ${where}`, 45_000, (text) => (world) => {
    const parts = where === 'header' ? [b64(text), b64('{}')] : [b64('{"alg":"ES256","kid":"k"}'), b64(text)];
    return { svid: world.svid(AGENT), path: INVOICE, headers: put([...parts, SIGNATURE].join('.')) ?? {} };
  });

const tokenPlaces: readonly (readonly [name: string, put: (token: string) => Ask['headers']])[] = [
  ['bearer token', bearer],
  ['Transaction Token', (token) => ({ 'txn-token': token })],
];

/** One claim or member of what is signed: by a key of the client, or by an issuer that takes the text from a subject. */
const members = (
  what: string,
  names: readonly string[],
  ask: (member: Readonly<Record<string, string>>) => AskOf,
): readonly Field[] => names.map((name) => field(`${what} ${name}`, 20_000, (text) => ask({ [name]: text })));

const namesOf = (text: string): readonly string[] =>
  (text.match(/[\s\S]{1,8}/g) ?? []).map((part, at) => `x-${at.toString(36)}_${b64(part).toLowerCase()}`);

/** Every field of a request that a client chooses, alone or through what it holds. */
export const fields: readonly Field[] = [
  field('path', TARGET, (text) => ledgerReads({ path: `/${text}` })),
  field('path of an api', TARGET, (text) => ledgerReads({ path: `/api/invoices/${text}` })),
  field('query', TARGET, (text) => ledgerReads({ path: `${INVOICE}?${text}` })),
  field('method', HEADER / 2, (text) => ledgerReads({ method: text })),
  field('host', HEADER / 2, (text) => ledgerReads({ host: text })),
  field('id', HEADER, (text) => ledgerReads({ id: text })),
  field('header name', HEADER, (text) => ledgerReads({ headers: { [`x-${text.toLowerCase()}`]: '1' } })),
  ...[MANY, HEADER / 16].map((count) =>
    field(`${count} header names`, count * 8, (text) =>
      ledgerReads({ headers: Object.fromEntries(namesOf(text).map((name) => [name, '1'])) }),
    ),
  ),
  ...[MANY, HEADER / 8].map((limit) =>
    field(`one header, ${limit} times`, limit, (text) => ledgerReads({ headers: { 'x-other': [...text] } })),
  ),
  field('path beyond its limit', HEADER / 2, (text) => ledgerReads({ path: `/${text}` })),
  header('x-data-class', '', TARGET),
  ...words('x-other x-data-class x-amount x-task-id x-task-purpose content-type upgrade').map((name) => header(name)),
  ...['Bearer ', 'DPoP ', 'Basic ', 'Digest a=b, ', ''].map((before) => header('authorization', before)),
  ...words('txn-token dpop workload-identity-token workload-proof-token host').map((name) => header(name)),
  ...['', 'Cert="', 'Chain="', 'URI=', 'By=', 'DNS=a;DNS=', 'Subject="'].map((before) =>
    header('x-forwarded-client-cert', before, XFCC),
  ),
  ...tokenPlaces.flatMap(([name, put]) => [unsigned(name, 'header', put), unsigned(name, 'claims', put)]),
  ...members('DPoP proof,', words('htu htm jti nonce ath iat x'), (claims) => agentByDpop({ claims })),
  ...members('DPoP proof, header', words('typ kid jwk x'), (header) => agentByDpop({ header })),
  ...members('workload proof,', words('aud jti tth oth wth'), (claims) => agentByWimse({ wpt: { claims } })),
  ...members('Transaction Token,', words('sub scope txn act tctx aud rctx'), (claims) => agentByTxn({ claims })),
  field('JWT-SVID, aud of many', 20_000, (text) => (world) => {
    const claims = { aud: text.match(/[\s\S]{1,4}/g) ?? [], sub: 'x', exp: Date.now() / 1000 + 60 };
    return { svid: null, path: INVOICE, headers: bearer(mint(world.keys.domain, { typ: 'JWT' }, claims)) };
  }),
  field('principal', HEADER, (text) => ledgerReads({ principal: text })),
  ...[65_536, 500_000].map((limit) =>
    field(`certificate of ${limit}`, limit, (text) => () => ({ svid: null, path: INVOICE, certificate: text })),
  ),
  field('certificate, its base64', 60_000, (text) => () => {
    const block = `-----BEGIN CERTIFICATE-----\n${Buffer.from(text).toString('base64')}\n-----END CERTIFICATE-----\n`;
    return { svid: null, path: INVOICE, certificate: encodeURIComponent(block).slice(0, 65_536) };
  }),
  field('SPIFFE ID', 2000, (text) => (world) => {
    const path = `${LEDGER}/${b64(text).replaceAll('-', '/').slice(0, 1900)}`;
    return { svid: world.svid(path), path: INVOICE };
  }),
  field('everything at once', HEADER / 3, (text) => (world) => ({
    svid: world.svid(AGENT),
    path: `${INVOICE}?${text.slice(0, TARGET)}`,
    headers: {
      'x-other': text,
      'x-data-class': text.slice(0, TARGET),
      'txn-token': agentTxn(world),
      'user-agent': text,
    },
  })),
];
