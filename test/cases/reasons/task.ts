import type { Reason } from '../../../src/base/outcome.ts';
import { aroundRegistered, endOf, lapsedOf } from '../../support/registering.ts';
import type { Mutation } from '../../support/tokens.ts';
import { workload } from '../../support/world.ts';
import {
  AGENT,
  type Asker,
  agentByAccess,
  agentByChain,
  agentByTxn,
  ledgerReads,
  READER,
  TOOLS,
} from '../../support/world-asks.ts';
import { type Family, type Pair, pair, type ReasonCase } from './case.ts';
import { taskProof } from './task-proof.ts';

/** Seconds since the epoch, so far from now. */
const seconds = (fromNow: number): number => Math.floor(Date.now() / 1000) + fromNow;
const HOUR = 3600;
const SOMEBODY = 'A'.repeat(43);

/** The agent's Transaction Token, with one mutation. */
const wrongTxn = (mutation: Mutation): Pair => pair(agentByTxn(), agentByTxn(mutation));
/** The agent's access token, with one mutation. */
const wrongAccess = (mutation: Mutation): Pair => pair(agentByAccess(), agentByAccess(mutation));
/** The Transaction Token that the orchestrator handed on, with one mutation. */
const wrongChain = (claims: Mutation['claims'] & object): Pair => pair(agentByChain(), agentByChain({ claims }));

const stranger = (by: typeof agentByTxn) => (world: Asker) => by({ signWith: world.keys.stranger })(world);

const txn = {
  task_txn_malformed: wrongTxn({ claims: { txn: undefined } }),
  task_txn_type: wrongTxn({ header: { typ: 'JWT' } }),
  task_txn_algorithm: wrongTxn({ header: { alg: 'HS256' } }),
  task_txn_key_unknown: wrongTxn({ header: { kid: 'tts-2' } }),
  task_txn_signature: pair(agentByTxn(), stranger(agentByTxn)),
  task_txn_expired: wrongTxn({ claims: { iat: seconds(-2 * HOUR), exp: seconds(-HOUR) } }),
  task_txn_not_yet_valid: wrongTxn({ claims: { nbf: seconds(HOUR) } }),
  task_txn_lifetime: wrongTxn({ claims: { exp: seconds(HOUR) } }),
  task_txn_audience: wrongTxn({ claims: { aud: 'partner.example' } }),
  task_txn_issuer: wrongTxn({ claims: { iss: 'https://tts.partner.example' } }),
  task_txn_binding: wrongTxn({ claims: { cnf: { 'x5t#S256': SOMEBODY } } }),
} satisfies Readonly<Record<Extract<Reason, `task_txn_${string}`>, ReasonCase>>;

const token = {
  task_token_malformed: wrongAccess({ claims: { jti: undefined } }),
  task_token_type: wrongAccess({ header: { typ: 'JWT' } }),
  task_token_algorithm: wrongAccess({ header: { alg: 'HS256' } }),
  task_token_key_unknown: wrongAccess({ header: { kid: 'as-2' } }),
  task_token_signature: pair(agentByAccess(), stranger(agentByAccess)),
  task_token_expired: wrongAccess({ claims: { iat: seconds(-2 * HOUR), exp: seconds(-HOUR) } }),
  task_token_not_yet_valid: wrongAccess({ claims: { nbf: seconds(HOUR) } }),
  task_token_lifetime: wrongAccess({ claims: { exp: seconds(HOUR) } }),
  task_token_audience: wrongAccess({ claims: { aud: 'spiffe://prod.example/ns/other/sa/api' } }),
  task_token_binding: wrongAccess({ claims: { cnf: { 'x5t#S256': SOMEBODY } } }),
};

export const task: Family<'task'> = {
  ...txn,
  ...token,
  ...taskProof,
  task_declared_malformed: pair(
    ledgerReads({ headers: { 'x-task-id': 't-42', 'x-task-purpose': 'reconcile-invoices' } }),
    ledgerReads({ headers: { 'x-task-id': 't-42' } }),
  ),
  task_keys_stale: wrongTxn({
    claims: { iss: 'https://silent.prod.example', scope: 'reconcile-invoices', tctx: undefined },
  }),
  task_purpose: wrongTxn({ claims: { tctx: { purpose: 'customer-care' } } }),
  task_issuer_scope: wrongChain({ sub: 'spiffe://partner.example/ns/shop/sa/cart' }),
  task_of_another: wrongTxn({ claims: { req_wl: workload(READER) } }),
  task_unbound: wrongTxn({ claims: { req_wl: 'some-client' } }),
  task_conflict: pair(
    agentByTxn({}, { headers: { 'x-task-id': 't-42', 'x-task-purpose': 'reconcile-invoices' } }),
    agentByTxn({}, { headers: { 'x-task-id': 't-43', 'x-task-purpose': 'reconcile-invoices' } }),
  ),
  task_unregistered: { play: () => aroundRegistered({ bad: agentByTxn({ claims: { txn: 't-43' } }) }) },
  task_ended: { play: () => aroundRegistered({ meanwhile: endOf }) },
  task_lapsed: {
    play: () => aroundRegistered({ meanwhile: lapsedOf('t-43'), bad: agentByTxn({ claims: { txn: 't-43' } }) }),
  },
  task_budget_spent: {
    play: () => aroundRegistered({ over: { budgets: { calls: 1, writes: null, resources: null } } }),
  },
};

const nested = (...paths: readonly string[]): object =>
  paths.toReversed().reduce<object>((act, path) => ({ sub: workload(path), act }), { sub: workload(TOOLS) });
const [first, second, third] = ['/ns/batch/1', '/ns/batch/2', '/ns/batch/3'] as const;

export const chain: Family<'chain'> = {
  chain_malformed: wrongChain({ act: { sub: workload(AGENT), scope: 'all' } }),
  chain_too_deep: wrongChain({ act: nested(AGENT, first, second, third) }),
  chain_cycle: wrongChain({ act: nested(AGENT, TOOLS) }),
  chain_unregistered: wrongChain({ sub: workload('/ns/shadow/sa/forgotten') }),
};
