import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Issued } from '../support/ca.ts';
import { type Answer, ask } from '../support/client.ts';
import { Estate, PAYMENTS } from '../support/estate.ts';
import { until } from '../support/until.ts';

let estate: Estate;
let svid: Issued;

before(async () => {
  estate = await Estate.start({ envoy: 'uds' });
  svid = estate.svid('/ns/payments/sa/ledger');
});
after(() => estate?.stop());

const read = (): Promise<Answer> => ask({ port: estate.envoy.port, svid, host: PAYMENTS, path: '/api/invoices/77' });
const place = (name: string): string => join(estate.base.policies, name);
const page = async (name: '/status' | '/metrics'): Promise<string> => (await estate.sidecar.status(name)).text();
const becomes = (status: number): Promise<Answer> =>
  until(`the answer ${status}`, async () => {
    const answer = await read();
    return answer.status === status ? answer : null;
  });

/** An emergency forbid of all of payments that ends so much later. */
const stop = (ms: number): string => {
  const end = new Date(Date.now() + ms).toISOString().replace(/\.\d+/, '');
  return `@id("stop") @until("${end}") forbid (principal, action, resource in Mesh::Host::"${PAYMENTS}");`;
};

test('a forbid in emergency/ holds while the folder around it is broken, and until it is removed', async () => {
  assert.equal((await read()).status, 200);
  writeFileSync(place('broken.cedar'), 'permit (');
  await until('the broken folder to be seen', async () =>
    (await page('/status')).includes('broken.cedar') ? true : null,
  );
  mkdirSync(place('emergency'));
  const since = performance.now();
  writeFileSync(place('emergency/stop.cedar'), stop(3_600_000));
  const denial = await becomes(403);
  process.stdout.write(`# in force after ${Math.round(performance.now() - since)} ms\n`);
  assert.equal(denial.reason, 'policy_forbidden');
  const line = estate.sidecar.audit().findLast(({ result }) => result === 'deny');
  const hops = line?.hops as readonly { readonly forbids: readonly string[] }[];
  assert.deepEqual(hops[0]?.forbids, ['emergency/stop']);
  const { policy } = JSON.parse(await page('/status')) as {
    policy: { emergency: { policies: { id: string; file: string }[]; problems: string[] } };
  };
  const shown = policy.emergency.policies.map(({ id, file }) => [id, file]);
  assert.deepEqual([shown, policy.emergency.problems], [[['stop', 'emergency/stop.cedar']], []]);
  const metrics = await page('/metrics');
  assert.match(metrics, /^authz_emergency_forbids 1$/m);
  assert.match(metrics, /^authz_emergency_denials_total [1-9]/m);
  assert.match(metrics, /^authz_emergency_end_seconds 3[56]\d\d/m);
  assert.doesNotMatch(metrics, /policy="other",kind="policy",result="deny"\} [1-9]/);
  assert.ok(estate.sidecar.log.some((text) => text.includes('emergency forbid ends within a day')));

  writeFileSync(place('emergency/stop.cedar'), 'forbid (');
  await until('the broken forbid to be seen', async () =>
    (await page('/metrics')).includes('authz_emergency_out_of_date 1') ? true : null,
  );
  assert.equal((await read()).status, 403);
  rmSync(place('emergency'), { recursive: true });
  await becomes(200);
});

test('it goes at its end', async () => {
  mkdirSync(place('emergency'));
  writeFileSync(place('emergency/stop.cedar'), stop(6000));
  await becomes(403);
  await becomes(200);
  assert.ok(estate.sidecar.log.some((text) => text.includes('emergency forbid ended')));
});
