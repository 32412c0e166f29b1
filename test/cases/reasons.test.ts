import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { type Reason, reasons } from '../../src/base/outcome.ts';
import { type Answer, World } from '../support/world.ts';
import { worlds } from '../support/world-kinds.ts';
import type { ReasonCase } from './reasons/case.ts';
import { identity } from './reasons/identity.ts';
import { operation } from './reasons/operation.ts';
import { approval, policy } from './reasons/policy.ts';
import { request } from './reasons/request.ts';
import { revoked } from './reasons/revoked.ts';
import { chain, task } from './reasons/task.ts';

/**
 * For each reason a request that is refused for it, beside the one that differs in one thing and is permitted. A reason
 * without a case does not compile.
 */
const cases: Readonly<Record<Reason, ReasonCase>> = {
  ...request,
  ...identity,
  ...task,
  ...chain,
  ...policy,
  ...approval,
  ...operation,
  ...revoked,
};

let mesh: World;
let proxies: World;
let asking: World;
let legacy: World;

before(async () => {
  mesh = await World.start(worlds.mesh);
  proxies = await World.start(worlds.proxies);
  asking = await World.start(worlds.asking);
  legacy = await World.start(worlds.legacy);
});
after(async () => {
  await mesh?.stop();
  await proxies?.stop();
  await asking?.stop();
  await legacy?.stop();
});

suite('B01: every denial is explicit in the bytes that Envoy reads', () => {
  for (const [reason, each] of Object.entries(cases) as [Reason, ReasonCase][]) {
    test(reason, async () => {
      const { good, bad } = await answers(each);
      if ('goodIs' in each && each.goodIs !== undefined) assertDenied(good, each.goodIs);
      else assertAllowed(good);
      assertDenied(bad, reason);
    });
  }
});

async function answers(each: ReasonCase): Promise<{ readonly good: Answer; readonly bad: Answer }> {
  if ('play' in each) return each.play();
  const world = { mesh, proxies, asking, legacy }[each.world ?? 'mesh'];
  return { good: await world.send(each.good(world)), bad: await world.send(each.bad(world)) };
}

function assertAllowed({ reason, wire, audit }: Answer): void {
  assert.equal(reason, 'permitted', String(audit.detail));
  assert.equal(wire.status?.code, 0);
  assert.ok(wire.ok !== null && wire.denied === null);
  assert.deepEqual(wire.others, []);
  assert.equal(audit.result, 'allow');
}

function assertDenied({ reason: said, wire, decision, audit }: Answer, reason: Reason): void {
  const row = reasons[reason];
  assert.equal(said, reason, String(audit.detail));
  assert.equal(wire.status?.code, row.status);
  assert.notEqual(wire.status.code, 0);
  assert.ok(wire.denied !== null && wire.ok === null, 'a denial and nothing else');
  assert.deepEqual(wire.others, []);
  assert.equal(wire.denied.http, row.http);
  assert.deepEqual(JSON.parse(wire.denied.body), {
    type: `urn:cedar-ext-authz:reasons#${reason}`,
    title: row.title,
    status: row.http,
    reason,
    decision,
  });
  const values = (name: string) => wire.denied?.headers.filter(({ key }) => key === name).map(({ value }) => value);
  assert.deepEqual(values('content-type'), ['application/problem+json']);
  const challenges = values('www-authenticate') ?? [];
  if (row.http === 401) assert.match(challenges.join(), /^(?:Bearer|DPoP) (?:error|realm)="/);
  else assert.deepEqual(challenges, []);
  assert.equal(wire.metadata?.reason, reason);
  assert.equal(wire.metadata.result, 'deny');
  assertRecorded(audit, decision, reason);
}

/** An allow that was recorded and then could not leave is withdrawn by a line of its own. */
function assertRecorded(audit: Answer['audit'], decision: string, reason: Reason): void {
  assert.equal(audit.decision, decision);
  if (audit.event === 'withdrawn') {
    assert.equal(audit.answered, reason);
  } else {
    assert.equal(audit.result, 'deny');
    assert.equal(audit.reason, reason);
    assert.notEqual(audit.detail, null);
  }
}
