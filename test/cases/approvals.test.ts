import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, suite, test } from 'node:test';
import type { ApprovalRequest, GrantOrder } from '../../src/state/approvals/book.ts';
import { BEGINNING } from '../../src/state/approvals/break-glass.ts';
import { blocks, page } from '../docs/markdown.ts';
import { BOB, glassBy, reviewBy } from '../support/approvals.ts';
import { decodeResponse } from '../support/golden-wire.ts';
import { ANN, askForReleases, consentTo, problem, RELEASES, type Refund, refund, release } from '../support/refunds.ts';
import { begun, endOf, requireRegistration } from '../support/registering.ts';
import { revocationFile, revokingWorld, rewrite } from '../support/revoking.ts';
import { TTS } from '../support/task-issuer.ts';
import { until } from '../support/until.ts';
import { type Answer, type Ask, encode, type MeshConfig, World, workload } from '../support/world.ts';
import { AGENT, agentByChain, agentByDpop, agentByTxn, LEDGER, ledgerReads, ORIGIN } from '../support/world-asks.ts';
import { worlds } from '../support/world-kinds.ts';

const REFUNDS = '/api/refunds';
const BODY = '{"amount":120}';

const PARTNER = `
@id("finance-tells-a-partner")
permit (principal, action == Mesh::Action::"POST", resource in Mesh::Host::"rates.partner.example")
when { context has task && context.task.purpose in Mesh::Purpose::"finance" };
`;

let world: World;
function prepare(folder: string): void {
  askForReleases(folder);
  writeFileSync(join(folder, 'policies', 'partner.cedar'), PARTNER);
}
before(async () => {
  world = await World.start({ ...worlds.asking, prepare });
});
after(() => world?.stop());
/** What nobody decides would keep the callers from asking for more; what was closed long ago may be asked for again. */
afterEach(withdrawAll);
async function withdrawAll(): Promise<void> {
  for (const { id } of world.approvals!.all())
    await world.approvals!.close({ id, kind: 'withdrawn', by: ANN, reason: 'over' }, 0);
}

const asLedger = (over: Partial<Ask>): Promise<Answer> => world.send(ledgerReads(over)(world));
const asAgent = (over: Partial<Ask>, mutation = {}): Promise<Answer> => world.send(agentByTxn(mutation, over)(world));

/** The agent's request in a task that the orchestrator handed on to it. */
async function handedOn(over: Partial<Ask>): Promise<Answer> {
  const own = agentByChain()(world);
  return await world.send({ ...own, ...over, headers: { ...own.headers, ...over.headers } });
}

/** The request that this denial made, or found. */
function askedBy(answer: Answer): ApprovalRequest {
  assert.equal(answer.reason, 'approval_required', String(answer.audit.detail));
  const { id } = problem(answer).approval ?? assert.fail(`nobody is asked: ${answer.audit.detail}`);
  return world.approvals!.find(id) ?? assert.fail('the book does not know it');
}

async function granted(request: ApprovalRequest, over: Partial<GrantOrder> = {}, where = world): Promise<void> {
  const decided = await where.approvals!.grant(consentTo(request, over), Date.now());
  assert.equal(decided.result, 'stored');
}

