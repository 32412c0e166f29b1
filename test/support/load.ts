import { readFileSync } from 'node:fs';
import { TestCa } from './ca.ts';
import { CheckClient, checkMessage, type PlainRequest } from './check-client.ts';
import { PAYMENTS, TRUST_DOMAIN, workload } from './estate.ts';
import type { Sidecar } from './sidecar.ts';

const CONNECTIONS = 4;
const IN_FLIGHT = 16;

/** A request, and whether it must be allowed. */
export interface Shape {
  readonly request: Omit<PlainRequest, 'id'>;
  readonly allow: boolean;
}

/** What a load found. Times are milliseconds as the client saw them, in ascending order. */
export interface Loaded {
  readonly seconds: number;
  readonly times: readonly number[];
  /** One line for each answer that was wrong or did not come. */
  readonly faults: readonly string[];
}

/** Sends the shapes in turn, 16 at a time on each of 4 connections, until `more` says no. */
export async function load(
  sidecar: Sidecar,
  shapes: readonly Shape[],
  more: (sent: number) => boolean,
): Promise<Loaded> {
  const clients = Array.from({ length: CONNECTIONS }, () => new CheckClient(sidecar.check));
  const times: number[] = [];
  const faults: string[] = [];
  let sent = 0;
  const worker = async (client: CheckClient): Promise<void> => {
    while (more(sent)) {
      const n = sent++;
      const shape = shapes[n % shapes.length]!;
      const message = CheckClient.encode(checkMessage({ ...shape.request, id: String(n) }));
      const start = performance.now();
      try {
        const { status } = await client.check(message);
        if ((status.code === 0) !== shape.allow) faults.push(`check ${n}: ${status.code} ${status.message ?? ''}`);
      } catch (error) {
        faults.push(`check ${n}: ${error instanceof Error ? error.message : String(error)}`);
      }
      times.push(performance.now() - start);
    }
  };
  const start = performance.now();
  await Promise.all(clients.flatMap((client) => Array.from({ length: IN_FLIGHT }, () => worker(client))));
  const seconds = (performance.now() - start) / 1000;
  for (const client of clients) client.close();
  return { seconds, times: times.sort((a, b) => a - b), faults };
}

/** Allows and denials of every stage; among them certificates that were never seen before. */
export function mixedLoad(ca: TestCa): readonly Shape[] {
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

/** The time below which this share of the answers came, with one decimal. */
export function quantile(times: readonly number[], share: number): string {
  return (times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0).toFixed(1);
}

/** Resident memory of a process on Linux. */
export function residentMb(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kilobytes) / 1024);
}

/** CPU time that a process has used, in milliseconds, on Linux with its usual clock of 100 ticks a second. */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
