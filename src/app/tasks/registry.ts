import { Fault } from '../../base/fault.ts';
import type { Config } from '../../config/schema.ts';
import type { Log } from '../../observe/log.ts';
import type { Metrics } from '../../observe/metrics.ts';
import type { OrderKeys } from '../../state/lift-keys.ts';
import type { RedisState } from '../../state/redis/store.ts';
import { type RedisRegistryParts, RedisTaskRegistry } from '../../state/redis/tasks/task-registry.ts';
import { ProcessRegistry } from '../../state/tasks/process-registry.ts';
import { TASK_BYTES, type TaskLookup, type TaskRegistry } from '../../state/tasks/registry.ts';
import type { Task } from '../../task/model.ts';
import { TaskCounter } from './task-counter.ts';

const MAX_SHOWN = 16;
const UNCOUNTED = { live: null, over: null };

/** The tasks that began, running: a part of the app. */
export interface RegistryPart {
  readonly registry: TaskRegistry;
  /** Those that are known at `nowMs`; a Fault while nobody knows. */
  readonly current: (nowMs: number) => TaskLookup | Fault;
  /** Whether tasks of this kind and issuer must be registered. */
  readonly required: (task: Pick<Task, 'source' | 'issuer'>) => boolean;
  /** Whether the token service registered it, and names in its tokens to whom it was handed on. */
  readonly handedOn: RegistryPart['required'];
  /** What is measured before a scrape. */
  readonly gauges: (nowMs: number) => Parameters<Metrics['gauges']>[0];
  /** What keeps the sidecar from being ready. */
  missing(nowMs: number): readonly string[];
  /** What `/status` shows. */
  status(nowMs: number): Readonly<Record<string, unknown>>;
  stop(): void | Promise<void>;
}

/** The registry of the configuration: in the store that is shared, where tasks can be stated, else in this process. */
export async function startRegistry(
  { task, tokenService, state }: Config,
  shared: RedisState | null,
  keys: OrderKeys,
  onEvent: RedisRegistryParts['onEvent'],
): Promise<RegistryPart> {
  const limits = state.tasks;
  const stored =
    shared === null || (task.issuers.length === 0 && tokenService === null)
      ? null
      : await RedisTaskRegistry.start({ ...shared.followed, limits, keys: keys.current, onEvent });
  if (stored !== null) keys.onChange(() => stored.keysChanged());
  const registry = stored ?? new ProcessRegistry(limits);
  const counter = new TaskCounter(registry);
  return {
    registry,
    current: (nowMs) => {
      const unknown = stored?.unknown(nowMs) ?? null;
      return unknown === null ? registry.lookup : new Fault(unknown);
    },
    required: tasksOf(task.issuers.filter(({ registration }) => registration !== 'optional')),
    handedOn: tasksOf(task.issuers.filter(({ registration }) => registration === 'issued')),
    gauges: (nowMs) => {
      const { live, over } = counter.at(nowMs) ?? UNCOUNTED;
      const own = { authz_tasks: live, authz_tasks_over: over, authz_tasks_limit: limits.all };
      return stored === null ? own : { ...own, ...storeGauges(stored, limits.all, nowMs) };
    },
    // Once they were read, checks that cannot know more are refused with a reason.
    missing: (nowMs) => (stored !== null && stored.stalenessMs(nowMs) === null ? [stored.unknown(nowMs)!] : []),
    status: (nowMs) => ({
      tasks: { ...(counter.at(nowMs) ?? UNCOUNTED), ...(stored !== null && shown(stored, nowMs)) },
    }),
    stop: () => stored?.stop(),
  };
}

function shown(stored: RedisTaskRegistry, nowMs: number) {
  const { head, unreadable } = stored.status();
  const staleMs = stored.stalenessMs(nowMs);
  return {
    store: {
      fault: stored.unknown(nowMs),
      staleSeconds: staleMs === null ? null : Math.round(staleMs) / 1000,
      tasks: head?.records ?? null,
      bytes: head?.bytes ?? null,
      unreadable,
    },
  };
}

function storeGauges(stored: RedisTaskRegistry, all: number, nowMs: number) {
  const { head, unreadable } = stored.status();
  const staleMs = stored.stalenessMs(nowMs);
  return {
    authz_tasks_staleness_seconds: staleMs === null ? null : staleMs / 1000,
    authz_store_tasks: head?.records ?? null,
    authz_store_tasks_bytes: head?.bytes ?? null,
    authz_store_tasks_limit_bytes: all * TASK_BYTES,
    authz_store_tasks_unreadable: unreadable,
  };
}

/** Tells whether a task is of one of these issuers. JWT-SVIDs are issued by their trust domains. */
function tasksOf(issuers: Config['task']['issuers']): RegistryPart['required'] {
  const found = new Set<string>();
  for (const issuer of issuers) {
    const names = issuer.kind === 'jwt-svid' ? issuer.trustDomains.map((name) => `spiffe://${name}`) : [issuer.issuer];
    for (const name of names) found.add(`${issuer.kind} ${name}`);
  }
  return found.size === 0 ? () => false : ({ source, issuer }) => found.has(`${source} ${issuer}`);
}

/** Reports what happens to the tasks of the store to log and metrics: each order is a line of the audit where it is given. */
export function registryReports(log: Log, metrics: Metrics): RedisRegistryParts['onEvent'] {
  return (event) => {
    switch (event.kind) {
      case 'learned': {
        const { rejected } = event;
        if (rejected.length === 0) return;
        metrics.counted('authz_task_records_rejected_total', rejected.length);
        return log.error('task records rejected', { tasks: rejected.slice(0, MAX_SHOWN), count: rejected.length });
      }
      case 'resync':
        return metrics.counted('authz_task_resyncs_total');
      case 'restored':
        return log.warn('tasks written back to the store', { tasks: event.records });
      case 'not restored':
        return log.error('tasks could not be written back to the store', { detail: event.detail });
    }
  };
}