suite('a denial that an approval alone would lift', () => {
  test('asks for it, once, and says where it stands', async () => {
    const what = refund();
    const first = await asLedger(what);
    const { approval } = problem(first);
    const request = askedBy(first);
    // What docs/approvals.md shows has the same members.
    const shown = blocks(page('docs/approvals.md').text).find(({ info }) => info === 'json denial');
    const { decision, ...told } = JSON.parse(first.wire.denied?.body ?? '') as object & { decision: string };
    assert.deepEqual({ ...(JSON.parse(shown?.text ?? '') as object), decision, approval }, { ...told, decision });
    assert.deepEqual(approval, {
      id: request.id,
      expires_at: new Date(request.askUntilMs).toISOString(),
      status_url: `https://control.internal:9443/approvals/${request.id}`,
    });
    assert.equal(first.wire.denied?.headers.find(({ key }) => key === 'retry-after')?.value, '10');
    assert.deepEqual(request.order.approvals, ['resource-owner']);
    const { caller, chain, task, action, host, method, path, query, contentType, owner, sensitivity } = request.order;
    assert.deepEqual(
      { caller, chain, task, action, host, method, path, contentType, owner, sensitivity },
      {
        caller: workload(LEDGER),
        chain: [workload(LEDGER)],
        task: null,
        action: 'POST',
        host: 'payments.internal',
        method: 'POST',
        path: REFUNDS,
        contentType: 'application/json',
        owner: 'payments',
        sensitivity: 'restricted',
      },
    );
    assert.equal(`${path}?${query}`, what.path);
    assert.equal(request.order.body?.shown, BODY);
    assert.equal(askedBy(await asLedger(what)).id, request.id);
    assert.deepEqual((first.audit.facts as { approvals: unknown }).approvals, []);
    assert.deepEqual(first.audit.approval, {
      digest: request.order.digest,
      names: ['resource-owner'],
      body: request.order.body?.sha256,
      request: null,
      by: [],
    });
  });

  test('names the task, and all through whom it came', async () => {
    const own = askedBy(await asAgent(release()));
    assert.deepEqual(own.order.task, { issuer: TTS, id: 't-42', purpose: 'reconcile-invoices', subject: 'user:4711' });
    assert.deepEqual(
      askedBy(await handedOn(release())).order.chain,
      ['/ns/agents/sa/orchestrator', AGENT].map(workload),
    );
  });

  test('is none where something else stands against it: nobody is asked', async () => {
    const before = [...world.approvals!.all()].length;
    const secret = await asAgent(refund({ headers: { 'x-data-class': 'secret' } }));
    assert.equal(secret.reason, 'policy_forbidden');
    const stranger = await world.send({ ...refund(), svid: world.svid('/ns/support/sa/reader') });
    assert.equal(stranger.reason, 'policy_forbidden');
    assert.equal([...world.approvals!.all()].length, before);
  });

  test('is none where the task has no budget left', async () => {
    const edit = (config: MeshConfig) => {
      worlds.asking.edit(config);
      requireRegistration(config);
    };
    const forgetful = await World.start({ edit, prepare, startedAtMs: Date.now() + 60_000 });
    try {
      // Registered before the history began: nobody knows what it used.
      await begun(forgetful.tasks, { budgets: { calls: 9, writes: null, resources: null } });
      assert.equal((await forgetful.send(agentByTxn({}, release())(forgetful))).reason, 'task_budget_spent');
      assert.deepEqual([...forgetful.approvals!.all()], []);
    } finally {
      await forgetful.stop();
    }
  });

  test('is refused without asking where the body was not seen whole', async () => {
    const before = [...world.approvals!.all()].length;
    assert.equal((await asLedger(refund({ route: {} }))).reason, 'approval_body_unseen');
    assert.equal([...world.approvals!.all()].length, before);
  });

  test('shows no body that is long, or no text', async () => {
    const long = 'x'.repeat(4097);
    for (const body of [long, Buffer.from([0xff, 0x00])]) {
      const { order } = askedBy(await asLedger(refund({ body })));
      assert.equal(order.body?.shown, null);
      assert.equal(order.body?.bytes, body.length);
    }
    assert.equal(askedBy(await asLedger(refund({ body: 'x'.repeat(4096) }))).order.body?.shown?.length, 4096);
  });

  test('shows no body that the service reads in another way than people do', async () => {
    const { order: plain } = askedBy(await asLedger(refund()));
    assert.equal(plain.body?.shown, BODY);
    for (const headers of [
      { 'content-encoding': 'gzip' },
      { 'content-encoding': ['identity', 'br'] },
      { 'content-type': 'application/json; charset=utf-7' },
      { 'content-type': 'text/plain; charset=utf-8; charset=utf-16' },
      { 'content-type': "text/plain; charset*=utf-16''" },
    ]) {
      const { order } = askedBy(await asLedger(refund({ headers })));
      assert.deepEqual({ ...order.body, shown: 0 }, { ...plain.body, shown: 0 });
      assert.equal(order.body?.shown, null, JSON.stringify(headers));
      await withdrawAll();
    }
    for (const headers of [
      { 'content-encoding': 'identity' },
      { 'content-type': 'application/json; charset=UTF-8' },
      { 'content-type': 'application/json;charset="utf-8"; v=1' },
      { 'content-type': 'text/plain; charset=us-ascii ;v=1' },
    ]) {
      assert.equal(askedBy(await asLedger(refund({ headers }))).order.body?.shown, BODY, JSON.stringify(headers));
      await withdrawAll();
    }
  });

  test('shows the headers that policies read, how the body is coded, and the task that is only claimed', async () => {
    const headers = { 'x-data-class': 'public', 'x-amount': '17', 'content-encoding': ['gzip', 'br'], 'x-other': 'y' };
    const claims = { 'x-task-id': 't-9', 'x-task-purpose': 'finance' };
    const { order } = askedBy(await asLedger(refund({ headers: { ...headers, ...claims } })));
    assert.deepEqual(order.headers, [
      ['content-encoding', 'gzip'],
      ['content-encoding', 'br'],
      ['x-amount', '17'],
      ['x-data-class', 'public'],
    ]);
    assert.deepEqual(order.declared, { id: 't-9', purpose: 'finance' });
  });

  test('is refused where other bytes have the text of its type or coding', async () => {
    for (const name of ['content-type', 'content-encoding'])
      assert.equal(
        (await asLedger(refund({ headers: { [name]: 'text/pl\u0001in' } }))).reason,
        'request_header_unclean',
      );
  });

  test('is asked for no more when it is too long to be shown', async () => {
    const answer = await asLedger(refund({ path: `${REFUNDS}?${'q'.repeat(40_000)}` }));
    assert.equal(answer.reason, 'approval_required');
    assert.equal(problem(answer).approval, undefined);
    assert.match(String(answer.audit.detail), /too long to be shown/);
  });
});

