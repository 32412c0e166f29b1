import { createReadStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { SidecarEstate } from '../support/estate.ts';
import { load, mixedLoad, quantile, residentMb } from '../support/load.ts';
import { finish } from '../support/run.ts';
import type { SoakResult } from './run.ts';

const CHECKS = Number(process.env.SOAK_CHECKS ?? 1_000_000);
const RELOAD_MS = 10_000;
const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts');

/** A mixed load with a reload every ten seconds, on the Node that runs this: every answer right, no crash, all audited. */
export async function run(): Promise<SoakResult> {
  const estate = await SidecarEstate.start();
  const { sidecar } = estate;
  let edits = 0;
  const editing = setInterval(() => {
    const text = `@id("edit-${++edits}") forbid (principal, action, resource) when { resource.path == "/edit/${edits}" };\n`;
    writeFileSync(join(estate.policies, 'edited.cedar'), text);
  }, RELOAD_MS);
  try {
    const { seconds, times, faults: wrong } = await load(sidecar, mixedLoad(estate.ca), (sent) => sent < CHECKS);
    clearInterval(editing);
    const faults = wrong.slice(0, 20);
    const reloads = await sidecar.metric('authz_policy_reloads_total{result="loaded"}');
    const rebuilds = await sidecar.metric('authz_engine_rebuilds_total');
    if (rebuilds > 0) faults.push(`the engine was replaced ${rebuilds} times`);
    if (edits > 1 && reloads < edits / 2) faults.push(`${reloads} reloads for ${edits} edits`);
    const memory = residentMb(sidecar.pid);
    const exit = await sidecar.stop();
    if (exit !== 0) faults.push(`the sidecar ended with ${exit}`);
    const records = await countRecords(sidecar.auditFile);
    if (records !== CHECKS) faults.push(`${records} audit lines for ${CHECKS} checks`);
    const verified = await finish(process.execPath, [main, 'audit', 'verify', sidecar.auditFile]);
    if (verified.code !== 0) faults.push(`audit verify: ${verified.stdout}${verified.stderr}`);
    const line =
      `${CHECKS} checks in ${seconds.toFixed(0)} s (${Math.round(CHECKS / seconds)}/s), ${reloads} reloads, ` +
      `p50 ${quantile(times, 0.5)} ms, p99 ${quantile(times, 0.99)} ms, slowest ${quantile(times, 1)} ms, ` +
      `${memory} MB resident, ${records} audit lines, node ${process.versions.node}`;
    return { line, faults: faults.slice(0, 20) };
  } finally {
    clearInterval(editing);
    await estate.stop();
  }
}

/** Records of checks in an audit file of any size. */
async function countRecords(file: string): Promise<number> {
  let records = 0;
  for await (const line of createInterface({ input: createReadStream(file, 'utf8') })) {
    if ((JSON.parse(line) as { result?: string }).result !== undefined) records++;
  }
  return records;
}
