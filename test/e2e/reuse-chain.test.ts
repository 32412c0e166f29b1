import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Issued } from '../support/ca.ts';
import { actClaim } from '../support/task-issuer.ts';
import { ids, PARTNER, places, routeTwoHosts, ThiefEstate } from '../support/thief-estate.ts';
import { type Answer, throughEnvoy, type Way } from '../support/thief-way.ts';
import { startUpstream, type Upstream } from '../support/upstream.ts';

/** Chains through a real Envoy: what no hop may by itself, and what only the chain as a whole may not. */

let estate: ThiefEstate;
let upstream: Upstream;
let envoy: Awaited<ReturnType<ThiefEstate['base']['envoy']>>;
let way: Way;

before(async () => {
  estate = await ThiefEstate.start();
  upstream = await startUpstream();
  envoy = await estate.base.envoy('test-permissive', upstream, routeTwoHosts);
  way = throughEnvoy(envoy);
});
after(async () => {
  way?.close();
  await envoy?.stop();
  await upstream?.close();
  await estate?.stop();
});

/** The last of the chain asks, with a token for just this chain and a proof of its own. */
function asChain(chain: readonly string[], as: Issued, path: string = places.invoice): Promise<Answer> {
  const holder = chain.at(-1)!;
  const claims = chain.length > 1 ? { act: actClaim(chain) } : {};
  const txnToken = estate.tokens.txn(holder, { claims });
  return way.send({ as, path, headers: estate.tokens.withWpt(holder, { txnToken }, path) });
}

interface Hop {
  readonly id: string;
  readonly role: string;
  readonly result: string;
  readonly forbids: readonly string[];
}

/** Every hop's verdict, as the audit has it. */
const hopsOf = ({ decision }: Answer): readonly Hop[] => estate.base.sidecar.auditOf(decision).hops as readonly Hop[];

test('a chain of three in which each hop alone is fine, and which leaves the trust domain, is denied by a guardrail', async () => {
  const { agent, tools } = estate.svids;
  assert.equal((await asChain([ids.agent], agent)).outcome, 'permitted');
  assert.equal((await asChain([ids.tools], tools)).outcome, 'permitted');
  assert.equal((await asChain([ids.orchestrator, ids.tools, ids.agent], agent)).outcome, 'permitted');
  const answer = await asChain([PARTNER, ids.tools, ids.agent], agent);
  assert.equal(answer.outcome, 'policy_forbidden');
  const hops = hopsOf(answer);
  assert.deepEqual(
    hops.map(({ id, role }) => [role, id]),
    [
      ['originator', PARTNER],
      ['intermediary', ids.tools],
      ['caller', ids.agent],
    ],
  );
  for (const { forbids } of hops) assert.deepEqual(forbids, ['chains-stay-in-the-trust-domain']);
});

test('the partner by itself is permitted where its chain is not', async () => {
  const svid = estate.partnerCa.svid(PARTNER);
  const txnToken = estate.tokens.txn(PARTNER);
  const token = estate.tokens.keyBound(PARTNER);
  assert.equal(
    (await way.send({ as: svid, path: places.invoice, headers: { 'txn-token': txnToken } })).outcome,
    'policy_forbidden',
  );
  const headers = estate.tokens.withDpop(token, places.invoice);
  assert.equal((await way.send({ as: svid, path: places.invoice, headers })).outcome, 'permitted');
});

test('a chain in which one hop lacks the permit is denied, and the audit names the hop', async () => {
  const { agent, ledger } = estate.svids;
  assert.equal((await asChain([ids.orchestrator, ids.ledger], ledger, places.claims)).outcome, 'permitted');
  const answer = await asChain([ids.orchestrator, ids.agent, ids.ledger], ledger, places.claims);
  assert.equal(answer.outcome, 'policy_no_permit');
  const refused = hopsOf(answer).filter(({ result }) => result !== 'allow');
  assert.deepEqual(
    refused.map(({ role, id }) => [role, id]),
    [['intermediary', ids.agent]],
  );
  const { detail } = estate.base.sidecar.auditOf(answer.decision);
  assert.match(String(detail), new RegExp(`intermediary ${ids.agent}`));
  assert.equal((await asChain([ids.orchestrator, ids.agent], agent)).outcome, 'permitted');
});

test('a compromised orchestrator that may only cause an access cannot make it', async () => {
  const { agent, orchestrator } = estate.svids;
  assert.equal((await asChain([ids.orchestrator, ids.agent], agent)).outcome, 'permitted');
  const own = await asChain([ids.orchestrator], orchestrator);
  assert.equal(own.outcome, 'policy_no_permit');
  assert.deepEqual(
    hopsOf(own).map(({ role }) => role),
    ['caller'],
  );
  const backwards = await asChain([ids.agent, ids.orchestrator], orchestrator);
  assert.equal(backwards.outcome, 'policy_no_permit');
  const handedOn = estate.tokens.txn(ids.agent, { claims: { act: actClaim([ids.orchestrator, ids.agent]) } });
  const taken = await way.send({ as: orchestrator, path: places.invoice, headers: { 'txn-token': handedOn } });
  assert.equal(taken.outcome, 'task_of_another');
});

test('the thief may do with a token of its own all that it may not do with a stolen one', async () => {
  const { thief } = estate.svids;
  assert.equal((await asChain([ids.thief], thief)).outcome, 'permitted');
  assert.equal((await asChain([ids.thief], thief, places.payout)).outcome, 'permitted');
});

test('a chain with a workload that nobody registered, with a circle, or too long is refused', async () => {
  const { agent } = estate.svids;
  const stranger = 'spiffe://prod.example/ns/shadow/sa/forgotten';
  assert.equal((await asChain([stranger, ids.agent], agent)).outcome, 'chain_unregistered');
  assert.equal((await asChain([ids.agent, ids.tools, ids.agent], agent)).outcome, 'chain_cycle');
  const long = [ids.orchestrator, ids.ledger, ids.tools, ids.thief, ids.agent];
  assert.equal((await asChain(long, agent)).outcome, 'chain_too_deep');
});
