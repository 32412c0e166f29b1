import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { askForReleases, problem, release } from '../support/refunds.ts';
import { type Answer, type Ask, World, workload } from '../support/world.ts';
import { agentByChain, agentByTxn, ledgerReads, ORCHESTRATOR } from '../support/world-asks.ts';
import { worlds } from '../support/world-kinds.ts';

/**
 * The agent lacks an approval to announce a release. The orchestrator, which handed the task on to it, lacks none; but about
 * it this decides as soon as the approval is there.
 */
const onceApproved = (rule: string) => `
@id("orchestrators-keep-out-of-approved-releases")
forbid (principal == Mesh::Workload::"${workload(ORCHESTRATOR)}", action, resource in Mesh::Api::"payments.internal/releases")
when { context.approvals.contains("release-manager") && ${rule} };
`;

/** A sidecar before which nothing was opened. `policies`: more of them. */
async function asking(t: TestContext, policies = '') {
  const world = await World.start({
    edit: (config) => {
      worlds.asking.edit(config);
      config.state = { ...config.state, touched: { nothingBefore: new Date().toISOString().replace(/\.\d+/, '') } };
    },
    prepare: (folder) => {
      askForReleases(folder);
      if (policies !== '') writeFileSync(join(folder, 'policies', 'more.cedar'), policies);
    },
  });
  t.after(() => world.stop());
  const asAgent = (base: Ask, over: Partial<Ask>): Promise<Answer> =>
    world.send({ ...base, ...over, headers: { ...base.headers, ...over.headers } });
  return {
    world,
    /** How many requests were put to people. */
    asked: () => [...world.approvals!.all()].length,
    alone: (over: Partial<Ask> = {}) => asAgent(agentByTxn()(world), over),
    handedOn: (over: Partial<Ask>) => asAgent(agentByChain()(world), over),
  };
}

test('nobody is asked for what one hop lacks where another hop would be refused because of it', async (t) => {
  const { asked, alone, handedOn } = await asking(t, onceApproved('true'));
  const { reason, audit } = await handedOn(release());
  assert.equal(reason, 'policy_forbidden', String(audit.detail));
  assert.equal(asked(), 0);
  assert.ok(problem(await alone(release())).approval, 'without the other hop');
});

test('what was opened before is read where it decides only once the approvals are there', async (t) => {
  const { asked, alone, handedOn } = await asking(t, onceApproved('context.touched.sensitivity >= 2'));
  const before = await handedOn(release());
  assert.equal(before.reason, 'approval_required', String(before.audit.detail));
  assert.ok(problem(before).approval, 'nobody is asked');
  assert.equal((before.audit.facts as { touched?: { sensitivity: string } }).touched?.sensitivity, 'public');
  assert.equal((await alone()).reason, 'permitted', 'it reads what is confidential');
  const afterwards = await handedOn(release());
  assert.equal(afterwards.reason, 'policy_forbidden', String(afterwards.audit.detail));
  assert.equal(asked(), 1);
});

test('a caller that asks too often is told so, and is judged with approvals no more if it goes on; others are not hindered', async (t) => {
  const { world, alone } = await asking(t);
  const what = release({ path: '/api/refunds?again' });
  const answers = await Promise.all(Array.from({ length: 250 }, () => world.send(ledgerReads(what)(world))));
  assert.ok(answers.every(({ reason }) => reason === 'approval_required'));
  const said = (detail: RegExp) => answers.filter(({ audit }) => detail.test(String(audit.detail)));
  const [asked, asks, lacks] = [
    /; asked for as /,
    /; this caller asks too often$/,
    /; this caller lacks them too often$/,
  ];
  assert.equal(said(asked).length, 100);
  assert.ok(said(asks).length > 0, 'asks too often');
  assert.ok(said(lacks).length > 0, 'lacks them too often');
  assert.equal(said(asked).length + said(asks).length + said(lacks).length, 250);
  assert.equal(answers.filter((answer) => problem(answer).approval !== undefined).length, 100);
  assert.ok(problem(await alone(release())).approval, 'another caller');
});
