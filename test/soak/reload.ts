import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { Engine } from '../../src/policy/decide/engine.ts';
import { SnapshotHolder } from '../../src/policy/load/holder.ts';
import type { PolicySettings } from '../../src/policy/text/sources.ts';
import { CheckClient } from '../support/check-client.ts';
import { checkBytes } from '../support/check-request.ts';
import { copyExample, SidecarEstate, workload } from '../support/estate.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { connectionOf, quantile, residentMb, usualHeaders } from '../support/load.ts';
import { question } from '../support/policy.ts';
import { PolicyVersions } from '../support/policy-versions.ts';
import { until } from '../support/until.ts';
import type { SoakResult } from './run.ts';

const RELOADS = Number(process.env.SOAK_RELOADS ?? 1000);
const HELD_ROUNDS = 20;
/** Checks at one time, and the pause of each before its next: reloads shall share the machine with them. */
const IN_FLIGHT = 8;
const PAUSE_MS = 10;
/** What memory may grow from the first tenth of the reloads on. */
const GROWTH = 1.2;
const LEDGER = workload('/ns/payments/sa/ledger');
const INVOICE = 'GET payments.internal/api/invoices/42';
const settings: PolicySettings = {
  headers: [],
  disabledGuardrails: [],
  requiredGuardrails: [],
  trustDomains: ['prod.example'],
  ownTrustDomains: ['prod.example'],
  allowWarnings: false,
};

/**
 * Reloads under load, every tenth of them broken: no error, every decision by one whole revision, each broken version
 * refused for a reason while the last good one answers, memory flat. Then checks that are held across two swaps.
 */
export async function run(): Promise<SoakResult> {
  const faults: string[] = [];
  const estate = await SidecarEstate.start();
  const { sidecar, dir } = estate;
  const versions = new PolicyVersions(estate.policies, join(dir, 'inventory.yaml'));
  try {
    const known = new Map<string, number>();
    const swapIn = async (version: number): Promise<void> => {
      versions.swap(version);
      const revision = await versions.revision(settings);
      known.set(revision, version);
      await until(`version ${version}`, async () => ((await policyStatus(estate)).revision === revision ? true : null));
    };
    await swapIn(0);
    const loading = startLoad(estate);
    const taken: number[] = [];
    const memory: number[] = [];
    let refused = 0;
    const start = performance.now();
    for (let version = 1; version <= RELOADS; version++) {
      const began = performance.now();
      if (version % 10 === 5) {
        const { revision } = await policyStatus(estate);
        versions.swap(version, refused++);
        const status = await until(`the refusal of version ${version}`, async () => {
          const seen = await policyStatus(estate);
          return seen.problems.some((problem) => problem.includes(`fault-${version}.cedar`)) ? seen : null;
        });
        if (status.revision !== revision) faults.push(`broken version ${version} changed what is served`);
      } else {
        await swapIn(version);
        taken.push(performance.now() - began);
      }
      memory.push(residentMb(sidecar.pid));
    }
    const seconds = (performance.now() - start) / 1000;
    const loaded = await loading.stop();
    faults.push(...loaded.faults);
    const exit = await sidecar.stop();
    if (exit !== 0) faults.push(`the sidecar ended with ${exit}`);
    const records = await readRecords(sidecar.auditFile, known, faults);
    if (records !== loaded.checks) faults.push(`${records} audit lines for ${loaded.checks} checks`);
    const tenth = Math.ceil(memory.length / 10);
    const [early, late] = [Math.max(...memory.slice(0, 2 * tenth)), Math.max(...memory.slice(-tenth))];
    if (late > early * GROWTH) faults.push(`memory grew from ${early} to ${late} MB`);
    faults.push(...(await heldAcrossSwaps()));
    const line =
      `${taken.length} reloads and ${refused} refusals in ${seconds.toFixed(0)} s, ` +
      `p50 ${quantile(
        taken.sort((a, b) => a - b),
        0.5,
      )} ms, slowest ${quantile(taken, 1)} ms, beside ${loaded.checks} checks, ` +
      `${early} MB resident at first and ${late} MB at last, ${HELD_ROUNDS} snapshots held across two swaps`;
    return { line, faults: faults.slice(0, 20) };
  } finally {
    await estate.stop();
  }
}

interface PolicyStatus {
  readonly revision: string;
  readonly problems: readonly string[];
}

async function policyStatus({ sidecar }: SidecarEstate): Promise<PolicyStatus> {
  return ((await (await sidecar.status('/status')).json()) as { policy: PolicyStatus }).policy;
}

/** The same request again and again, which every version permits. */
function startLoad({ sidecar, ca }: SidecarEstate) {
  const client = new CheckClient(sidecar.check);
  const attributes = connectionOf(LEDGER, ca.svid(LEDGER));
  const faults: string[] = [];
  let [checks, running] = [0, true];
  const worker = async (): Promise<void> => {
    while (running) {
      const id = String(checks++);
      const message = checkBytes({ path: '/api/invoices/42', headers: usualHeaders, attributes, http: { id } });
      try {
        const { status } = await client.check(message);
        if (status.code !== 0) faults.push(`check ${id}: ${status.code} ${status.message ?? ''}`);
      } catch (error) {
        faults.push(`check ${id}: ${error instanceof Error ? error.message : String(error)}`);
      }
      await pause(PAUSE_MS);
    }
  };
  const workers = Array.from({ length: IN_FLIGHT }, worker);
  return {
    stop: async () => {
      running = false;
      await Promise.all(workers);
      client.close();
      return { checks, faults };
    },
  };
}

/** Every decision names a revision that was swapped in, and the two policies of that version. */
async function readRecords(file: string, known: ReadonlyMap<string, number>, faults: string[]): Promise<number> {
  let records = 0;
  for await (const text of createInterface({ input: createReadStream(file, 'utf8') })) {
    const line = JSON.parse(text) as {
      hops?: { permits: string[] }[];
      policy?: { revision: string };
      decision?: string;
    };
    if (line.decision === undefined) continue;
    records++;
    const version = known.get(line.policy?.revision ?? '');
    const permits = line.hops?.[0]?.permits.join();
    if (version === undefined || permits !== `a-${version},b-${version}`) {
      faults.push(`decision ${line.decision}: by ${permits} of version ${version}`);
    }
  }
  return records;
}

/** A check that began before two swaps answers by the snapshot that it began with. */
async function heldAcrossSwaps(): Promise<string[]> {
  const root = temporaryFolder();
  const faults: string[] = [];
  copyExample(root);
  const inventory = join(root, 'inventory.yaml');
  const versions = new PolicyVersions(join(root, 'policies'), inventory);
  versions.swap(0);
  const engine = new Engine();
  const paths = { folder: versions.folder, inventory };
  const holder = await SnapshotHolder.open({ paths, settings, engine, clock: Date.now, pollMs: 3_600_000 });
  const next = async (version: number): Promise<void> => {
    versions.swap(version);
    await holder.refresh();
  };
  for (let round = 0; round < HELD_ROUNDS; round++) {
    const held = [round * 2, round * 2 + 1, round * 2 + 2];
    const snapshots = [holder.current()];
    for (const version of held.slice(1)) {
      await next(version);
      snapshots.push(holder.current());
    }
    for (const [index, snapshot] of snapshots.entries()) {
      const said = snapshot?.decide(question(snapshot.inventory, LEDGER, INVOICE)).permits.join();
      if (said !== `a-${held[index]},b-${held[index]}`) faults.push(`held: ${said} of version ${held[index]}`);
    }
  }
  await holder.close();
  engine.close();
  removeFolder(root);
  return faults;
}
