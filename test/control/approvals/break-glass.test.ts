import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { personText } from '../../../src/identity/person.ts';
import { BEGINNING, REVIEW_MS } from '../../../src/state/approvals/break-glass.ts';
import type { ApprovalOrder } from '../../../src/state/approvals/order.ts';
import { blocks, page } from '../../docs/markdown.ts';
import { approvalOrder, glassBy, reviewBy } from '../../support/approvals.ts';
import type { ConsoleWorld } from '../../support/console-world.ts';
import { CONTROL } from '../../support/control-world.ts';
import { type PersonAnswer, SignedInPeople } from '../../support/signed-in-people.ts';
import { jwtSvid } from '../../support/tokens.ts';
import { until } from '../../support/until.ts';
import { workload } from '../../support/world.ts';

const AGENT = workload('/ns/agents/sa/billing-agent');
const SUBJECTS = 'https://tts.prod.example';
const EMERGENCY = 'the payments are down, INC-4711';

/** What the page says that lets persons break glass, and others review it. */
const documented = blocks(page('docs/approvals.md').text).find(({ info }) => info === 'cedar control')!.text;

let world: ConsoleWorld;
let people: SignedInPeople;
before(async () => {
  people = await SignedInPeople.start(SUBJECTS, {
    accounts: {
      ann: { groups: ['emergency', 'approvers'] },
      bob: { groups: ['emergency', 'reviewers'] },
      carol: { groups: ['reviewers'] },
      dora: { groups: ['emergency', 'approvers'] },
      eve: { groups: ['approvers'] },
      fay: { groups: ['emergency'] },
      gil: { groups: ['emergency'] },
      old: { groups: ['emergency', 'reviewers'], age: 1200 },
    },
    policies: `
@id("approvers") permit (principal in Control::PersonGroup::"approvers", action in Control::Action::"opens", resource);
@id("approvers-end") permit (principal is Control::Person, action in Control::Action::"closes", resource);
@id("approvers-see") permit (principal is Control::Person, action in Control::Action::"reads", resource);
${documented}
@id("workloads") permit (principal is Control::Workload, action, resource);
`,
  });
  world = people.world;
});
after(() => world.stop());

let asked = 0;
function order(over: Partial<ApprovalOrder> = {}): ApprovalOrder {
  const own = workload(`/ns/agents/sa/agent-${asked}`);
  return approvalOrder({ caller: own, chain: [own], task: null, path: `/refunds/${++asked}`, ...over });
}
const waiting = (of = order()) => people.waiting(of);
const ask = (name: string, path: string, body?: unknown) => people.ask(name, path, body);
const breakGlass = (name: string, { id, digest }: { id: string; digest: string }, reason = EMERGENCY) =>
  ask(name, `/approvals/${id}/break-glass`, { digest, reason });
const review = (name: string, id: string) => ask(name, `/approvals/${id}/review`, { reason: 'it was an emergency' });
const by = (name: string) => personText({ issuer: world.provider.url, subject: name });
const codeOf = ({ status, json }: PersonAnswer) => [status, json.code];
const listed = async (name: string, query: string) =>
  ((await ask(name, `/approvals?${query}`)).json.items as Record<string, unknown>[]).map(({ id }) => id);

test('before somebody else has begun the record nobody breaks glass', async () => {
  const one = await waiting();
  const early = await breakGlass('bob', one);
  assert.deepEqual(codeOf(early), [403, 'break_glass_unreviewed']);
  assert.match(String(early.json.detail), /'beginning'/);
  assert.deepEqual(codeOf(await review('ann', BEGINNING)), [403, 'not_permitted']);
  assert.deepEqual(codeOf(await review('old', BEGINNING)), [403, 'sign_in_too_old']);
  assert.equal((await review('bob', BEGINNING)).status, 200);
  assert.deepEqual(codeOf(await breakGlass('bob', one)), [403, 'break_glass_unreviewed'], 'not by itself');
  const begun = await review('carol', BEGINNING);
  assert.deepEqual([begun.status, begun.json.approval], [200, null]);
  assert.equal((await breakGlass('bob', one)).status, 200);
  assert.equal((await review('carol', one.id)).status, 200);
});

