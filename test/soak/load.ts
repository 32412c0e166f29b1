import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TestCa } from '../support/ca.ts';
import { CheckClient, checkMessage, type PlainRequest } from '../support/check-client.ts';
import { PAYMENTS, SidecarEstate, TRUST_DOMAIN, workload } from '../support/estate.ts';
import { finish } from '../support/run.ts';
import type { SoakResult } from './run.ts';

const CHECKS = Number(process.env.SOAK_CHECKS ?? 100_000);
const CONNECTIONS = 4;
const IN_FLIGHT = 16;
const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts');

/** A request, and whether it must be allowed. */
interface Shape {
  readonly request: Omit<PlainRequest, 'id'>;
  readonly allow: boolean;
}

/** A mixed load through gRPC: every answer right, no gRPC error, one audit line for each check, the chain whole. */
export async function run(): Promise<SoakResult> {
  const estate = await SidecarEstate.start();
  const faults: string[] = [];
  const times: number[] = [];
  try {
    const shapes = mixedLoad(estate.ca);
    const clients = Array.from({ length: CONNECTIONS }, () => new CheckClient(estate.sidecar.check));
    let next = 0;
    const start = performance.now();
    const worker = async (client: CheckClient): Promise<void> => {
      for (let n = next++; n < CHECKS; n = next++) {
        const shape = shapes[n % shapes.length]!;
        const message = CheckClient.encode(checkMessage({ ...shape.request, id: String(n) }));
        const sent = performance.now();
        try {
          const { status } = await client.check(message);
          if ((status.code === 0) !== shape.allow) faults.push(`check ${n}: ${status.code} ${status.message ?? ''}`);
        } catch (error) {
          faults.push(`check ${n}: ${error instanceof Error ? error.message : String(error)}`);
        }
        times.push(performance.now() - sent);
      }
    };
    await Promise.all(clients.flatMap((client) => Array.from({ length: IN_FLIGHT }, () => worker(client))));
    const seconds = (performance.now() - start) / 1000;
    const memory = residentMb(estate.sidecar.pid);
    for (const client of clients) client.close();
    const exit = await estate.sidecar.stop();
    if (exit !== 0) faults.push(`the sidecar ended with ${exit}`);
    const lines = estate.sidecar.audit();
    const records = lines.filter(({ result }) => result !== undefined).length;
    if (records !== CHECKS) faults.push(`${records} audit lines for ${CHECKS} checks`);
    if (lines.length !== CHECKS + 1) faults.push(`${lines.length} lines in the audit file, not ${CHECKS + 1}`);
    const verified = await finish(process.execPath, [main, 'audit', 'verify', estate.sidecar.auditFile]);
    if (verified.code !== 0) faults.push(`audit verify: ${verified.stdout}${verified.stderr}`);
    const line =
      `${CHECKS} checks in ${seconds.toFixed(1)} s (${Math.round(CHECKS / seconds)}/s), ` +
      `p50 ${at(times, 0.5)} ms, p99 ${at(times, 0.99)} ms, slowest ${at(times, 1)} ms, ` +
      `${memory} MB resident, ${records} audit lines, node ${process.versions.node}`;
    return { line, faults: faults.slice(0, 20) };
  } finally {
    await estate.stop();
  }
}

/** Allows and denials of every stage; among them certificates that were never seen before. */
function mixedLoad(ca: TestCa): readonly Shape[] {
  const host = PAYMENTS;
  const ledger = workload('/ns/payments/sa/ledger');
  const agent = workload('/ns/agents/sa/billing-agent');
  const [ledgerSvid, agentSvid] = [ca.svid(ledger), ca.svid(agent)];
  const stranger = TestCa.root(TRUST_DOMAIN).svid(ledger);
  const unknown = workload('/ns/shadow/sa/forgotten');
  const declared = { 'x-task-id': 't-42', 'x-task-purpose': 'reconcile-invoices' };
  const by = { svid: ledgerSvid, principal: ledger, host };
  return [
    { request: { ...by, path: '/api/invoices/42' }, allow: true },
    { request: { ...by, path: '/api/invoices/43?full=1' }, allow: true },
    { request: { svid: agentSvid, principal: agent, host, path: '/api/status', headers: declared }, allow: true },
    { request: { svid: agentSvid, principal: agent, host, path: '/api/invoices/1', headers: declared }, allow: false },
    { request: { ...by, method: 'POST', path: '/api/refunds' }, allow: false },
    { request: { ...by, path: '/api/%2e%2e/refunds' }, allow: false },
    { request: { svid: null, principal: ledger, host, path: '/api/invoices/42' }, allow: false },
    { request: { svid: stranger, principal: ledger, host, path: '/api/invoices/42' }, allow: false },
    { request: { svid: ca.svid(unknown), principal: unknown, host, path: '/api/invoices/42' }, allow: false },
    ...Array.from({ length: 40 }, (_, i): Shape => {
      return { request: { ...by, svid: ca.svid(ledger), path: `/api/invoices/${i}` }, allow: true };
    }),
  ];
}

function at(times: readonly number[], share: number): string {
  const sorted = [...times].sort((a, b) => a - b);
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1);
}

/** Resident memory of a process on Linux. */
function residentMb(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kilobytes) / 1024);
}
