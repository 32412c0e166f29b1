import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Ask, ask } from '../support/client.ts';
import { connectionManager, type Envoy, type EnvoyTree } from '../support/envoy.ts';
import { Estate, PAYMENTS, type Prepare, TRUST_DOMAIN, workload } from '../support/estate.ts';
import { noRedis, Redis } from '../support/redis.ts';
import { secondSidecar } from '../support/second-sidecar.ts';
import { ending } from '../support/started.ts';
import { TaskIssuer } from '../support/task-issuer.ts';

/** What was opened behind one Envoy counts behind another one, whose sidecar has the same store. */

const skip = noRedis;
const OUTSIDE = 'desk.partner.example';
const READER = '/ns/agents/sa/billing-agent';
const CONTROL = '/ns/agents/sa/refund-agent';
const POLICY = `
@id("finance-agents-tell-a-partner")
permit (principal in Mesh::Group::"finance-agents", action == Mesh::Action::"POST", resource in Mesh::Host::"${OUTSIDE}")
when { context has task && context.task.purpose in Mesh::Purpose::"finance" };
`;

const issuer = new TaskIssuer(TRUST_DOMAIN);
const started = new AsyncDisposableStack();
let first: Estate;
let second: Envoy;

const prepare =
  (redis: Redis): Prepare =>
  (dir) => {
    writeFileSync(join(dir, 'policies', 'partner.cedar'), POLICY);
    const inventory = join(dir, 'inventory.yaml');
    let text = readFileSync(inventory, 'utf8');
    const agent = `  - id: ${workload(READER)}\n`;
    const another = `  - { id: ${workload(CONTROL)}, owner: payments, kind: agent, external: false, groups: [finance-agents] }\n`;
    const partner = '  - host: rates.partner.example\n';
    const desk = `  - { host: ${OUTSIDE}, external: true, owner: platform, sensitivity: internal }\n`;
    for (const [before, changed] of [
      [agent, another + agent],
      [partner, desk + partner],
    ] as const) {
      assert.ok(text.includes(before));
      text = text.replace(before, changed);
    }
    writeFileSync(inventory, text);
    return {
      hosts: [PAYMENTS, OUTSIDE],
      task: issuer.configure(dir),
      state: {
        store: 'redis',
        url: `redis://127.0.0.1:${redis.port}`,
        timeout: '5s',
        touched: { nothingBefore: new Date().toISOString().replace(/\.\d+/, '') },
      },
    };
  };

/** The way out of the mesh, beside the one to the service. */
function routeOutside(tree: EnvoyTree): void {
  const { route_config } = connectionManager(tree);
  const outside = structuredClone(route_config.virtual_hosts[0]!);
  outside.name = 'partner';
  outside.domains = [OUTSIDE];
  outside.routes.shift();
  for (const { check_settings } of Object.values(outside.typed_per_filter_config ?? {}))
    check_settings!.context_extensions = { host: OUTSIDE };
  route_config.virtual_hosts.push(outside);
}

before(async () => {
  if (skip) return;
  const redis = await Redis.start();
  started.defer(() => redis.remove());
  await redis.age('default');
  first = ending(started, await Estate.start({ envoy: 'uds', edit: routeOutside, prepare: prepare(redis) }));
  const other = await secondSidecar(started, first.base, first.upstream, 'uds', { edit: routeOutside });
  second = other.envoy;
});
after(() => started.disposeAsync());

/** An agent's request within a task of its own, by one of the two ways. */
async function through({ port }: Envoy, agent: string, id: string, over: Partial<Ask> & Pick<Ask, 'path'>) {
  const token = issuer.txnToken({ workload: workload(agent), id });
  const svid = first.svid(agent);
  const { status, body } = await ask({ port, svid, host: PAYMENTS, ...over, headers: { 'txn-token': token } });
  return status === 200 ? 'permitted' : (JSON.parse(body) as { reason: string }).reason;
}
const READS = { path: '/api/invoices/42' };
const TELLS = { method: 'POST', path: '/v1/messages', host: OUTSIDE, body: '{}' };

test('an agent that read confidential data behind one Envoy writes nothing to the outside behind another one', {
  skip,
}, async () => {
  for (const agent of [READER, CONTROL])
    for (const envoy of [first.envoy, second])
      assert.equal(await through(envoy, agent, 'before', TELLS), 'permitted', `${agent} opened nothing`);
  const seen = first.upstream.seen.length;
  assert.equal(await through(first.envoy, READER, 'reading', READS), 'permitted');
  assert.equal(await through(second, READER, 'another', TELLS), 'approval_required', 'in another task');
  assert.equal(await through(first.envoy, READER, 'reading', TELLS), 'approval_required');
  assert.equal(first.upstream.seen.length, seen + 1, 'only what was read');
  assert.equal(await through(second, CONTROL, 'another', TELLS), 'permitted', 'who read nothing');
  assert.equal(await through(second, READER, 'another', READS), 'permitted', 'what stays inside');
});
