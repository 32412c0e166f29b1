import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { canonicalJson } from '../../../src/base/json.ts';
import { personText } from '../../../src/identity/person.ts';
import type { ApprovalOrder } from '../../../src/state/approvals/order.ts';
import { approvalOrder } from '../../support/approvals.ts';
import type { ConsoleWorld } from '../../support/console-world.ts';
import { CONTROL } from '../../support/control-world.ts';
import { type PersonAnswer, SignedInPeople } from '../../support/signed-in-people.ts';
import { jwtSvid } from '../../support/tokens.ts';
import { until } from '../../support/until.ts';
import { workload } from '../../support/world.ts';

const APPROVERS = ['approvers'];
const AGENT = workload('/ns/agents/sa/billing-agent');
const OTHER = workload('/ns/agents/sa/orchestrator');
const SUBJECTS = 'https://tts.prod.example';

let world: ConsoleWorld;
let people: SignedInPeople;
before(async () => {
  people = await SignedInPeople.start(SUBJECTS, {
    accounts: {
      ann: { groups: APPROVERS, name: 'Ann' },
      bob: { groups: APPROVERS },
      carol: { groups: APPROVERS },
      eve: { groups: ['others'] },
      old: { groups: APPROVERS, age: 1200 },
    },
    policies: `
@id("approvers-decide")
permit (
  principal in Control::PersonGroup::"approvers",
  action in [Control::Action::"view", Control::Action::"grant", Control::Action::"refuse", Control::Action::"withdraw"],
  resource is Control::Approval
)
when { resource.name == "resource-owner" && resource.host != "secret.internal" };
@id("all") permit (principal is Control::Workload, action, resource) unless { resource is Control::Approval };
`,
  });
  world = people.world;
});
after(() => world.stop());

let asked = 0;
/** Another request of the agent, which waits for a person: of no task, so that all may grant it. */
function order(over: Partial<ApprovalOrder> = {}): ApprovalOrder {
  return approvalOrder({ caller: AGENT, chain: [AGENT], task: null, path: `/refunds/${++asked}`, ...over });
}
const waiting = (of = order()) => people.waiting(of);
const ask = (name: string, path: string, body?: unknown) => people.ask(name, path, body);
const decide = (name: string, id: string, what: string, body: Record<string, unknown> = {}) =>
  ask(name, `/approvals/${id}/${what}`, { reason: 'it is in the contract', ...body });
const by = (name: string) => personText({ issuer: world.provider.url, subject: name });
const codeOf = ({ status, json }: PersonAnswer) => [status, json.code];
/** Lets the others wait no more, so that the next test may ask. */
const settle = (id: string) => decide('ann', id, 'refuse');

test('a person grants what was shown; the same request passes then, and the audit says who, why and what', async () => {
  const { id, digest, order: of } = await waiting();
  const list = await ask('ann', '/approvals?state=pending');
  const items = list.json.items as Record<string, unknown>[];
  const shown = items.find((item) => item.id === id)!;
  assert.deepEqual(
    [shown.caller, shown.method, shown.host, shown.path, shown.digest, shown.body],
    [of.caller, 'POST', of.host, of.path, digest, of.body],
  );
  const [{ since, ...first }, other] = [shown.alike as Record<string, unknown>, await waiting()];
  assert.deepEqual(first, { asked: 1, granted: 0 });
  assert.ok(Date.parse(String(since)) <= Date.now(), String(since));
  const granted = await decide('ann', id, 'grant', { digest });
  assert.equal(granted.status, 200, JSON.stringify(granted.json));
  const { state, grant, decided } = granted.json.approval as Record<string, Record<string, unknown>>;
  assert.deepEqual([state, grant!.by, grant!.uses], ['granted', [by('ann')], 1]);
  assert.equal(decided!.reason, 'it is in the contract');
  const { alike } = (await ask('ann', `/approvals/${other.id}`)).json;
  assert.deepEqual(alike, { asked: 2, granted: 1, since });
  await settle(other.id);
  assert.deepEqual(
    world.approvals!.grantsOf(digest, Date.now()).map((one) => one.id),
    [id],
  );
  const line = world.auditLines().findLast(({ call }) => call === 'grantApproval')!;
  const about = line.about as Record<string, unknown>;
  assert.deepEqual([line.result, line.permits, about.digest], ['allow', ['approvers-decide'], digest]);
  assert.deepEqual([about.asking, about.reason, about.quorum], [of.caller, 'it is in the contract', 1]);
  // Of all that was shown, but for what changes with other requests.
  const { alike: _, ...facts } = shown;
  assert.equal(about.shown, hash('sha256', canonicalJson(facts), 'base64url'));
  assert.deepEqual(codeOf(await decide('bob', id, 'grant', { digest })), [409, 'conflict'], 'twice, in another tab');
  assert.deepEqual(codeOf(await decide('bob', id, 'refuse')), [409, 'conflict']);
  assert.equal((await decide('bob', id, 'withdraw')).status, 200);
  assert.deepEqual(world.approvals!.grantsOf(digest, Date.now()), []);
});

