import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Issued } from '../support/ca.ts';
import { type Answer, ask } from '../support/client.ts';
import { Estate, PAYMENTS } from '../support/estate.ts';
import { until } from '../support/until.ts';

const forbid = `
@id("nobody-reads-invoice-77")
forbid (principal, action, resource)
when { resource == Mesh::Endpoint::"payments.internal/api/invoices/77" };
`;
let estate: Estate;
let svid: Issued;

before(async () => {
  estate = await Estate.start({ envoy: 'uds' });
  svid = estate.svid('/ns/payments/sa/ledger');
});
after(() => estate?.stop());

const read = (): Promise<Answer> => ask({ port: estate.envoy.port, svid, host: PAYMENTS, path: '/api/invoices/77' });
const lastRevision = () => estate.sidecar.audit().findLast(({ result }) => result !== undefined)?.policy?.revision;
const edit = (text: string): void => writeFileSync(join(estate.base.policies, 'edited.cedar'), text);

test('a policy edit takes effect without a restart, and the audit shows another revision', async () => {
  assert.equal((await read()).status, 200);
  const before = lastRevision();
  edit(forbid);
  const denial = await until('the edit to take effect', async () => {
    const answer = await read();
    return answer.status === 403 ? answer : null;
  });
  assert.equal(denial.reason, 'policy_forbidden');
  assert.notEqual(lastRevision(), before);
});

test('a broken edit keeps the last good policies, and shows in status, log and metrics', async () => {
  assert.equal((await read()).status, 403);
  const before = lastRevision();
  edit('permit (principal, action, resource) when { principal.kind = "agent" };');
  const shown = await until('the broken edit to be seen', async () => {
    const text = await (await estate.sidecar.status('/status')).text();
    return text.includes('edited.cedar') ? text : null;
  });
  assert.match(shown, /edited\.cedar:1:\d+/);
  assert.equal((await read()).status, 403);
  assert.equal(lastRevision(), before);
  assert.ok(estate.sidecar.log.some((line) => line.includes('edited.cedar')));
  const metrics = await (await estate.sidecar.status('/metrics')).text();
  assert.match(metrics, /^authz_policy_reloads_total\{result="refused"\} [1-9]/m);
});
