import { findingsIn, findingsOf, type GoodName, goods, set } from '../support/doctor/goods.ts';
import { further, type Mutation, mutate, mutations, nameOf } from '../support/doctor/mutations.ts';
import { DoctorStage } from '../support/doctor/stage.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import type { SoakResult } from './run.ts';

/**
 * `npm run soak -- doctor`: thirty changes of good configurations, one at a time: the doctor finds each, and nothing in the
 * good ones. Each change that opens something, these and others, is played on a real Envoy: what the good one refuses comes
 * through the other, and the doctor sees it in the dump of that Envoy.
 */
export async function run(): Promise<SoakResult> {
  const dir = temporaryFolder();
  const faults: string[] = [];
  const began = performance.now();
  let [found, falseFindings] = [0, 0];
  for (const name of Object.keys(goods) as GoodName[]) {
    const { envoy, product } = goods[name]();
    for (const sidecar of [null, product]) falseFindings += (await findingsIn(dir, envoy, sidecar)).length;
  }
  for (const mutation of mutations) {
    const { mutant } = mutate(mutation);
    const codes = (await findingsIn(dir, mutant.envoy, mutant.product)).map(({ code }) => code);
    if (codes.includes(mutation.code)) found++;
    else faults.push(`not found: ${nameOf(mutation)}`);
  }
  removeFolder(dir);
  const opening = [...mutations, ...further].filter(({ probe }) => probe !== undefined);
  const open = await playOpening(opening, faults);
  if (falseFindings > 0) faults.push(`${falseFindings} findings in good configurations`);
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  const shown = `${open} of ${opening.length} that open something shown on Envoy`;
  return {
    line: `doctor: ${found} of ${mutations.length} found, ${falseFindings} false (${shown}; ${seconds} s)`,
    faults,
  };
}

/** Plays each on a good Envoy and on one with the change; how many of them opened it. */
async function playOpening(opening: readonly Mutation[], faults: string[]): Promise<number> {
  const stage = await DoctorStage.start();
  let open = 0;
  try {
    for (const mutation of opening) {
      const fault = await play(stage, mutation).catch((error: unknown) => String(error));
      if (fault === null) open++;
      else faults.push(`${nameOf(mutation)}: ${fault}`);
    }
  } finally {
    await stage.stop();
  }
  return open;
}

/** What was wrong; null when the good Envoy refused, the mutant did not, and the doctor told them apart. */
async function play(stage: DoctorStage, mutation: Mutation): Promise<string | null> {
  const probe = mutation.probe!;
  for (const isMutant of [false, true]) {
    const envoy = await stage.envoy(mutation, isMutant);
    try {
      const healthy = mutation.of !== 'chart' && probe !== 'away' && mutation.code !== 'filter-missing';
      if (healthy) await envoy.clusterHealth('cedar-ext-authz', true);
      const isOpen = await stage.isOpen(envoy, probe);
      if (isOpen !== isMutant) return isMutant ? 'it opens nothing' : 'the good one is open';
      const fault = await dumpFault(mutation, `http://127.0.0.1:${envoy.adminPort}`, isMutant, stage.check);
      if (fault !== null) return fault;
    } finally {
      await envoy.stop();
    }
  }
  return null;
}

/** Envoy writes `[redacted]` for context_extensions in a dump; and the stage has its impostors on the loopback address. */
const HIDDEN = new Set(['body-overstated', 'sidecar-plaintext']);

async function dumpFault(mutation: Mutation, admin: string, isMutant: boolean, check: string): Promise<string | null> {
  const { before } = mutate(mutation);
  set(before.product, 'listen.check', check);
  // The stage is as patient as the sidecar of its tests.
  set(before.product, 'limits.deadline', '30s');
  const isOfSidecar = mutation.of !== 'chart' && mutation.probe !== 'away';
  const findings = await findingsOf(admin, isOfSidecar ? before.product : null);
  if (isMutant && HIDDEN.has(mutation.code)) return null;
  if (isMutant)
    return findings.some(({ code }) => code === mutation.code) ? null : 'the doctor does not find it in the dump';
  // A stage asks no health of what is no sidecar.
  const others = findings.filter(({ code }) => !(mutation.of === 'chart' && code === 'health-check'));
  return others.length === 0 ? null : `found in the dump of the good one: ${others.map(({ code }) => code).join(', ')}`;
}