suite('what was granted', () => {
  test('lets the same request pass once, and the next is asked for anew', async () => {
    const what = refund();
    const first = askedBy(await asLedger(what));
    await granted(first);
    const used = await asLedger(what);
    assert.equal(used.reason, 'permitted', String(used.audit.detail));
    assert.deepEqual((used.audit.facts as { approvals: unknown }).approvals, ['resource-owner']);
    assert.deepEqual(used.audit.approval, {
      digest: first.order.digest,
      names: ['resource-owner'],
      body: first.order.body?.sha256,
      request: first.id,
      by: [ANN],
    });
    const again = askedBy(await asLedger(what));
    assert.notEqual(again.id, first.id);
    assert.equal(again.order.digest, first.order.digest);
  });

  test('lets it pass as often as it says, and each use counts', async () => {
    const what = release();
    await granted(askedBy(await asAgent(what)), { uses: 3 });
    const reasons: string[] = [];
    for (let use = 0; use < 4; use++) reasons.push((await asAgent(what)).reason);
    assert.deepEqual(reasons, ['permitted', 'permitted', 'permitted', 'approval_required']);
  });

  test('lets pass what is asked for because of what was opened before', async () => {
    const host = 'rates.partner.example';
    const what = refund({ path: '/v1/rates', host, route: { host, body: '8192' } });
    const request = askedBy(await asAgent(what));
    assert.equal(request.order.host, host);
    await granted(request);
    const passes = await asAgent(what);
    assert.equal(passes.reason, 'permitted', String(passes.audit.detail));
    assert.notEqual(askedBy(await asAgent(what)).id, request.id);
  });

  test('is for ten requests at once no more than for one', async () => {
    const what = refund();
    await granted(askedBy(await asLedger(what)));
    const answers = await Promise.all(Array.from({ length: 10 }, () => asLedger(what)));
    assert.equal(answers.filter(({ reason }) => reason === 'permitted').length, 1);
  });

  test('is used once where Envoy asks twice about one request', async () => {
    const what = refund();
    await granted(askedBy(await asLedger(what)));
    const check = encode(ledgerReads({ ...what, id: 'one-refund' })(world));
    const answers = [await world.call(check), await world.call(check)].map(
      (bytes) => decodeResponse(bytes).status?.code,
    );
    assert.deepEqual(answers, [0, 0]);
    assert.equal((await asLedger(what)).reason, 'approval_required');
  });

  test('is over when its time is', async () => {
    const what = refund();
    const first = askedBy(await asLedger(what));
    await granted(first, { useForMs: -1 });
    assert.notEqual(askedBy(await asLedger(what)).id, first.id);
  });

  test('is over when it was withdrawn, and is not asked for again at once', async () => {
    const what = refund();
    const { id } = askedBy(await asLedger(what));
    await granted(askedBy(await asLedger(what)));
    await world.approvals!.close({ id, kind: 'withdrawn', by: ANN, reason: 'a mistake' }, Date.now());
    assert.equal((await asLedger(what)).reason, 'approval_refused');
  });

  const changes: readonly (readonly [string, Refund])[] = [
    ['another body', { body: '{"amount":121}' }],
    ['the same body with one more blank', { body: `${BODY} ` }],
    ['no body', { body: '' }],
    ['another content type', { headers: { 'content-type': 'text/plain' } }],
    ['another coding of the body', { headers: { 'content-encoding': 'gzip' } }],
    ['a header that policies read', { headers: { 'x-data-class': 'public' } }],
    ['a number that policies read', { headers: { 'x-amount': '1' } }],
    ['a declared task', { headers: { 'x-task-id': 't', 'x-task-purpose': 'finance' } }],
    ['a path that is written in another way', { path: '/api/%72efunds?same' }],
    ['a slash at the end of the path', { path: `${REFUNDS}/?same` }],
    ['another query', { path: `${REFUNDS}?other` }],
    ['an empty query', { path: `${REFUNDS}?` }],
  ];
  for (const [what, change] of changes)
    test(`is not for ${what}`, async () => {
      const same = (over: Refund = {}) => refund({ path: `${REFUNDS}?same`, ...over });
      const first = askedBy(await asLedger(same({ headers: { 'x-case': what } })));
      // Whatever nobody reads may change: an id of the request, the time, where it comes from.
      const other = await asLedger(same({ ...change, headers: { 'x-request-id': 'new', ...change.headers } }));
      assert.notEqual(askedBy(other).id, first.id);
      await granted(first);
      assert.equal((await asLedger(same(change))).reason, 'approval_required');
      const passes = await asLedger(same({ headers: { 'x-request-id': 'another' }, address: '10.2.0.77' }));
      assert.equal(passes.reason, 'permitted', String(passes.audit.detail));
    });

  test('is not for a request that is refused for its form, and is kept', async () => {
    const same = (over: Refund = {}) => refund({ path: `${REFUNDS}?form`, ...over });
    await granted(askedBy(await asLedger(same())));
    for (const [change, reason] of [
      [{ method: 'post' }, 'request_method_malformed'],
      [{ method: 'PUT' }, 'request_method_not_allowed'],
      [{ host: 'payments.internal:8443' }, 'request_host_not_served'],
      [{ headers: { 'content-type': ['application/json', 'text/plain'] } }, 'request_header_repeated'],
      [{ headers: { 'x-http-method-override': 'DELETE' } }, 'request_header_override'],
      [{ headers: { x_amount: '1' } }, 'request_header_underscore'],
      [{ headers: { 'content-length': '13' } }, 'approval_body_unseen'],
      [{ headers: { 'x-envoy-auth-partial-body': 'true' } }, 'approval_body_unseen'],
      [{ route: { body: '14' } }, 'approval_body_unseen'],
    ] as const)
      assert.equal((await asLedger(same(change))).reason, reason, JSON.stringify(change));
    assert.equal((await asLedger(same())).reason, 'permitted');
  });

  test('is not for another task, purpose, or chain', async () => {
    const what = release();
    const first = askedBy(await asAgent(what));
    await granted(first);
    const ids = [
      askedBy(await asAgent(what, { claims: { txn: 't-43' } })).id,
      askedBy(await asAgent(what, { claims: { tctx: { purpose: 'finance' } } })).id,
      askedBy(await handedOn(what)).id,
    ];
    assert.equal(new Set([first.id, ...ids]).size, 4);
    assert.equal((await asAgent(what)).reason, 'permitted');
  });

  test('is found by what the request is, and by no id that a client sends', async () => {
    const what = refund();
    const { id } = askedBy(await asLedger(what));
    await granted(askedBy(await asLedger(what)));
    const headers = { 'x-approval': id, 'x-authz-approval': id, approval: id };
    assert.equal((await asLedger(refund({ headers }))).reason, 'approval_required');
  });

  test('is claimed with the proof of the request: neither is used up without the other', async () => {
    const what = release();
    const claims = { htm: 'POST', htu: ORIGIN + RELEASES };
    const proven = () => agentByDpop({ claims }, what)(world);
    await granted(askedBy(await world.send(proven())));
    const [first, second] = [proven(), proven()];
    const reason = async (ask: Ask) => (await world.send(ask)).reason;
    assert.equal(await reason(first), 'permitted');
    assert.equal(await reason(second), 'approval_required');
    // The proof of a request that was refused for want of an approval is still good.
    await granted(askedBy(await world.send(second)));
    assert.equal(await reason(second), 'permitted');
    // And a proof that was used keeps the approval.
    await granted(askedBy(await world.send(proven())));
    assert.equal(await reason(second), 'task_proof_replayed');
    assert.equal(await reason(proven()), 'permitted');
  });
});

