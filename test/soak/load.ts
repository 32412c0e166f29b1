import { join } from 'node:path';
import { SidecarEstate } from '../support/estate.ts';
import { load, mixedLoad, quantile, residentMb } from '../support/load.ts';
import { finish } from '../support/run.ts';
import type { SoakResult } from './run.ts';

const CHECKS = Number(process.env.SOAK_CHECKS ?? 100_000);
const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts');

/** A mixed load through gRPC: every answer right, no gRPC error, one audit line for each check, the chain whole. */
export async function run(): Promise<SoakResult> {
  const estate = await SidecarEstate.start();
  const { sidecar } = estate;
  try {
    const { seconds, times, faults: wrong } = await load(sidecar, mixedLoad(estate.ca), (sent) => sent < CHECKS);
    const faults = [...wrong];
    const memory = residentMb(sidecar.pid);
    const exit = await sidecar.stop();
    if (exit !== 0) faults.push(`the sidecar ended with ${exit}`);
    const lines = sidecar.audit();
    const records = lines.filter(({ result }) => result !== undefined).length;
    if (records !== CHECKS) faults.push(`${records} audit lines for ${CHECKS} checks`);
    const others = lines.length - records;
    const events = lines.filter(({ event }) =>
      ['boot', 'policy-loaded', 'bundle-changed'].includes(String(event)),
    ).length;
    if (others !== events) faults.push(`${others - events} lines of the audit file are neither checks nor the start`);
    const verified = await finish(process.execPath, [main, 'audit', 'verify', sidecar.auditFile]);
    if (verified.code !== 0) faults.push(`audit verify: ${verified.stdout}${verified.stderr}`);
    const line =
      `${CHECKS} checks in ${seconds.toFixed(1)} s (${Math.round(CHECKS / seconds)}/s), ` +
      `p50 ${quantile(times, 0.5)} ms, p99 ${quantile(times, 0.99)} ms, slowest ${quantile(times, 1)} ms, ` +
      `${memory} MB resident, ${records} audit lines, node ${process.versions.node}`;
    return { line, faults: faults.slice(0, 20) };
  } finally {
    await estate.stop();
  }
}