test('a grant of another request than the stored one, of too much, without a reason, or by an old sign-in is refused', async () => {
  const { id, digest } = await waiting();
  assert.deepEqual(codeOf(await decide('ann', id, 'grant', { digest: order().digest })), [409, 'conflict']);
  assert.deepEqual(codeOf(await decide('ann', id, 'grant')), [422, 'body_invalid']);
  assert.deepEqual(codeOf(await decide('ann', id, 'grant', { digest, reason: '' })), [422, 'body_invalid']);
  assert.deepEqual(codeOf(await decide('ann', id, 'grant', { digest, uses: 2 })), [422, 'grant_exceeded']);
  assert.deepEqual(codeOf(await decide('ann', id, 'grant', { digest, seconds: 601 })), [422, 'grant_exceeded']);
  assert.deepEqual(codeOf(await decide('old', id, 'grant', { digest })), [403, 'sign_in_too_old']);
  assert.deepEqual(codeOf(await decide('ann', 'A'.repeat(22), 'grant', { digest })), [404, 'not_found']);
  assert.equal((await decide('ann', id, 'grant', { digest, uses: 1, seconds: 600 })).status, 200);
});

test('a role that is withdrawn between load and click decides nothing', async () => {
  const { id, digest } = await waiting();
  const file = join(world.folder, 'policies', 'control', 'operators.cedar');
  const policies = readFileSync(file, 'utf8');
  const seen = async () => (await ask('ann', `/approvals/${id}`)).status;
  assert.equal(await seen(), 200);
  writeFileSync(file, policies.replace('"approvers"', '"approvers of tomorrow"'));
  try {
    await until('the change', async () => ((await seen()) === 200 ? null : true));
    assert.deepEqual(codeOf(await decide('ann', id, 'grant', { digest })), [403, 'not_permitted']);
  } finally {
    writeFileSync(file, policies);
  }
  await until('the role again', async () => ((await seen()) === 200 ? true : null));
  assert.equal((await decide('ann', id, 'grant', { digest })).status, 200);
});

test('who has no role sees nothing and decides nothing, nor does a workload, whatever policies say', async () => {
  const { id, digest } = await waiting();
  assert.deepEqual(codeOf(await ask('eve', '/approvals')), [403, 'not_permitted']);
  assert.deepEqual(codeOf(await ask('eve', `/approvals/${id}`)), [404, 'not_found']);
  for (const what of ['grant', 'refuse', 'withdraw'])
    assert.deepEqual(codeOf(await decide('eve', id, what, what === 'grant' ? { digest } : {})), [403, 'not_permitted']);
  const secret = await waiting(order({ host: 'secret.internal' }));
  assert.deepEqual(codeOf(await ask('ann', `/approvals/${secret.id}`)), [404, 'not_found']);
  const unnamed = await waiting(order({ approvals: ['resource-owner', 'other'] }));
  assert.deepEqual(codeOf(await decide('ann', unnamed.id, 'grant', { digest: unnamed.digest })), [
    403,
    'not_permitted',
  ]);
  for (const what of ['grant', 'refuse', 'withdraw']) {
    const body = { reason: 'r', ...(what === 'grant' ? { digest } : {}) };
    assert.deepEqual(codeOf(await asWorkload(AGENT, `/approvals/${id}/${what}`, body)), [403, 'not_permitted']);
  }
  assert.equal((await settle(id)).status, 200);
});

