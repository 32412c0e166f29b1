import { hostname } from 'node:os';
import { systemClock } from '../base/clock.ts';
import { Refusal } from '../base/outcome.ts';
import type { CheckResult } from '../check/decision.ts';
import { summaryOf } from '../check/record.ts';
import type { Trail } from '../check/trail.ts';
import type { Config } from '../config/schema.ts';
import { MemoryActivity } from '../state/activity/memory.ts';
import type { Activity, ActivityLimits, DecisionSummary } from '../state/activity/model.ts';
import { MAX_WAITING_DECISIONS } from '../state/activity/outbox.ts';
import type { Recorder } from '../state/activity/recorder.ts';
import { RedisActivity } from '../state/activity/redis.ts';
import { activityLoads } from '../state/activity/size.ts';
import type { Reporters } from './changes.ts';
import type { Part } from './part.ts';
import type { StatePart } from './state.ts';

/** How often tasks that ended are dropped. */
const SWEEP_MS = 1000;
/** How long the end may take to write what waits. */
const LAST_WRITE_MS = 500;

/** Nobody can read what is kept. */
const NOTHING: ActivityLimits = { denials: 0, allows: 0, oneAllowIn: 1, workloads: 0 };

/** What lists show, running. */
export interface ActivityPart extends Part {
  readonly activity: Activity;
  /** Notes one check, and keeps its decision or not. Nothing is waited for. */
  readonly listener: (result: CheckResult) => void;
  /** Fills in what is a fill level. */
  readonly measure: () => void;
}

/** Keeps what lists show, in the store where there is one, else in this process, if `listen.control` lets it be read. */
export function startActivity(
  { state, listen }: Config,
  { shared }: StatePart,
  { log, metrics }: Pick<Reporters, 'log' | 'metrics'>,
): ActivityPart {
  const onOmitted = () => metrics.counted('authz_activity_omitted_total');
  if (shared === null) {
    const limits = listen.control === null ? NOTHING : state.activity;
    const memory = new MemoryActivity({ limits, onOmitted, now: systemClock.now });
    const sweeping = setInterval(() => memory.recorder.uses.sweep(systemClock.now()), SWEEP_MS).unref();
    return {
      activity: memory,
      listener: listenerOf(memory, hostname()),
      measure: () => {
        for (const [kind, load] of activityLoads(memory.counts, limits)) metrics.cache(kind, load);
      },
      missing: () => [],
      status: () => ({}),
      stop: () => clearInterval(sweeping),
    };
  }
  const limits = state.activity;
  const redis = new RedisActivity({
    limits,
    store: shared,
    clock: systemClock,
    onOmitted,
    onDropped: (decisions) => metrics.counted('authz_activity_dropped_total', decisions),
    onFailure: ({ detail }, isNew) => {
      metrics.counted('authz_activity_write_failures_total');
      if (isNew) log.warn('store takes nothing for lists', { detail });
    },
    onDisagreement: (detail) => log.warn('store lists disagree', { detail }),
  });
  const { writer } = redis;
  return {
    activity: redis,
    listener: listenerOf(redis, hostname()),
    measure: () => {
      const { counts, waiting } = writer;
      for (const [kind, load] of counts === null ? [] : activityLoads(counts, limits)) metrics.cache(kind, load);
      metrics.gauges({ authz_activity_waiting: waiting, authz_activity_waiting_limit: MAX_WAITING_DECISIONS });
    },
    missing: () => [],
    status: () => ({ activity: { fault: writer.fault?.detail ?? null, warning: writer.warning } }),
    stop: () => writer.stop(LAST_WRITE_MS),
  };
}

interface Keeper {
  readonly recorder: Recorder;
  keep(summary: DecisionSummary): void;
}

/** Notes each check, and makes something only of those that are kept. */
function listenerOf(keeper: Keeper, sidecar: string): ActivityPart['listener'] {
  const { recorder } = keeper;
  return (result) => {
    const { decided, time } = result;
    const { caller = null, taskContext } = decided.trail.found;
    if (decided.outcome instanceof Refusal) {
      const omitted = recorder.deny(caller, shareOf(decided.outcome, decided.trail), time);
      if (omitted !== null) keeper.keep(summaryOf(result, sidecar, omitted));
    } else if (caller !== null && recorder.allow(caller, taskContext?.task ?? null, time)) {
      keeper.keep(summaryOf(result, sidecar, 0));
    }
  };
}

/** Whose share a denial takes: that of the workload that was proven, else of its reason, so that strangers have few shares. */
function shareOf({ reason }: Refusal, { found, verified }: Trail): string {
  return (found.caller?.workload.id ?? verified.credential?.id)?.text ?? reason;
}
