import { mint } from '../tokens.ts';
import type { Ask, World } from '../world.ts';
import {
  AGENT,
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

const header = (name: string, before = '', limit = HEADER): Field => ({
  name: before === '' ? name : `${name}: ${before.trim()}`,
  limit: limit - before.length,
  ask: (world, text) => ledgerReads({ headers: { [name]: before + text } })(world),
});

const b64 = (text: string): string => Buffer.from(text).toString('base64url');
const SIGNATURE = b64('s'.repeat(64));

/** A token that nobody signed, with this text as its header or its claims. */
const unsigned = (name: string, where: 'header' | 'claims', put: (token: string) => Ask['headers']): Field => ({
  name: `${name}, its ${where}`,
  limit: 45_000,
  ask: (world, text) => {
    const parts = where === 'header' ? [b64(text), b64('{}')] : [b64('{"alg":"ES256","kid":"k"}'), b64(text)];
    return { svid: world.svid(AGENT), path: INVOICE, headers: put([...parts, SIGNATURE].join('.')) ?? {} };
  },
});

const tokenPlaces: readonly (readonly [name: string, put: (token: string) => Ask['headers']])[] = [
  ['bearer token', bearer],
  ['Transaction Token', (token) => ({ 'txn-token': token })],
];

/** Claims of a proof, which a client signs by a key of its own. */
const dpopClaim = (claim: string): Field => ({
  name: `DPoP proof, ${claim}`,
  limit: 20_000,
  ask: (world, text) => agentByDpop({ claims: { [claim]: text } })(world),
});

const dpopHeader = (member: string): Field => ({
  name: `DPoP proof, header ${member}`,
  limit: 20_000,
  ask: (world, text) => agentByDpop({ header: { [member]: text } })(world),
});

const wptClaim = (claim: string): Field => ({
  name: `workload proof, ${claim}`,
  limit: 20_000,
  ask: (world, text) => agentByWimse({ wpt: { claims: { [claim]: text } } })(world),
});

/** A token of a trusted issuer that holds texts of a subject's choice. */
const txnClaim = (claim: string): Field => ({
  name: `Transaction Token, ${claim}`,
  limit: 20_000,
  ask: (world, text) => agentByTxn({ claims: { [claim]: text } })(world),
});

/** Every field of a request that a client chooses, alone or through what it holds. */
export const fields: readonly Field[] = [
  { name: 'path', limit: TARGET, ask: (world, text) => ledgerReads({ path: `/${text}` })(world) },
  {
    name: 'path of an api',
    limit: TARGET,
    ask: (world, text) => ledgerReads({ path: `/api/invoices/${text}` })(world),
  },
  { name: 'query', limit: TARGET, ask: (world, text) => ledgerReads({ path: `${INVOICE}?${text}` })(world) },
  { name: 'method', limit: HEADER / 2, ask: (world, text) => ledgerReads({ method: text })(world) },
  { name: 'host', limit: HEADER / 2, ask: (world, text) => ledgerReads({ host: text })(world) },
  { name: 'id', limit: HEADER, ask: (world, text) => ({ ...ledgerReads()(world), id: text }) },
  {
    name: 'header name',
    limit: HEADER,
    ask: (world, text) => ledgerReads({ headers: { [`x-${text.toLowerCase()}`]: '1' } })(world),
  },
  ...[MANY, HEADER / 16].map(
    (count): Field => ({
      name: `${count} header names`,
      limit: count * 8,
      ask: (world, text) =>
        ledgerReads({
          headers: Object.fromEntries(
            (text.match(/[\s\S]{1,8}/g) ?? []).map((part, at) => [
              `x-${at.toString(36)}_${b64(part).toLowerCase()}`,
              '1',
            ]),
          ),
        })(world),
    }),
  ),
  ...[MANY, HEADER / 8].map(
    (limit): Field => ({
      name: `one header, ${limit} times`,
      limit,
      ask: (world, text) => ledgerReads({ headers: { 'x-other': [...text] } })(world),
    }),
  ),
  { name: 'path beyond its limit', limit: HEADER / 2, ask: (world, text) => ledgerReads({ path: `/${text}` })(world) },
  header('x-data-class', '', TARGET),
  ...['x-other', 'x-data-class', 'x-amount', 'x-task-id', 'x-task-purpose', 'content-type', 'upgrade'].map((name) =>
    header(name),
  ),
  ...['Bearer ', 'DPoP ', 'Basic ', 'Digest a=b, ', ''].map((before) => header('authorization', before)),
  ...['txn-token', 'dpop', 'workload-identity-token', 'workload-proof-token', 'host'].map((name) => header(name)),
  ...['', 'Cert="', 'Chain="', 'URI=', 'By=', 'DNS=a;DNS=', 'Subject="'].map((before) =>
    header('x-forwarded-client-cert', before, XFCC),
  ),
  ...tokenPlaces.flatMap(([name, put]) => [unsigned(name, 'header', put), unsigned(name, 'claims', put)]),
  ...['htu', 'htm', 'jti', 'nonce', 'ath', 'iat', 'x'].map(dpopClaim),
  ...['typ', 'kid', 'jwk', 'x'].map(dpopHeader),
  ...['aud', 'jti', 'tth', 'oth', 'wth'].map(wptClaim),
  ...['sub', 'scope', 'txn', 'act', 'tctx', 'aud', 'rctx'].map(txnClaim),
  {
    name: 'JWT-SVID, aud of many',
    limit: 20_000,
    ask: (world, text) => {
      const claims = { aud: text.match(/[\s\S]{1,4}/g) ?? [], sub: 'x', exp: Date.now() / 1000 + 60 };
      return { svid: null, path: INVOICE, headers: bearer(mint(world.keys.domain, { typ: 'JWT' }, claims)) };
    },
  },
  { name: 'principal', limit: HEADER, ask: (world, text) => ({ ...ledgerReads()(world), principal: text }) },
  ...[65_536, 500_000].map(
    (limit): Field => ({
      name: `certificate of ${limit}`,
      limit,
      ask: (_, text) => ({ svid: null, path: INVOICE, certificate: text }),
    }),
  ),
  {
    name: 'certificate, its base64',
    limit: 60_000,
    ask: (_, text) => {
      const block = `-----BEGIN CERTIFICATE-----\n${Buffer.from(text).toString('base64')}\n-----END CERTIFICATE-----\n`;
      return { svid: null, path: INVOICE, certificate: encodeURIComponent(block).slice(0, 65_536) };
    },
  },
  {
    name: 'SPIFFE ID',
    limit: 2000,
    ask: (world, text) => ({
      svid: world.svid(`${LEDGER}/${b64(text).replaceAll('-', '/').slice(0, 1900)}`),
      path: INVOICE,
    }),
  },
  { name: 'everything at once', limit: HEADER / 3, ask: (world, text) => everything(world, text) },
];

function everything(world: World, text: string): Ask {
  const headers = {
    'x-other': text,
    'x-data-class': text.slice(0, TARGET),
    'txn-token': agentTxn(world),
    'user-agent': text,
  };
  return { svid: world.svid(AGENT), path: `${INVOICE}?${text.slice(0, TARGET)}`, headers };
}
