import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type MeshConfig, World, workload } from '../support/world.ts';
import { AGENT, agentByTxn, LEDGER, ledgerReads } from '../support/world-asks.ts';

const OUTSIDE = 'rates.partner.example';
/** Both may write to the partner, as far as policies of the estate say. */
const POLICY = [LEDGER, AGENT]
  .map(
    (path) => `@id("writes-${path.split('/').at(-1)}")
permit (principal == Mesh::Workload::"${workload(path)}", action == Mesh::Action::"POST", resource in Mesh::Host::"${OUTSIDE}");
`,
  )
  .join('');

/** A sidecar that remembers since an hour ago; `nothingBefore`: what its operator says of the time before. */
async function sidecar(t: TestContext, nothingBefore: string | null) {
  const world = await World.start({
    prepare: (folder) => writeFileSync(join(folder, 'policies', 'touched.cedar'), POLICY),
    edit: (config: MeshConfig) => {
      config.state = { ...config.state, touched: nothingBefore === null ? {} : { nothingBefore } };
    },
  });
  t.after(() => world.stop());
  const outside = { path: '/v1/rates', method: 'POST', host: OUTSIDE, route: { host: OUTSIDE } };
  const ask = async (asked: ReturnType<typeof ledgerReads>) => await world.send(asked(world));
  return {
    world,
    ask,
    ledgerWrites: ledgerReads(outside),
    agentWrites: (txn: string) => agentByTxn({ claims: { txn } }, outside),
  };
}

const inUtc = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+/, '');

test('what has read confidential data writes nothing to the outside, in no task, and the audit tells what it had opened', async (t) => {
  const { ask, ledgerWrites, agentWrites } = await sidecar(t, inUtc(Date.now()));
  for (const writes of [ledgerWrites, agentWrites('a')]) assert.equal((await ask(writes)).reason, 'permitted');
  assert.equal((await ask(agentByTxn({ claims: { txn: 'a' } }))).reason, 'permitted');
  const { reason, audit } = await ask(agentWrites('b'));
  assert.equal(reason, 'approval_required');
  const { touched } = audit.facts as { touched: unknown };
  assert.deepEqual(touched, {
    sensitivity: 'confidential',
    apis: ['payments.internal/invoices'],
    task: { sensitivity: 'public', apis: [] },
  });
  assert.equal((await ask(ledgerWrites)).reason, 'permitted', 'who read nothing');
  assert.equal((await ask(ledgerReads())).reason, 'permitted');
  assert.equal((await ask(ledgerWrites)).reason, 'approval_required');
});

test('of the time before a process nobody knows, unless somebody says so', async (t) => {
  const { world, ask, ledgerWrites } = await sidecar(t, null);
  assert.equal((await ask(ledgerWrites)).reason, 'approval_required');
  await world.stop();
  const far = await sidecar(t, inUtc(Date.now() + 7_200_000));
  assert.equal((await far.ask(far.ledgerWrites)).reason, 'approval_required', 'an instant that lies far ahead');
});
