import { type Issued, urlEncodedPem } from './ca.ts';
import { AS, TaskIssuer, TTS } from './task-issuer.ts';
import { dpopProof, jwtSvid, type Mutation, oidcToken, thumbprint } from './tokens.ts';
import { type Ask, type World, workload } from './world.ts';
import type { WorldKeys } from './world-keys.ts';

/** What makes the requests: the keys of a mesh. */
export type Asker = Pick<World, 'keys' | 'svid'>;

/** Whoever has these keys, without a sidecar. */
export const askerOf = (keys: WorldKeys): Asker => ({
  keys,
  svid: (path, parts = {}) => keys.ca.svid(workload(path), parts),
});

/** Requests of the mesh that are permitted as they stand; every parameter changes one thing about them. */
export type AskOf = (world: Asker) => Ask;

export const LEDGER = '/ns/payments/sa/ledger';
export const READER = '/ns/support/sa/reader';
export const AGENT = '/ns/agents/sa/billing-agent';
export const ORCHESTRATOR = '/ns/agents/sa/orchestrator';
export const TOOLS = '/ns/platform/sa/tool-server';
export const GATEWAY = '/ns/edge/sa/gateway';

export const INVOICE = '/api/invoices/42';
export const EXPORT = '/api/exports/october';
export const ORIGIN = 'https://payments.prod.example';
export const AUDIENCE = workload('/ns/payments/sa/api');
export { AS, TTS };
export const CI = 'https://ci.example';

type Over = Partial<Ask>;
type Headers = NonNullable<Ask['headers']>;

const merged = (base: Ask, headers: Headers, over: Over): Ask => ({
  ...base,
  ...over,
  headers: { ...headers, ...over.headers },
});

/** The ledger, a service, reads an invoice by its X.509-SVID. */
export const ledgerReads =
  (over: Over = {}): AskOf =>
  (world) => ({ svid: world.svid(LEDGER), path: INVOICE, ...over });

/** The same with this certificate, and with what x-forwarded-client-cert says of it. */
export const ledgerShows =
  (shown: (world: Asker) => { readonly leaf: Issued; readonly chain?: readonly Issued[] }): AskOf =>
  (world) => {
    const { leaf, chain } = shown(world);
    const ask = { svid: leaf, path: INVOICE };
    if (chain === undefined) return ask;
    return { ...ask, headers: { 'x-forwarded-client-cert': `Chain="${urlEncodedPem(leaf, ...chain)}"` } };
  };

export const bearer = (token: string): Headers => ({ authorization: `Bearer ${token}` });

/** A JWT-SVID of this workload for the payments service. */
export const svidToken = (world: Asker, path: string, mutation: Mutation = {}): string =>
  jwtSvid({ key: world.keys.domain, sub: workload(path), aud: AUDIENCE }, mutation);

/** The reader, without a certificate, fetches an export by its JWT-SVID. */
export const readerByToken =
  (mutation: Mutation = {}, over: Over = {}): AskOf =>
  (world) =>
    merged({ svid: null, path: EXPORT }, bearer(svidToken(world, READER, mutation)), over);

/** The same behind a trusted proxy, whose own certificate is transport. */
export const readerBehindGateway =
  (xfcc: (gateway: Issued) => string): AskOf =>
  (world) => {
    const gateway = world.svid(GATEWAY);
    const headers = { 'x-forwarded-client-cert': xfcc(gateway) };
    return { ...readerByToken({}, { headers })(world), svid: gateway };
  };

/** The deployment job announces a release by the token of its CI runner. */
export const deployByToken =
  (mutation: Mutation = {}): AskOf =>
  (world) => {
    const frame = { key: world.keys.ci, iss: CI, sub: 'repo:shop/deploy:ref:main', aud: 'prod.example' };
    return { svid: null, method: 'POST', path: '/api/releases', headers: bearer(oidcToken(frame, mutation)) };
  };

const issuerOf = ({ keys }: Asker): TaskIssuer => new TaskIssuer('prod.example', keys);

/** A Transaction Token for the billing agent. */
export const agentTxn = (world: Asker, mutation: Mutation = {}): string =>
  issuerOf(world).txnToken({ workload: workload(AGENT), mutation });

/** The billing agent reads an invoice within a task that a Transaction Token states. */
export const agentByTxn =
  (mutation: Mutation = {}, over: Over = {}): AskOf =>
  (world) =>
    merged({ svid: world.svid(AGENT), path: INVOICE }, { 'txn-token': agentTxn(world, mutation) }, over);

/** The same by a Transaction Token that the orchestrator handed on to it. */
export const agentByChain =
  (mutation: Mutation = {}): AskOf =>
  (world) =>
    agentByTxn({
      ...mutation,
      claims: { sub: workload(ORCHESTRATOR), act: { sub: workload(AGENT) }, ...mutation.claims },
    })(world);

const agentAccess = (world: Asker, mutation: Mutation): string =>
  issuerOf(world).accessToken(AUDIENCE, { workload: workload(AGENT), scope: 'invoices', mutation });

/** The billing agent reads an invoice within a task that an access token states. */
export const agentByAccess =
  (mutation: Mutation = {}, over: Over = {}): AskOf =>
  (world) =>
    merged({ svid: world.svid(AGENT), path: INVOICE }, bearer(agentAccess(world, mutation)), over);

/** The same with the token bound to a key of the agent's, and a DPoP proof of that key. */
export const agentByDpop =
  (proof: Mutation = {}, over: Over = {}): AskOf =>
  (world) => {
    const holder = world.keys.agent;
    const token = agentAccess(world, { claims: { cnf: { jkt: thumbprint(holder) } } });
    const frame = { key: holder, method: 'GET', uri: ORIGIN + INVOICE, accessToken: token };
    const headers = { authorization: `DPoP ${token}`, dpop: dpopProof(frame, proof) };
    return merged({ svid: world.svid(AGENT), path: INVOICE }, headers, over);
  };

/** The billing agent by a Transaction Token, with a Workload Identity Token and a proof over both. */
export const agentByWimse =
  ({ wit = {}, wpt = {} }: { readonly wit?: Mutation; readonly wpt?: Mutation } = {}, over: Over = {}): AskOf =>
  (world) => {
    const txnToken = agentTxn(world);
    const frame = { workload: workload(AGENT), key: world.keys.agent, uri: ORIGIN + INVOICE, txnToken };
    const headers = { 'txn-token': txnToken, ...issuerOf(world).workloadProof(frame, wpt, wit) };
    return merged({ svid: world.svid(AGENT), path: INVOICE }, headers, over);
  };
