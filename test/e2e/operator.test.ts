import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { verifyAudit } from '../../src/observe/verify.ts';
import { until } from '../support/until.ts';
import { World } from '../support/world.ts';
import { AGENT, agentByTxn, bearer, INVOICE, LEDGER, ledgerReads, READER, svidToken } from '../support/world-asks.ts';

const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const series = async (world: World, name: string): Promise<number | null> => {
  const line = (await world.status('/metrics')).split('\n').find((text) => text.startsWith(`${name} `));
  return line === undefined ? null : Number(line.slice(name.length + 1));
};
const events = (world: World, event: string) => world.audit().filter((line) => line.event === event);

suite('what an operator sees of a sidecar with safe settings', () => {
  let world: World;
  before(async () => {
    world = await World.start({
      edit: ({ policy }) => {
        policy.label = 'commit 6045604';
      },
    });
  });
  after(() => world?.stop());

  test('a line has the traceparent where it is well formed, and null where it is not', async () => {
    const of = async (...values: string[]) => {
      const headers = values.length === 0 ? {} : { traceparent: values.join(',') };
      return (await world.send(ledgerReads({ headers })(world))).audit.request as { traceparent: string | null };
    };
    assert.equal((await of(TRACE)).traceparent, TRACE);
    for (const bad of [
      TRACE.toUpperCase(),
      TRACE.replace(/^00/, 'ff'),
      TRACE.replace(/-[0-9a-f]{32}-/, `-${'0'.repeat(32)}-`),
      TRACE.replace(/-[0-9a-f]{16}-/, `-${'0'.repeat(16)}-`),
      `${TRACE}-${'x'.repeat(5000)}`,
      '',
    ]) {
      assert.equal((await of(bad)).traceparent, null, bad.slice(0, 60));
    }
    assert.equal((await of()).traceparent, null);
  });

  test('a line says which files decided, by revision and label, and who owns each hop', async () => {
    const { audit } = await world.send(ledgerReads()(world));
    const { label, unsafe } = audit.policy as unknown as { label: string; unsafe: readonly string[] };
    assert.deepEqual([label, unsafe], ['commit 6045604', []]);
    const [hop] = audit.hops as readonly { owner: string; kind: string }[];
    assert.deepEqual([hop?.owner, hop?.kind], ['payments', 'service']);
  });

  test('a refusal says whose credential it was, where that was verified', async () => {
    const callerOf = async (ask: Parameters<World['send']>[0]) => {
      const { reason, audit } = await world.send(ask);
      return { reason, ...(audit.caller as { id: string; owner: string | null; fingerprint: string } | null) };
    };
    const stranger = world.svid('/ns/shadow/sa/forgotten');
    const unregistered = await callerOf({ svid: stranger, path: INVOICE });
    assert.deepEqual([unregistered.reason, unregistered.owner], ['caller_unregistered', null]);
    assert.match(unregistered.id ?? '', /\/ns\/shadow\/sa\/forgotten$/);
    assert.match(unregistered.fingerprint ?? '', /^sha256:[0-9a-f]{64}$/);
    const two = { svid: world.svid(LEDGER), path: INVOICE, headers: bearer(svidToken(world, READER)) };
    const conflict = await callerOf(two);
    assert.equal(conflict.reason, 'identity_conflict');
    assert.ok(conflict.id?.endsWith(LEDGER));
    assert.equal((await callerOf({ svid: null, path: INVOICE })).id, undefined);
  });

  test('the theft of a task names the task, the thief, and no assurance', async () => {
    const stolen = agentByTxn()(world);
    const { reason, audit } = await world.send({ ...stolen, svid: world.svid(LEDGER) });
    assert.equal(reason, 'task_of_another');
    const task = audit.task as { id: string; assurance: number | null; token: string } | null;
    assert.equal(task?.assurance, null);
    assert.match(task?.token ?? '', /^sha256:[0-9a-f]{64}$/);
    assert.ok((audit.caller as { id: string }).id.endsWith(LEDGER));
    const rightful = (await world.send(agentByTxn()(world))).audit.task as typeof task;
    assert.equal(rightful?.id, task?.id);
    assert.ok((rightful?.assurance ?? 0) > 0);
  });

  test('times of the status page are written as in the log and the audit', async () => {
    const status = JSON.parse(await world.status('/status'));
    const times = [status.policy.loadedAt, status.policy.lastAttemptAt, status.trustDomains[0].freshAt];
    for (const time of times) assert.equal(new Date(time).toISOString(), time);
    assert.equal(status.policy.label, 'commit 6045604');
    assert.deepEqual(status.unsafe, []);
  });

  test('a forbid that denies has a count of its own', async () => {
    const { audit } = await world.send({ svid: world.svid(AGENT), path: INVOICE });
    const [forbid] = (audit.hops as readonly { forbids: readonly string[] }[]).flatMap(({ forbids }) => forbids);
    assert.ok(forbid !== undefined);
    const name = (kind: string) => `authz_policy_forbids_total{policy="${forbid}",kind="${kind}",result="deny"}`;
    assert.ok(((await series(world, name('guardrail'))) ?? (await series(world, name('policy'))) ?? 0) >= 1);
    assert.ok(((await series(world, 'authz_guardrails_in_force')) ?? 0) > 10);
  });

  test('limits stand beside their gauges, and what there is not has no number', async () => {
    for (const limit of [
      'authz_inflight_limit',
      'authz_audit_queue_limit',
      'authz_cache_limit{cache="proofs"}',
      'authz_trust_bundle_max_stale_seconds{trust_domain="prod.example"}',
      'authz_issuer_keys_max_stale_seconds{issuer="https://as.prod.example"}',
    ]) {
      assert.ok(((await series(world, limit)) ?? 0) > 0, limit);
    }
    assert.notEqual(await series(world, 'authz_issuer_keys_age_seconds{issuer="https://as.prod.example"}'), null);
    assert.equal(await series(world, 'authz_svid_expiry_seconds'), null);
    assert.equal(await series(world, 'authz_ready'), 1);
    assert.match(await world.status('/metrics'), /^authz_build_info\{version="test",node="[^"]+"\} 1$/m);
  });

  test('files that are not served stay visible until they are: a gauge, a line of the log, a line of the audit', async () => {
    const file = join(world.folder, 'policies', 'edited.cedar');
    const outOfDate = () => series(world, 'authz_policy_out_of_date');
    assert.equal(await outOfDate(), 0);
    const first = events(world, 'policy-loaded').at(-1);
    assert.deepEqual([first?.label, first?.previous, first?.unsafe], ['commit 6045604', null, []]);
    writeFileSync(file, 'permit (principal, action, resource) when { nothing };');
    await until('the refusal', async () => ((await outOfDate()) === 1 ? true : null));
    const refused = await until('its line', async () => events(world, 'policy-refused').at(-1) ?? null);
    assert.match((refused.problems as readonly string[])[0] ?? '', /edited\.cedar:1:/);
    assert.equal(refused.revision, first?.revision);
    assert.ok(world.log.some((line) => line.includes('policy snapshot refused, keeping the last good one')));
    writeFileSync(
      file,
      '@id("nobody-does-nothing") forbid (principal, action, resource) when { context.now < datetime("2001-01-01") };',
    );
    const loaded = await until('the good edit', async () => {
      const last = events(world, 'policy-loaded').at(-1);
      return last?.seq === first?.seq ? null : last;
    });
    assert.equal(loaded?.previous, first?.revision);
    await until('the gauge', async () => ((await outOfDate()) === 0 ? true : null));
    const bytes = readFileSync(join(world.folder, 'audit.jsonl'));
    assert.deepEqual((await verifyAudit([bytes])).faults, []);
  });
});

suite('what an operator sees of unsafe settings', () => {
  let world: World;
  before(async () => {
    world = await World.start({
      edit: ({ policy, audit, log }) => {
        log.level = 'warn';
        policy.unsafeObserveOnly = true;
        audit.onFailure = 'unsafeAllow';
      },
    });
  });
  after(() => world?.stop());
  const UNSAFE = ['policy.unsafeObserveOnly', 'audit.onFailure'];

  test('each has a warning at the start, a metric, and a place in status and audit', async () => {
    const warned = world.log
      .map((line) => JSON.parse(line))
      .filter(({ message }) => message === 'unsafe setting in force');
    assert.deepEqual(
      warned.map(({ level, setting }) => [level, setting]),
      UNSAFE.map((setting) => ['warn', setting]),
    );
    for (const setting of UNSAFE) assert.equal(await series(world, `authz_unsafe_settings{setting="${setting}"}`), 1);
    assert.equal(await series(world, 'authz_unsafe_settings{setting="listen.unsafePlaintext"}'), 0);
    assert.deepEqual(JSON.parse(await world.status('/status')).unsafe, UNSAFE);
    assert.deepEqual(events(world, 'boot')[0]?.unsafe, UNSAFE);
    assert.deepEqual(events(world, 'policy-loaded')[0]?.unsafe, UNSAFE);
  });

  test('an allow that policies refused is counted and recorded as observed, and no other is', async () => {
    const observed = 'authz_decisions_total{result="allow",reason="observed",effect="read"}';
    const permitted = observed.replace('observed', 'permitted');
    const [before, beside] = [await series(world, observed), await series(world, permitted)];
    const { audit } = await world.send({ svid: world.svid(AGENT), path: INVOICE });
    assert.deepEqual([audit.result, audit.reason], ['allow', 'observed']);
    const { audit: good } = await world.send(ledgerReads()(world));
    assert.deepEqual([good.result, good.reason], ['allow', 'permitted']);
    // A scrape may be a second old.
    await until('both counts', async () => {
      const counts = [await series(world, observed), await series(world, permitted)];
      return counts[0] === before! + 1 && counts[1] === beside! + 1 ? true : null;
    });
  });
});

test('a first load that fails says that there is no snapshot, and neither age nor guardrails have a number', async (t) => {
  const world = await World.start({
    prepare: (folder) => writeFileSync(join(folder, 'policies', 'broken.cedar'), 'permit (principal'),
  });
  t.after(() => world.stop());
  const messages = world.log.map((line) => JSON.parse(line).message);
  assert.ok(messages.includes('no policy snapshot could be loaded'));
  assert.ok(!messages.some((message) => message.includes('last good')));
  assert.equal(await series(world, 'authz_policy_snapshot_age_seconds'), null);
  assert.equal(await series(world, 'authz_guardrails_in_force'), null);
  assert.deepEqual([await series(world, 'authz_policy_out_of_date'), await series(world, 'authz_ready')], [1, 0]);
});