test('one person alone lets one request pass, the audit says so before, and another person reviews it', async () => {
  const one = await waiting();
  const used = await breakGlass('ann', one);
  assert.equal(used.status, 200, JSON.stringify(used.json));
  const { state, grant, breakGlass: glass } = used.json.approval as Record<string, Record<string, unknown>>;
  assert.deepEqual([state, grant!.by, grant!.uses], ['granted', [by('ann')], 1]);
  assert.deepEqual([glass!.by, glass!.reason, glass!.review], [by('ann'), EMERGENCY, null]);
  const [opened] = world.approvals!.grantsOf(one.digest, Date.now());
  assert.deepEqual([opened!.id, opened!.uses, opened!.untilMs - opened!.grantedAtMs], [one.id, 1, 600_000]);
  const line = world.auditLines().findLast(({ call }) => call === 'breakGlass')!;
  const about = line.about as Record<string, unknown>;
  assert.deepEqual([line.result, line.action, line.permits], ['allow', 'breakGlass', ['emergency']]);
  assert.deepEqual([about.digest, about.reason, about.uses], [one.digest, EMERGENCY, 1]);
  assert.deepEqual(codeOf(await breakGlass('dora', one)), [409, 'conflict'], 'twice, in another tab');

  assert.deepEqual(await listed('carol', 'review=waiting'), [one.id]);
  assert.deepEqual(codeOf(await review('ann', one.id)), [403, 'not_permitted']);
  assert.deepEqual(codeOf(await review('carol', 'A'.repeat(22))), [404, 'not_found']);
  const reviewed = await review('carol', one.id);
  assert.equal(reviewed.status, 200, JSON.stringify(reviewed.json));
  const { breakGlass: after } = reviewed.json.approval as Record<string, Record<string, unknown>>;
  assert.equal((after!.review as Record<string, unknown>).by, by('carol'));
  assert.deepEqual(await listed('carol', 'review=waiting'), []);
  assert.deepEqual(codeOf(await review('carol', one.id)), [409, 'conflict'], 'twice');
});

test('nobody reviews its own, nor what was asked for its own task', async () => {
  const task = { issuer: SUBJECTS, id: 't-41', purpose: 'finance', subject: 'bob' };
  const of = await waiting(order({ task }));
  assert.equal((await breakGlass('dora', of)).status, 200);
  assert.deepEqual(codeOf(await review('bob', of.id)), [403, 'own_request']);
  assert.equal((await review('carol', of.id)).status, 200);
  const one = await waiting();
  assert.equal((await breakGlass('bob', one)).status, 200);
  assert.deepEqual(codeOf(await review('bob', one.id)), [403, 'own_request']);
  assert.equal((await review('carol', one.id)).status, 200);
});

test('who may grant may not break glass, nor may a workload, whatever policies say', async () => {
  const one = await waiting();
  assert.deepEqual(codeOf(await breakGlass('eve', one)), [403, 'not_permitted']);
  const secret = await waiting(order({ host: 'secret.internal' }));
  assert.deepEqual(codeOf(await breakGlass('ann', secret)), [403, 'not_permitted']);
  for (const what of ['break-glass', 'review']) {
    const body = { reason: EMERGENCY, ...(what === 'review' ? {} : { digest: one.digest }) };
    const answer = await asWorkload(`/approvals/${one.id}/${what}`, body);
    assert.deepEqual(codeOf(answer), what === 'review' ? [404, 'not_found'] : [403, 'not_permitted']);
  }
  assert.equal((await ask('eve', `/approvals/${one.id}/grant`, { digest: one.digest, reason: 'r' })).status, 200);
});

test('an old sign-in, a short reason or another request than the one that was shown lets nothing pass', async () => {
  const one = await waiting();
  assert.deepEqual(codeOf(await breakGlass('old', one)), [403, 'sign_in_too_old']);
  assert.deepEqual(codeOf(await breakGlass('ann', one, 'it is down')), [422, 'body_invalid']);
  assert.deepEqual(codeOf(await breakGlass('ann', one, `it is down${' '.repeat(20)}`)), [422, 'body_invalid']);
  assert.deepEqual(codeOf(await ask('ann', `/approvals/${one.id}/break-glass`, { reason: EMERGENCY })), [
    422,
    'body_invalid',
  ]);
  assert.deepEqual(codeOf(await breakGlass('ann', { ...one, digest: order().digest })), [409, 'conflict']);
  assert.deepEqual(world.approvals!.grantsOf(one.digest, Date.now()), []);
  assert.equal((await breakGlass('ann', one)).status, 200);
  assert.equal((await review('carol', one.id)).status, 200);
});

test('nobody breaks glass for a task that it started; where it takes two, one passes over the other', async () => {
  const task = { issuer: SUBJECTS, id: 't-42', purpose: 'finance', subject: 'ann' };
  const own = await waiting(order({ task }));
  const refused = await breakGlass('ann', own);
  assert.deepEqual(codeOf(refused), [403, 'own_request']);
  assert.equal((await breakGlass('dora', own)).status, 200);
  assert.equal((await review('carol', own.id)).status, 200);
  const unknown = await waiting(order({ task: { ...task, issuer: 'https://silent.prod.example' } }));
  const first = await ask('eve', `/approvals/${unknown.id}/grant`, { digest: unknown.digest, reason: 'r' });
  assert.equal((first.json.approval as Record<string, unknown>).state, 'pending', 'a grant takes two persons');
  assert.equal((await breakGlass('ann', unknown)).status, 200);
  assert.deepEqual(world.approvals!.grantsOf(unknown.digest, Date.now())[0]!.by, [by('ann')]);
  assert.equal((await review('carol', unknown.id)).status, 200);
});

