import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { removeFolder, temporaryFolder } from '../../test/support/folder.ts';
import { loaded, workload } from '../../test/support/policy.ts';
import { headersOf } from '../../test/support/task-world.ts';
import { untouching } from '../../test/support/untouching.ts';
import { HeldOutput } from '../../test/support/world-sink.ts';
import { Refusal } from '../base/outcome.ts';
import { readCredentialTexts } from '../http/credentials.ts';
import type { CheckInput } from '../http/input.ts';
import { receivedTrace } from '../http/trace-context.ts';
import { provenCaller } from '../identity/caller.ts';
import { Audit } from '../observe/audit.ts';
import { digest } from '../observe/line.ts';
import { FileSink, streamSink } from '../observe/sink.ts';
import { MemoryState } from '../state/memory.ts';
import { type AnswerParts, type CheckCall, createAnswerer, refused } from './answer.ts';
import { check } from './check.ts';
import type { CheckResult } from './decision.ts';
import { recall } from './recall.ts';
import { toRecord } from './record.ts';
import { redeemer } from './redeem.ts';
import type { Stages } from './stages.ts';

const API = 'spiffe://prod.example/ns/payments/sa/api';
const { snapshot } = loaded({
  'reads.cedar': '@id("reads") permit (principal, action in Mesh::Action::"read", resource);',
});
const limits = { concurrentChecks: 16, marginMs: 10, deadlineMs: 10_000 };

/** A request that came through no door: nobody connected, and nothing was encoded. */
function request(method = 'GET', id = '1'): CheckInput {
  return {
    id,
    method,
    scheme: 'https',
    host: 'payments.internal',
    path: '/api/invoices/42',
    rawPath: '/api/invoices/42',
    query: null,
    upgrade: false,
    grpc: false,
    headers: headersOf(),
    body: new Uint8Array(),
    connection: {
      checkPeer: null,
      digest: '',
      source: { address: null, principal: '', certificate: '' },
      forwarded: { element: null, nearer: [] },
      destinationPrincipal: '',
      extensions: new Map(),
    },
  };
}

/** Who and why as they come out of credentials; each permit uses up one proof. */
function stagesOver(state: MemoryState): Stages {
  const redemption = {
    key: 'proof',
    until: Date.now() + 60_000,
    history: state.history(),
    ifUsed: new Refusal('task_proof_replayed', 'it was used before'),
  };
  return {
    hosts: ['payments.internal'],
    enforcement: 'enforce',
    taskHeaders: [],
    keyHeaders: [],
    readCredentials: () => ({
      texts: readCredentialTexts({ all: () => [], names: [], unclean: new Set() }),
      authorization: null,
      txnToken: null,
      apiKey: null,
    }),
    identify: async (_input, _credentials, _target, known) =>
      provenCaller({
        workload: workload(known, API),
        credential: 'x509-svid',
        thumbprint: null,
        issuedAt: null,
        expiresAt: null,
        token: null,
        proxy: null,
        proxies: [],
      }),
    readTask: async (_input, _credentials, { resource }, caller) => ({
      task: null,
      declared: null,
      chain: [caller.workload],
      backing: [],
      keys: [],
      consumed: [],
      redemptions: [redemption],
      challenge: { scheme: 'bearer', host: resource.host, dpopAlgorithms: [], resourceMetadata: false },
      responseHeaders: [],
    }),
    recall,
    budgets: () => [],
    touched: untouching(),
    approvals: null,
    behaviour: null,
    redeem: redeemer(state, Date.now),
  };
}