test('what was permitted when the page was loaded is judged again at the click', async () => {
  const file = join(world.folder, 'policies', 'control', 'operators.cedar');
  const text = readFileSync(file, 'utf8');
  const policies = async (now: string) => {
    const loads = () => world.auditLines().filter(({ event }) => event === 'policy-loaded').length;
    const before = loads();
    writeFileSync(file, now);
    await until('the policies', () => (loads() > before ? true : null));
  };
  const { id, digest } = await waiting();
  assert.equal((await ask('ann', `/approvals/${id}`)).json.digest, digest);
  await policies(text.replace('PersonGroup::"approvers"', 'PersonGroup::"others"'));
  assert.deepEqual(codeOf(await decide('ann', id, 'grant', { digest })), [403, 'not_permitted']);
  assert.equal(world.approvals!.find(id)?.grant, null);
  await policies(text);
  assert.equal((await decide('ann', id, 'grant', { digest })).status, 200);
});

test('a link decides nothing, and nothing decides about several at once', async () => {
  const { id, digest } = await waiting();
  for (const what of ['grant', 'refuse', 'withdraw'])
    for (const query of ['', `?digest=${digest}&reason=r`])
      assert.equal((await ask('ann', `/approvals/${id}/${what}${query}`)).status, 405);
  assert.deepEqual(codeOf(await ask('ann', '/approvals/grant', { digest, reason: 'r' })), [405, 'method_not_allowed']);
  assert.equal(world.approvals!.find(id)?.consents.length, 0);
  assert.equal((await decide('ann', id, 'grant', { digest })).status, 200);
});

test('of two persons each session of one is the same person', async () => {
  const task = { issuer: 'https://silent.prod.example', id: 't-7', purpose: 'finance', subject: 'dan' };
  const { id, digest } = await waiting(order({ task }));
  await people.signIn('ann', 'ann in another browser');
  const stateOf = ({ json }: PersonAnswer) => (json.approval as Record<string, unknown> | undefined)?.state;
  assert.equal(stateOf(await decide('ann', id, 'grant', { digest })), 'pending');
  const second = await decide('ann in another browser', id, 'grant', { digest });
  assert.deepEqual(codeOf(second), [409, 'conflict']);
  assert.equal(stateOf(await decide('bob', id, 'grant', { digest })), 'granted');
});

test('whoever asked sees what became of it, and no other workload does', async () => {
  const { id } = await waiting();
  const own = await asWorkload(AGENT, `/approvals/${id}`);
  assert.deepEqual([own.status, own.json.state, own.json.caller], [200, 'pending', undefined]);
  assert.deepEqual(codeOf(await asWorkload(OTHER, `/approvals/${id}`)), [404, 'not_found']);
  assert.equal((await settle(id)).status, 200);
  assert.equal((await asWorkload(AGENT, `/approvals/${id}`)).json.state, 'refused');
});

test('what was refused is not asked again for a while', async () => {
  const { id, order: of } = await waiting();
  assert.equal((await decide('ann', id, 'refuse')).status, 200);
  assert.equal((await world.approvals!.ask(of, Date.now())).result, 'refused');
});

test('nobody grants what is asked for a task that it started; where nobody knows who did, it takes two', async () => {
  const task = { issuer: SUBJECTS, id: 't-42', purpose: 'finance', subject: 'carol' };
  const own = await waiting(order({ task }));
  const refused = await decide('carol', own.id, 'grant', { digest: own.digest });
  assert.deepEqual(codeOf(refused), [403, 'own_request']);
  assert.match(String(refused.json.detail), /task that you started/);
  assert.equal((await decide('ann', own.id, 'grant', { digest: own.digest })).status, 200);
  const unknown = await waiting(order({ task: { ...task, issuer: 'https://silent.prod.example' } }));
  const first = await decide('carol', unknown.id, 'grant', { digest: unknown.digest });
  assert.equal((first.json.approval as Record<string, unknown>).state, 'pending');
  assert.deepEqual(codeOf(await decide('carol', unknown.id, 'grant', { digest: unknown.digest })), [409, 'conflict']);
  assert.deepEqual(world.approvals!.grantsOf(unknown.digest, Date.now()), []);
  const second = await decide('bob', unknown.id, 'grant', { digest: unknown.digest });
  assert.equal((second.json.approval as Record<string, unknown>).state, 'granted');
  const [grant] = world.approvals!.grantsOf(unknown.digest, Date.now());
  assert.deepEqual(grant!.by, [by('carol'), by('bob')]);
});

/** A workload at the control port, by a token. */
async function asWorkload(id: string, path: string, body?: unknown): Promise<PersonAnswer> {
  const token = jwtSvid({ key: world.keys.domain, sub: id, aud: CONTROL });
  const response = await fetch(`${world.control}${path}`, {
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
  });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}
