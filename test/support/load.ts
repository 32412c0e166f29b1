import { readFileSync } from 'node:fs';
import { type Issued, TestCa, urlEncodedPem } from './ca.ts';
import { CheckClient } from './check-client.ts';
import { checkBytes, type RequestShape } from './check-request.ts';
import { TRUST_DOMAIN, workload } from './estate.ts';
import type { Sidecar } from './sidecar.ts';

const CONNECTIONS = 4;
const IN_FLIGHT = 16;

/** A request, and whether it must be allowed. */
export interface Shape {
  readonly request: RequestShape;
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
      const message = checkBytes({ ...shape.request, http: { id: String(n) } });
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
  const ledger = workload('/ns/payments/sa/ledger');
  const agent = workload('/ns/agents/sa/billing-agent');
  const unknown = workload('/ns/shadow/sa/forgotten');
  const invoice = '/api/invoices/42';
  const headers = { ...usualHeaders, 'x-task-id': 't-42', 'x-task-purpose': 'reconcile-invoices' };
  const byLedger = { headers: usualHeaders, attributes: connectionOf(ledger, ca.svid(ledger)) };
  const byAgent = { headers, attributes: connectionOf(agent, ca.svid(agent)) };
  const from = (id: string, svid: Issued | null): RequestShape => ({
    path: invoice,
    attributes: connectionOf(id, svid),
  });
  return [
    { request: { ...byLedger, path: invoice }, allow: true },
    { request: { ...byLedger, path: `${invoice}?full=1` }, allow: true },
    { request: { ...byAgent, path: '/api/status' }, allow: true },
    { request: { ...byAgent, path: invoice }, allow: false },
    { request: { ...byLedger, method: 'POST', path: '/api/refunds' }, allow: false },
    { request: { ...byLedger, path: '/api/%2e%2e/refunds' }, allow: false },
    { request: from(ledger, null), allow: false },
    { request: from(ledger, TestCa.root(TRUST_DOMAIN).svid(ledger)), allow: false },
    { request: from(unknown, ca.svid(unknown)), allow: false },
    ...Array.from({ length: 40 }, (): Shape => ({ request: from(ledger, ca.svid(ledger)), allow: true })),
  ];
}

export const usualHeaders = {
  'user-agent': 'load/1',
  accept: '*/*',
  'x-forwarded-proto': 'https',
  'accept-encoding': 'gzip',
};

/** What Envoy says of a connection. */
export function connectionOf(principal: string, svid: Issued | null, address = '127.0.0.1'): object {
  const certificate = svid === null ? '' : urlEncodedPem(svid);
  return { source: { address: { socket_address: { address } }, principal, certificate } };
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