/** The check, the state and the audit of the product, behind no door. */
async function answering(t: TestContext, change: Partial<AnswerParts> = {}) {
  const folder = temporaryFolder();
  const file = join(folder, 'audit.jsonl');
  const output = new HeldOutput();
  const audit = await Audit.start({
    sinks: [new FileSink(file), streamSink('stdout', output)],
    queue: 16,
    onFailure: 'deny',
    now: Date.now,
    start: {},
    report: () => {},
  });
  t.after(async () => {
    output.release();
    await audit.close(1000);
    removeFolder(folder);
  });
  const state = new MemoryState({ maxEntries: 16, startedAtMs: 0 });
  const stages = stagesOver(state);
  const results: CheckResult[] = [];
  const bugs: unknown[] = [];
  const missed: unknown[] = [];
  const undelivered: string[] = [];
  const { answer } = createAnswerer({
    decide: (input, context, nowMs) => check(input, snapshot, stages, context, nowMs),
    record: (result, waitMs) => audit.record(toRecord(result), waitMs),
    trace: receivedTrace,
    listeners: [(result) => results.push(result)],
    undelivered: (decision) => undelivered.push(decision),
    onBug: (error) => bugs.push(error),
    onListenerBug: (error) => missed.push(error),
    clock: Date.now,
    limits,
    ...change,
  });
  const ask = (call: Partial<CheckCall> = {}) =>
    answer({
      read: () => request(),
      raw: () => ({ id: null, from: null, method: null, host: null, path: null }),
      deadline: Number.POSITIVE_INFINITY,
      gaveUp: () => false,
      traceparent: () => [],
      ...call,
    });
  const lines = () => readFileSync(file, 'utf8').trimEnd().split('\n');
  return { ask, lines, output, results, bugs, missed, undelivered, used: () => state.load.entries };
}

const reasonOf = ({ decided: { outcome } }: { decided: CheckResult['decided'] }): string =>
  outcome instanceof Refusal ? outcome.reason : 'permitted';

test('a check is answered without a door, and the answer names its line in the audit', async (t) => {
  const { ask, lines, results, used } = await answering(t);
  const { decided, reference } = await ask();
  assert.ok('mutations' in decided);
  assert.deepEqual(decided.mutations.set, [
    ['x-authz-caller', API],
    ['x-authz-decision', reference.decision],
  ]);
  const line = lines().find((text) => text.includes(reference.decision))!;
  assert.deepEqual([reference.seq, reference.hash], [JSON.parse(line).seq, digest(line)]);
  assert.equal(JSON.parse(line).result, 'allow');
  assert.deepEqual([results.length, results[0]?.decision, used()], [1, reference.decision, 1]);
});

test('a denial is recorded and published like an allow', async (t) => {
  const { ask, lines, results, used } = await answering(t);
  const denied = await ask({ read: () => request('DELETE') });
  const unread = await ask({ read: () => new Refusal('request_malformed', 'nonsense') });
  assert.deepEqual([denied, unread].map(reasonOf), ['policy_no_permit', 'request_malformed']);
  for (const { reference } of [denied, unread])
    assert.equal(JSON.parse(lines().find((text) => text.includes(reference.decision))!).seq, reference.seq);
  assert.deepEqual(results.map(reasonOf), ['policy_no_permit', 'request_malformed']);
  assert.equal(used(), 0);
});

test('what was found until a refusal is in the trail, and nothing after it', async (t) => {
  const { ask, results } = await answering(t);
  await ask();
  await ask({ read: () => request('GET', '2') });
  await ask({ read: () => request('DELETE') });
  await ask({ read: () => ({ ...request(), host: 'docs.internal' }) });
  assert.deepEqual(results.map(reasonOf), [
    'permitted',
    'task_proof_replayed',
    'policy_no_permit',
    'request_host_not_served',
  ]);
  const stages = ['identity', 'task', 'facts', 'policy'];
  assert.deepEqual(
    results.map(({ decided: { trail } }) => trail.spans.map(({ stage }) => stage)),
    [[...stages, 'commit', 'audit'], [...stages, 'commit', 'audit'], [...stages, 'audit'], ['audit']],
  );
  const all = ['target', 'caller', 'taskContext', 'facts', 'hops'];
  assert.deepEqual(
    results.map(({ decided: { trail } }) => Object.keys(trail.found)),
    [all, all, all, []],
  );
});

