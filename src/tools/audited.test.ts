import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { settings } from '../../test/support/policy.ts';
import { differentialEstate, questions } from '../../test/support/policy-arbitraries.ts';
import { Refusal } from '../base/outcome.ts';
import { auditedQuery } from '../base/redact.ts';
import type { CheckResult } from '../check/decision.ts';
import { toRecord } from '../check/record.ts';
import { loadInventory } from '../inventory/load.ts';
import { auditBody } from '../observe/record.ts';
import type { AuthorizationCall } from '../policy/decide/call.ts';
import { authorizationCall, type NamedEntities } from '../policy/decide/cedar-request.ts';
import type { Question } from '../policy/decide/question.ts';
import { questionsFor } from '../policy/load/scenario.ts';
import { formatProblem } from '../source/problem.ts';
import { together } from '../state/bounded/touched.ts';
import { readAudited } from './audited.ts';

const inventory = loadInventory(differentialEstate, 'inventory.yaml', { ownTrustDomains: new Set(['prod.example']) });
if (Array.isArray(inventory)) throw new Error(inventory.map(formatProblem).join('\n'));

/** All that a policy could name: nothing that tells two questions apart is left out of the calls. */
const named: NamedEntities = new Map(
  Object.entries({
    'Mesh::SpiffePath': ['spiffe://prod.example/ns/a', 'spiffe://prod.example/ns'],
    'Mesh::Group': [...inventory.known.groups],
    'Mesh::Host': [...inventory.known.hosts],
    'Mesh::Api': [...inventory.known.apis],
    'Mesh::Purpose': [...inventory.known.purposes],
  }).map(([type, ids]) => [type, new Set(ids)]),
);

/** The call, with the entities in an order of their own. */
function callOf(question: Question): AuthorizationCall {
  const call = authorizationCall(question, named, inventory as never);
  return {
    ...call,
    entities: call.entities.toSorted((a, b) => (JSON.stringify(a.uid) < JSON.stringify(b.uid) ? -1 : 1)),
  };
}

/** The audit line that the sidecar writes of a decision about this question: the caller's, whose chain is judged hop by hop. */
function lineOf(question: Question): string {
  const { now, target, chain, task, declared, query } = question;
  const verdict = { result: 'deny', permits: [], forbids: [], errors: [], shadow: [] };
  const result = {
    decision: 'd',
    time: now,
    microseconds: 1,
    input: {
      id: '1',
      method: target.action === 'QUERY' ? 'POST' : target.action,
      host: target.resource.host.name,
      path: target.resource.path,
      query,
      headers: { all: () => [] },
      connection: { checkPeer: null, source: { address: null } },
    },
    trace: null,
    decided: {
      outcome: new Refusal('policy_no_permit', ''),
      trail: {
        snapshot: { revision: 'r' },
        verified: { credential: null, task: null },
        found: {
          target,
          caller: { workload: question.hop, credential: question.credential, thumbprint: null, proxy: null },
          taskContext: { task, declared, chain },
          facts: question,
          touched: { facts: question.touched },
          hops: chain.map((workload) => ({ workload, role: 'caller', verdict })),
        },
      },
    },
  } as unknown as CheckResult;
  const { time, json } = auditBody(toRecord(result));
  return `{"time":${JSON.stringify(new Date(time).toISOString())},${json.slice(1)}`;
}

const ofCallers = questions(inventory).map((question): Question => {
  const hop = question.chain.at(-1)!;
  return {
    ...question,
    hop,
    role: 'caller',
    credential: 'x509-svid',
    // The inventory tells it from the client's address, and lists no networks here.
    inNetworks: null,
    touched: { ...question.touched!, chain: together([question.touched!.chain, question.touched!.task]) },
    ...(question.chain.length > 1 ? { risk: null, signals: new Set<string>() } : {}),
  };
});

test('an audit line holds all that policies could see: the same questions are put again', () => {
  let chains = 0;
  fc.assert(
    fc.property(ofCallers, (asked) => {
      const question = { ...asked, query: auditedQuery(asked.query, new Set()) };
      const audited = readAudited(lineOf(asked), { headers: settings.headers, readsQuery: false });
      if ('why' in audited) throw new Error(audited.reason);
      const again = questionsFor(audited.stated, inventory as never, settings.headers);
      if (!Array.isArray(again)) throw new Error(String(again));
      assert.equal(again.length, question.chain.length);
      assert.deepEqual(callOf(again.at(-1)!), callOf(question));
      if (again.length > 1) chains++;
      const [first] = again;
      const asFirst: Question = {
        ...question,
        hop: question.chain[0],
        role: question.chain.length === 1 ? 'caller' : 'originator',
        credential: question.chain.length === 1 ? 'x509-svid' : 'delegated',
        credentialAge: question.chain.length === 1 ? question.credentialAge : null,
      };
      assert.deepEqual(callOf(first!), callOf(asFirst));
    }),
    { numRuns: 500 },
  );
  assert.ok(chains > 0);
});

test('a line whose query holds digests is judged again only where no policy reads the query', () => {
  const [question] = fc.sample(ofCallers, { numRuns: 1, seed: 1 });
  const read = (query: string | null, readsQuery: boolean) =>
    readAudited(lineOf({ ...question!, query }), { headers: settings.headers, readsQuery });
  const unjudged = read('full=1', true);
  assert.ok('why' in unjudged && unjudged.why === 'not exact', JSON.stringify(unjudged));
  assert.match(unjudged.reason, /audit\.queryParameters/);
  for (const found of [read('full=1', false), read(null, true), read('', true)]) assert.ok('stated' in found);
});