/** Changes the policies, and waits until they are in use. */
async function reloaded(change: () => void): Promise<void> {
  const seen = () => world.audit().filter(({ event }) => event === 'policy-loaded').length;
  const before = seen();
  change();
  await until('the policies', () => (seen() > before ? true : null));
}

suite('what was granted does not prevail', () => {
  test('over a policy that came later', async () => {
    const what = refund();
    await granted(askedBy(await asLedger(what)));
    const file = join(world.folder, 'policies', 'frozen.cedar');
    const rule = 'forbid (principal, action, resource in Mesh::Api::"payments.internal/refunds");';
    await reloaded(() => writeFileSync(file, `@id("refunds-are-frozen") ${rule}`));
    assert.equal((await asLedger(what)).reason, 'policy_forbidden');
    await reloaded(() => rmSync(file));
    assert.equal((await asLedger(what)).reason, 'permitted');
  });

  test('over a policy that asks for one more approval', async () => {
    const what = refund();
    const first = askedBy(await asLedger(what));
    await granted(first);
    const file = join(world.folder, 'policies', 'second.cedar');
    const unless = 'unless { context.approvals.contains("security") }';
    const rule = `@approval("security") forbid (principal, action, resource in Mesh::Api::"payments.internal/refunds") ${unless};`;
    await reloaded(() => writeFileSync(file, `@id("security-approves-refunds") ${rule}`));
    const more = await asLedger(what);
    assert.equal(more.reason, 'approval_required');
    assert.match(String(more.audit.detail), /missing: resource-owner, security;/);
    assert.notEqual(askedBy(more).id, first.id);
    assert.deepEqual(askedBy(more).order.approvals, ['resource-owner', 'security']);
    await granted(askedBy(more));
    const passes = await asLedger(what);
    assert.equal(passes.reason, 'permitted');
    assert.deepEqual((passes.audit.facts as { approvals: unknown }).approvals, ['resource-owner', 'security']);
    await reloaded(() => rmSync(file));
  });

  test('over a policy that lets people give less: fewer uses, a shorter time, by two persons alone', async () => {
    const file = join(world.folder, 'policies', 'releases.cedar');
    const text = readFileSync(file, 'utf8');
    const [few, short, two] = [release(), release(), release()];
    for (const what of [few, short, two]) await granted(askedBy(await asAgent(what)), { uses: 7, useForMs: 3_600_000 });
    const reason = async (what: Refund) => (await asAgent(what)).reason;
    for (const what of [few, short, two]) assert.equal(await reason(what), 'permitted');
    const by = (terms: string) => reloaded(() => writeFileSync(file, text.replace('@approval_uses("7")', terms)));
    try {
      await by('@approval_uses("2")');
      assert.deepEqual([await reason(few), await reason(few)], ['permitted', 'approval_required']);
      await by('@approval_quorum("2") @approval_uses("7")');
      assert.equal(await reason(two), 'approval_required');
      await reloaded(() => writeFileSync(file, text.replace('"1h"', '"1s"')));
      const grantedMs = Date.now();
      await until('the end', () => (Date.now() > grantedMs + 1000 ? true : null));
      assert.equal(await reason(short), 'approval_required');
    } finally {
      await reloaded(() => writeFileSync(file, text));
    }
  });

  test('but not over break-glass, by a policy that takes two persons', async () => {
    const file = join(world.folder, 'policies', 'releases.cedar');
    const text = readFileSync(file, 'utf8');
    await reloaded(() =>
      writeFileSync(file, text.replace('@approval_uses("7")', '@approval_quorum("2") @approval_uses("7")')),
    );
    try {
      const [one, alone] = [release(), release()];
      await granted(askedBy(await asAgent(one)));
      assert.equal((await asAgent(one)).reason, 'approval_required');
      const { id, order } = askedBy(await asAgent(alone));
      const book = world.approvals!;
      assert.equal((await book.review(reviewBy(BOB, BEGINNING), Date.now())).result, 'stored');
      assert.equal((await book.breakGlass(glassBy(ANN, id, order), Date.now())).result, 'stored');
      assert.equal((await asAgent(alone)).reason, 'permitted');
      assert.equal((await asAgent(alone)).reason, 'approval_required', 'once');
    } finally {
      await reloaded(() => writeFileSync(file, text));
    }
  });

  test('over a revocation, and the end of a task', async () => {
    const edit = (config: MeshConfig) => {
      worlds.asking.edit(config);
      requireRegistration(config);
    };
    const registered = await revokingWorld(revocationFile([]), edit, prepare);
    try {
      const asAgent = async (over: Partial<Ask>) => await registered.send(agentByTxn({}, over)(registered));
      const grant = async (answer: Answer) => {
        const { id } = problem(answer).approval ?? assert.fail(answer.reason);
        await granted(registered.approvals!.find(id)!, {}, registered);
      };
      await begun(registered.tasks, {});
      const [one, other] = [release(), release()];
      await grant(await asAgent(one));
      await grant(await asAgent(other));
      await rewrite(registered, revocationFile([{ workload: workload(AGENT) }]));
      assert.equal((await asAgent(one)).reason, 'revoked_workload');
      await rewrite(registered, revocationFile([]));
      assert.equal((await asAgent(one)).reason, 'permitted');
      await endOf(registered.tasks);
      assert.equal((await asAgent(other)).reason, 'task_ended');
    } finally {
      await registered.stop();
    }
  });

  test('over a history that is over: nobody knows how often it was used', async () => {
    const forgetful = await World.start({ ...worlds.asking, prepare, startedAtMs: Date.now() + 60_000 });
    try {
      const what = refund();
      const send = () => forgetful.send(ledgerReads(what)(forgetful));
      const { id } = problem(await send()).approval!;
      await granted(forgetful.approvals!.find(id)!, {}, forgetful);
      const again = problem(await send()).approval!;
      assert.notEqual(again.id, id);
      // It was granted after the history began.
      const late = consentTo(forgetful.approvals!.find(again.id)!);
      const decided = await forgetful.approvals!.grant(late, Date.now() + 120_000);
      assert.equal(decided.result, 'stored');
      assert.equal((await send()).reason, 'permitted');
    } finally {
      await forgetful.stop();
    }
  });
});

suite('a caller that asks without end', () => {
  const ofLedger = () => [...world.approvals!.all()].filter(({ order }) => order.caller === workload(LEDGER)).length;

  test('has five requests before people, and other callers have theirs', async () => {
    const before = ofLedger();
    const answers: Answer[] = [];
    for (let n = 0; n < 8; n++) answers.push(await asLedger(refund()));
    assert.equal(answers.filter((answer) => problem(answer).approval !== undefined).length, 5);
    assert.ok(answers.every(({ reason }) => reason === 'approval_required'));
    assert.match(String(answers.at(-1)?.audit.detail), /5 requests of this caller wait for a person/);
    assert.equal(ofLedger() - before, 5);
    assert.ok(problem(await asAgent(release())).approval);
  });
});