test('the spans of a check follow one another', async (t) => {
  const { ask, results } = await answering(t);
  await ask();
  const { spans } = results[0]!.decided.trail;
  for (const [at, { start, micros }] of spans.entries()) {
    const before = spans[at - 1] ?? { start: 0, micros: 0 };
    // Each is rounded by itself.
    assert.ok(start >= before.start + before.micros - 1, JSON.stringify(spans));
    assert.ok(Number.isInteger(start) && Number.isInteger(micros));
  }
});

test('an allow that cannot be recorded is refused, and gives back what it used up', async (t) => {
  const { ask, output, results, used } = await answering(t, { limits: { ...limits, deadlineMs: 500 } });
  output.hold();
  const answer = await ask();
  assert.equal(reasonOf(answer), 'audit_unavailable');
  assert.deepEqual([answer.reference.seq, answer.reference.hash], [null, null]);
  assert.deepEqual([results.map(reasonOf), used()], [['audit_unavailable'], 0]);
});

test('an allow that nobody waits for any more gives back what it used up, and is marked', async (t) => {
  let asked = 0;
  const { ask, undelivered, used } = await answering(t);
  // Asked before the decision and before the redemption; the third time is after the audit line.
  const { reference } = await ask({ gaveUp: () => ++asked > 2 });
  assert.deepEqual([undelivered, used()], [[reference.decision], 0]);
});

test('what nobody waits for before it is decided is refused, and uses nothing up', async (t) => {
  for (const at of [1, 2]) {
    let asked = 0;
    const { ask, used } = await answering(t);
    assert.equal(reasonOf(await ask({ gaveUp: () => ++asked >= at })), 'overloaded');
    assert.equal(used(), 0);
  }
});

test('a check is refused that comes too late, is one too many, or is not decided in time', async (t) => {
  const { ask } = await answering(t, {
    decide: () => Promise.withResolvers<never>().promise,
    limits: { concurrentChecks: 1, marginMs: 10, deadlineMs: 500 },
  });
  assert.match(detailOf(await ask({ deadline: Date.now() + 10 })), /no time was left/);
  const first = ask();
  assert.match(detailOf(await ask()), /more than 1 checks at once/);
  assert.match(detailOf(await first), /undecided after 490 ms/);
});

const detailOf = ({ decided: { outcome } }: { decided: CheckResult['decided'] }): string =>
  outcome instanceof Refusal && outcome.reason === 'overloaded' ? outcome.detail : '';

test('a bug becomes a denial: recorded where it can be, reported in any case', async (t) => {
  const bug = () => {
    throw new TypeError('undefined is not a function');
  };
  const deciding = await answering(t, { decide: bug });
  const recorded = await deciding.ask();
  assert.equal(reasonOf(recorded), 'internal');
  assert.equal(JSON.parse(deciding.lines().at(-1)!).decision, recorded.reference.decision);
  const reading = await answering(t);
  assert.equal(reasonOf(await reading.ask({ read: bug })), 'internal');
  const recording = await answering(t, { record: bug });
  const unrecorded = await recording.ask();
  assert.deepEqual([reasonOf(unrecorded), unrecorded.reference.seq], ['internal', null]);
  for (const { bugs } of [deciding, reading, recording]) assert.match(String(bugs), /undefined is not a function/);
});

test('a listener that fails is reported, changes no answer, and does not keep the next from its result', async (t) => {
  const heard: string[] = [];
  const failing = () => {
    throw new Error('no listener');
  };
  const { ask, bugs, missed } = await answering(t, { listeners: [failing, ({ decision }) => heard.push(decision)] });
  const answer = await ask();
  assert.equal(reasonOf(answer), 'permitted');
  assert.deepEqual([heard, missed.map(String), bugs], [[answer.reference.decision], ['Error: no listener'], []]);
});

test('a decision before a check has an empty trail', () => {
  const { trail } = refused(new Refusal('policy_unavailable', 'no snapshot could be loaded'));
  assert.deepEqual([trail.snapshot, trail.found, trail.micros], [null, {}, {}]);
});