test('nobody breaks glass for what is revoked', async () => {
  const one = await waiting(order({ caller: AGENT, chain: [AGENT] }));
  const end = new Date(Date.now() + 60_000).toISOString();
  const revoked = await asWorkload('/revocations', {
    id: 'INC-1',
    workload: one.order.caller,
    until: end,
    reason: 'r',
  });
  assert.equal(revoked.status, 201, JSON.stringify(revoked.json));
  const refused = await breakGlass('ann', one);
  assert.deepEqual(codeOf(refused), [409, 'conflict']);
  assert.match(String(refused.json.detail), /revoked by INC-1/);
  assert.equal((await ask('dora', '/revocations/INC-1/lift', { reason: 'found' })).status, 200);
  assert.equal((await breakGlass('ann', one)).status, 200);
  assert.equal((await review('carol', one.id)).status, 200);
});

test('nobody breaks glass for a task that is over', async () => {
  const id = 't-over';
  const until = new Date(Date.now() + 3_000_000).toISOString();
  const started = await ask('eve', '/tasks', {
    ...{ issuer: SUBJECTS, id, purpose: 'reconcile-invoices', workloads: [AGENT], until, reason: 'r' },
  });
  assert.equal(started.status, 201, JSON.stringify(started.json));
  const task = { issuer: SUBJECTS, id, purpose: 'reconcile-invoices', subject: null };
  const [one, two] = [await waiting(order({ task })), await waiting(order({ task }))];
  assert.equal((await breakGlass('ann', one)).status, 200);
  assert.equal((await review('carol', one.id)).status, 200);
  const { key } = (started.json.task ?? started.json) as { key: string };
  assert.equal((await ask('eve', `/tasks/${key}/end`, { reason: 'done' })).status, 200);
  const over = await breakGlass('ann', two);
  assert.deepEqual(codeOf(over), [409, 'conflict']);
  assert.match(String(over.json.detail), /the task is ended/);
});

test('what is not reviewed within a day keeps the right back, and so do three that wait', async () => {
  const book = world.approvals!;
  const late = await waiting();
  assert.equal(
    (await book.breakGlass(glassBy(by('fay'), late.id, late.order), Date.now() - REVIEW_MS)).result,
    'stored',
  );
  const next = await waiting();
  const resting = await breakGlass('fay', next);
  assert.deepEqual(codeOf(resting), [403, 'break_glass_unreviewed']);
  assert.match(String(resting.json.detail), new RegExp(late.id));
  const line = world.auditLines().findLast(({ call }) => call === 'breakGlass')!;
  assert.deepEqual([line.result, line.reason], ['deny', 'break_glass_unreviewed']);
  await until('the gauge', async () => ((await measured('authz_break_glass_overdue')) === '1' ? true : null));
  assert.deepEqual(await listed('carol', 'review=waiting'), [late.id]);
  assert.equal((await book.review(reviewBy(by('carol'), late.id), Date.now())).result, 'stored');
  assert.equal((await breakGlass('fay', next)).status, 200);

  const three = [await waiting(), await waiting(), await waiting()];
  for (const each of three) assert.equal((await breakGlass('gil', each)).status, 200);
  const fourth = await waiting();
  assert.deepEqual(codeOf(await breakGlass('gil', fourth)), [403, 'break_glass_unreviewed']);
  await until('the gauge', async () => ((await measured('authz_break_glass_unreviewed')) === '4' ? true : null));
  assert.equal((await review('carol', three[0]!.id)).status, 200);
  assert.equal((await breakGlass('gil', fourth)).status, 200);
});

test('metrics count what became of it, and how long whoever asked waited', async () => {
  // A page of metrics is kept for a moment.
  const used = () => measured('authz_break_glass_total{outcome="used"}');
  await until('the counters', async () => (Number(await used()) >= 12 ? true : null));
  for (const [outcome, least] of [
    ['reviewed', 10],
    ['unreviewed', 4],
    ['refused', 3],
  ] as const) {
    const count = await measured(`authz_break_glass_total{outcome="${outcome}"}`);
    assert.ok(Number(count) >= least, `${outcome} ${count}`);
  }
  const decided = (decision: string) => measured(`authz_approval_decision_seconds_count{decision="${decision}"}`);
  assert.deepEqual(
    [await decided('granted'), await decided('refused')],
    ['1', '0'],
    'the first yes of two is no decision',
  );
  assert.ok(Number(await measured('authz_approval_decision_seconds_bucket{le="1800",decision="break-glass"}')) > 9);
});

/** The value of one series. */
async function measured(series: string): Promise<string | undefined> {
  const lines = (await world.status('/metrics')).split('\n');
  return lines.find((line) => line.startsWith(`${series} `))?.slice(series.length + 1);
}

/** The agent at the control port, by a token. */
async function asWorkload(path: string, body: unknown): Promise<PersonAnswer> {
  const token = jwtSvid({ key: world.keys.domain, sub: AGENT, aud: CONTROL });
  const response = await fetch(`${world.control}${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
  });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}
