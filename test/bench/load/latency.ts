import type { Sidecar } from '../../support/sidecar.ts';
import { quantile, rounded } from '../figures.ts';
import type { Contender } from '../servers/servers.ts';
import type { Source } from './drive.ts';
import { LoadConnection } from './h2-load.ts';
import type { Verdict } from './verdict.ts';

/** Envoy keeps a connection for each of its threads. */
const CONNECTIONS = 4;
const GIVE_UP_MS = 60_000;

/** Milliseconds from when a check was due to its answer. */
export interface Latency {
  readonly checks: number;
  readonly wrong: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly slowest: number;
}

export interface OpenLoop {
  readonly perSecond: number;
  readonly seconds: number;
  readonly right: Verdict;
  /** As Envoy's gRPC client states it; 30 seconds when left out. */
  readonly timeout?: string;
}

/**
 * Sends checks when they are due, whether or not the ones before were answered, so that a stall is seen by all that it holds
 * up. The event loop is never idle meanwhile: a timer would be late by as much as the answers take.
 */
export async function openLoop(
  server: Pick<Contender, 'port' | 'name'>,
  source: Source,
  { perSecond, seconds, right, timeout }: OpenLoop,
): Promise<Latency> {
  const open = await Promise.all(Array.from({ length: CONNECTIONS }, () => LoadConnection.to(server.port, timeout)));
  const total = Math.round(perSecond * seconds);
  const times: number[] = [];
  let [sent, wrong] = [0, 0];
  const start = performance.now();
  const end = start + seconds * 1000 + GIVE_UP_MS;
  const dueAt = (check: number): number => start + (check * 1000) / perSecond;
  await new Promise<void>((resolve, reject) => {
    const turn = (): void => {
      const now = performance.now();
      while (sent < total && dueAt(sent) <= now) {
        const message = source();
        if (message === null) {
          reject(new Error('there were not enough messages'));
          return;
        }
        const due = dueAt(sent);
        open[sent++ % CONNECTIONS]!.send(message, (verdict) => {
          times.push(performance.now() - due);
          if (verdict !== right) wrong++;
        });
      }
      if (times.length === total) resolve();
      else if (now > end) reject(new Error(`${server.name}: ${total - times.length} of ${total} checks unanswered`));
      else setImmediate(turn);
    };
    turn();
  });
  for (const connection of open) connection.close();
  times.sort((a, b) => a - b);
  const at = (share: number): number => rounded(quantile(times, share), 3);
  return { checks: total, wrong, p50: at(0.5), p99: at(0.99), p999: at(0.999), slowest: at(1) };
}

/** The buckets of the time that checks took inside the sidecar: upper bounds in milliseconds, with the checks up to each. */
export type HandlerTimes = readonly (readonly [bound: number, checks: number])[];

export async function handlerTimes(sidecar: Sidecar, result: 'allow' | 'deny' = 'allow'): Promise<HandlerTimes> {
  const text = await (await sidecar.status('/metrics')).text();
  const bucket = new RegExp(
    `^authz_decision_duration_seconds_bucket\\{le="([^"]+)",result="${result}"\\} (\\d+)$`,
    'gm',
  );
  return [...text.matchAll(bucket)].map(([, bound, checks]) => [
    bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound) * 1000,
    Number(checks),
  ]);
}

/** The time below which this share of the checks between two scrapes lay: linear within a bucket, as Prometheus has it. */
export function handlerQuantile(before: HandlerTimes, after: HandlerTimes, share: number): number {
  const counts = after.map(([bound, checks], at) => [bound, checks - (before[at]?.[1] ?? 0)] as const);
  const wanted = share * (counts.at(-1)?.[1] ?? 0);
  let [low, below] = [0, 0];
  for (const [bound, checks] of counts) {
    if (checks >= wanted) {
      if (!Number.isFinite(bound)) return low;
      return rounded(low + ((bound - low) * (wanted - below)) / Math.max(1, checks - below), 3);
    }
    [low, below] = [bound, checks];
  }
  return low;
}
