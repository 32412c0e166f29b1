import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { learnedFile } from '../support/behaviour/learned.ts';
import { CheckClient } from '../support/check-client.ts';
import { checkBytes } from '../support/check-request.ts';
import { SidecarEstate, workload } from '../support/estate.ts';
import { connectionOf, usualHeaders } from '../support/load.ts';

const LEDGER = '/ns/payments/sa/ledger';
const HIDDEN = 40;

/** A sidecar that goes on with ten days of the ledger, which reads invoices and the status, and an estate with apis that the ledger may use and never did. */
async function started(mode: 'observe' | 'act') {
  const file = await learnedFile(workload(LEDGER), ['payments.internal/invoices', 'payments.internal/status']);
  const estate = await SidecarEstate.start({
    prepare: (dir) => {
      const inventory = join(dir, 'inventory.yaml');
      const apis = Array.from({ length: HIDDEN }, (_, n) => `      - { name: hidden${n}, path: /api/hidden${n} }\n`);
      const text = readFileSync(inventory, 'utf8');
      writeFileSync(inventory, text.replace('      - name: invoices\n', `${apis.join('')}      - name: invoices\n`));
      return { behaviour: { mode, file } };
    },
  });
  const svid = estate.svid(LEDGER);
  const client = new CheckClient(estate.sidecar.check);
  /** The audit line about a read of the ledger. */
  const read = async (path: string) => {
    const attributes = connectionOf(workload(LEDGER), svid);
    await client.check(checkBytes({ path, headers: usualHeaders, attributes }));
    return estate.sidecar.audit().findLast(({ decision }) => decision !== undefined) as unknown as Line;
  };
  const scan = async (): Promise<readonly Line[]> => {
    const lines: Line[] = [];
    for (let n = 0; n < HIDDEN; n++) lines.push(await read(`/api/hidden${n}`));
    return lines;
  };
  const stop = async () => {
    client.close();
    await estate.stop();
  };
  return { ...estate, file, read, scan, stop };
}

interface Line {
  readonly result: string;
  readonly reason: string;
  readonly hops: readonly { readonly forbids: readonly string[] }[];
  readonly facts: { readonly risk: number | null; readonly signals: readonly string[] };
  readonly behaviour?: {
    readonly risk: number;
    readonly signals: readonly string[];
    readonly why: Readonly<Record<string, { readonly points: number; readonly now: number }>>;
    readonly would: readonly string[];
    readonly wouldQuarantine?: true;
  };
}

suite('a stolen SVID that scans the estate, with act', () => {
  let world: Awaited<ReturnType<typeof started>>;
  before(async () => {
    world = await started('act');
  });
  after(() => world.stop());

  test('the owner is let through, and nothing is noticed', async () => {
    for (let n = 0; n < 20; n++) {
      const line = await world.read('/api/invoices/42');
      assert.deepEqual([line.result, line.facts.risk, line.behaviour], ['allow', 0, undefined]);
    }
  });

  test('the scan is refused before it opened half of the estate, by guardrails that say so, with the numbers', async () => {
    const lines = await world.scan();
    const first = lines.findIndex(({ result }) => result === 'deny');
    assert.ok(first > 5 && first < HIDDEN / 2, String(first));
    const { reason, hops, facts, behaviour } = lines[first]!;
    assert.equal(reason, 'policy_forbidden');
    assert.deepEqual(hops[0]?.forbids, ['risk-falls-as-sensitivity-rises', 'signals-ask-for-a-known-risk']);
    assert.deepEqual([facts.risk, facts.signals], [behaviour?.risk, behaviour?.signals.toSorted()]);
    assert.ok(facts.signals.includes('novel-endpoint'));
    assert.equal(behaviour?.why['novel-endpoint']?.now, first + 1, 'the request that crosses is counted in');
    assert.ok(
      lines.slice(first).every(({ result }) => result === 'deny'),
      'and it stays so',
    );
    const { sidecar } = world;
    assert.ok((await sidecar.metric('authz_behaviour_signals_total{signal="novel-endpoint"}')) > 0);
  });

  test('with two kinds of evidence it is quarantined: a revocation with an end, and what was noticed in its reason', async () => {
    const { reason } = await world.read('/api/status');
    assert.equal(reason, 'revoked_workload');
    const { sidecar } = world;
    assert.equal(await sidecar.metric('authz_behaviour_quarantined'), 1);
    const ordered = sidecar.audit().filter(({ event }) => event === 'revocations-changed');
    assert.match(JSON.stringify(ordered), /"added":\["quarantine-[\w-]{20}"\]/);
    assert.match(sidecar.log.join('\n'), /workload quarantined.*novel-endpoint \d+ \(\d+ in \d+ requests\)/);
  });

  test('a restart forgets none of it', async () => {
    assert.equal(await world.sidecar.stop(), 0);
    assert.ok(Date.now() - statSync(world.file).mtimeMs < 60_000, 'it was written at the end');
    await world.sidecar.start();
    assert.equal((await world.read('/api/status')).reason, 'revoked_workload', 'the file of baselines remembers it');
    const shown = (await (await world.sidecar.status('/status')).json()) as { behaviour: object };
    const file = { writtenAt: null, fault: null };
    const known = { mode: 'act', workloads: 1, quarantined: 1, survivesRestart: true };
    assert.deepEqual(shown.behaviour, { ...known, file });
    assert.match(readFileSync(world.file, 'utf8'), /^{"format":"cedar-ext-authz behaviour 1","seed":7}\n{"workload":/);
  });
});

suite('the same with observe', () => {
  test('it is let through, and it is told which policies would have refused it', async (t) => {
    const world = await started('observe');
    t.after(() => world.stop());
    const lines = await world.scan();
    assert.ok(lines.every(({ result, facts }) => result === 'allow' && facts.risk === null));
    const refused = lines.filter(({ behaviour }) => (behaviour?.would.length ?? 0) > 0);
    assert.ok(refused.length > HIDDEN / 2);
    assert.deepEqual(refused[0]?.behaviour?.would, ['risk-falls-as-sensitivity-rises', 'signals-ask-for-a-known-risk']);
    assert.equal(await world.sidecar.metric('authz_behaviour_would_refuse_total'), refused.length);
    assert.equal(await world.sidecar.metric('authz_cache_entries{cache="behaviour"}'), 1);
    const held = lines.filter(({ behaviour }) => behaviour?.wouldQuarantine === true);
    assert.ok(held.length > 5, String(held.length));
    assert.equal(await world.sidecar.metric('authz_behaviour_would_quarantine_total'), held.length);
    assert.equal(await world.sidecar.metric('authz_behaviour_quarantines_total'), 0);
  });
});
