import assert from 'node:assert/strict';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { CheckResponseMessage } from '../../src/envoy/api.ts';
import { bundleDocument } from '../support/ca.ts';
import { CheckClient } from '../support/check-client.ts';
import { checkBytes } from '../support/check-request.ts';
import { SidecarEstate, TRUST_DOMAIN, workload } from '../support/estate.ts';
import { connectionOf } from '../support/load.ts';
import { TaskIssuer } from '../support/task-issuer.ts';
import { until } from '../support/until.ts';

const AGENT = workload('/ns/agents/sa/billing-agent');
const issuer = new TaskIssuer(TRUST_DOMAIN);

let estate: SidecarEstate;
let client: CheckClient;
before(async () => {
  estate = await SidecarEstate.start({
    unready: true,
    prepare: (dir) => {
      renameSync(join(dir, 'policies'), join(dir, 'policies-to-come'));
      rmSync(join(dir, 'bundle.json'));
      const task = issuer.configure(dir);
      for (const name of ['tts', 'as']) rmSync(join(dir, `${name}.json`));
      return { task };
    },
  });
  client = new CheckClient(estate.sidecar.check);
});
after(async () => {
  client?.close();
  await estate?.stop();
});

test('B46: not ready until policies, bundle and keys are there, and until then refused for what is missing', async () => {
  await missing(
    /^no policy snapshot/,
    /^an emergency forbid /,
    /^the bundle of prod.example is absent/,
    /^no keys for issuer .*tts/,
    /^no keys for issuer .*as/,
  );
  assert.equal(reasonOf(await ask()), 'policy_unavailable');

  renameSync(join(estate.dir, 'policies-to-come'), join(estate.dir, 'policies'));
  await missing(/^the bundle of prod.example is absent/, /^no keys for issuer .*tts/, /^no keys for issuer .*as/);
  assert.equal(reasonOf(await ask()), 'identity_bundle_absent');

  writeFileSync(join(estate.dir, 'bundle.json'), JSON.stringify(bundleDocument([estate.ca])));
  await missing(/^no keys for issuer .*tts/, /^no keys for issuer .*as/);
  assert.equal(reasonOf(await ask()), 'task_keys_stale');

  issuer.configure(estate.dir);
  await missing();
  assert.equal((await ask()).status.code, 0);
});

/** A read in a proven task, for which everything is needed. */
function ask(): Promise<CheckResponseMessage> {
  const headers = { 'txn-token': issuer.txnToken({ workload: AGENT }) };
  const attributes = connectionOf(AGENT, estate.ca.svid(AGENT));
  return client.check(checkBytes({ path: '/api/invoices/42', headers, attributes }));
}

/** Waits until exactly this is missing, and compares what gRPC health says then. */
async function missing(...what: readonly RegExp[]): Promise<void> {
  let seen: Readiness = { ready: false, missing: [] };
  await until(`exactly ${what.length} things missing`, async () => {
    seen = (await (await estate.sidecar.status('/readyz')).json()) as Readiness;
    return seen.missing.length === what.length ? true : null;
  });
  for (const [index, pattern] of what.entries()) assert.match(seen.missing[index]!, pattern);
  assert.equal(seen.ready, what.length === 0);
  assert.equal(await client.health(), what.length === 0 ? 'SERVING' : 'NOT_SERVING');
}

interface Readiness {
  readonly ready: boolean;
  readonly missing: readonly string[];
}

function reasonOf(response: CheckResponseMessage): string {
  return (JSON.parse(response.denied_response?.body ?? '{}') as { reason?: string }).reason ?? 'none';
}
