import { readdirSync, readFileSync } from 'node:fs';
import type { Contender } from '../servers/servers.ts';
import { type Done, LoadConnection } from './h2-load.ts';
import type { Verdict } from './verdict.ts';

/** How many checks are kept in flight. */
export interface Depth {
  readonly connections: number;
  readonly streams: number;
}
export const FULL: Depth = { connections: 4, streams: 16 };
export const ALONE: Depth = { connections: 1, streams: 1 };

/** How long a server is kept busy: for a time, or for a number of checks. It ends earlier when there are no more messages. */
export type Amount = { readonly seconds: number } | { readonly checks: number };

/** The next message; null: there is none left. */
export type Source = () => Uint8Array | null;

/** What a number of checks cost. */
export interface Spent {
  readonly checks: number;
  /** Answers other than the one that is right. */
  readonly wrong: number;
  readonly seconds: number;
  /** CPU of the server. */
  readonly cpuMs: number;
  /** CPU of the load generator, as a share of its core. */
  readonly loadShare: number;
}

/** Keeps checks in flight, each with the message that is next, and compares each decision. */
export async function drive(
  server: Contender,
  source: Source,
  amount: Amount,
  right: Verdict,
  { connections, streams }: Depth = FULL,
): Promise<Spent> {
  const open = await Promise.all(Array.from({ length: connections }, () => LoadConnection.to(server.port)));
  const cpu = cpuOf(server.pid);
  const own = process.cpuUsage();
  const start = performance.now();
  const end = 'seconds' in amount ? start + amount.seconds * 1000 : Number.POSITIVE_INFINITY;
  const most = 'checks' in amount ? amount.checks : Number.POSITIVE_INFINITY;
  let [sent, checks, wrong] = [0, 0, 0];
  await new Promise<void>((resolve, reject) => {
    let busy = connections * streams;
    const next = (connection: LoadConnection, done: Done): void => {
      const message = sent < most && performance.now() < end ? source() : null;
      if (message === null) {
        if (--busy === 0) resolve();
        return;
      }
      sent++;
      connection.send(message, done);
    };
    for (const connection of open) {
      const done = (verdict: Verdict): void => {
        checks++;
        if (verdict !== right) wrong++;
        if (connection.ended) reject(new Error(`${server.name} ended a connection`));
        else next(connection, done);
      };
      for (let stream = 0; stream < streams; stream++) next(connection, done);
    }
  });
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(own);
  const spent = cpuBetween(cpu, cpuOf(server.pid));
  for (const connection of open) connection.close();
  return { checks, wrong, seconds, cpuMs: spent, loadShare: (user + system) / 1e6 / seconds };
}

/** Milliseconds on a CPU of each thread of a process, on Linux to the nanosecond. */
export type Cpu = ReadonlyMap<string, number>;

export function cpuOf(pid: number): Cpu {
  const found = new Map<string, number>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      const [spent = ''] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
      found.set(thread, Number(spent) / 1e6);
    } catch {
      // The thread has just ended.
    }
  }
  return found;
}

/** Milliseconds that the threads of a process spent between two looks; what one that ended in between spent is not seen. */
export function cpuBetween(before: Cpu, after: Cpu): number {
  let sum = 0;
  for (const [thread, spent] of after) sum += spent - (before.get(thread) ?? 0);
  return sum;
}
