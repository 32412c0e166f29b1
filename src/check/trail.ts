import { Refusal } from '../base/outcome.ts';
import type { Assessed } from '../behaviour/workload-book.ts';
import type { Caller, VerifiedCredential } from '../identity/caller.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { Target } from '../inventory/model.ts';
import type { Snapshot } from '../policy/decide/snapshot.ts';
import type { TaskContext, VerifiedTask } from '../task/model.ts';
import type { Approvable } from './approvals.ts';
import type { JudgedHop } from './judge.ts';
import type { Facts } from './recall.ts';
import type { ReadTouched } from './touched.ts';

/** The stages of one check that are timed. */
export type TimedStage = 'identity' | 'task' | 'facts' | 'policy' | 'commit' | 'audit';

/** One stage that ran, in whole microseconds; `start` counts from the beginning of the check. */
export interface Span {
  readonly stage: TimedStage;
  readonly start: number;
  readonly micros: number;
}

/** What the stages find, one after the other. */
export interface Findings {
  target: Target;
  caller: Caller;
  taskContext: TaskContext;
  facts: Facts;
  /** What was noticed about the caller. */
  behaviour: Assessed;
  /** Where it decides. */
  touched: ReadTouched;
  hops: readonly JudgedHop[];
  approval: Approvable;
}

/** The stage that each finding ends; null: it is not timed. */
const stageOf = {
  target: null,
  caller: 'identity',
  taskContext: 'task',
  facts: 'facts',
  behaviour: 'facts',
  touched: 'facts',
  hops: 'policy',
  approval: 'policy',
} as const satisfies Record<keyof Findings, TimedStage | null>;

/** What one check finds, and how long each stage takes: what records, metrics and traces are made from. */
export class Trail {
  /** Null where the check ended before it had one. */
  readonly snapshot: Snapshot<Inventory> | null;
  /** What was found until the check ended. */
  readonly found: Partial<Findings> = {};
  /** A credential and a task that were good by themselves: they say who was refused, and are never more than a record. */
  readonly verified: { credential: VerifiedCredential | null; task: VerifiedTask | null } = {
    credential: null,
    task: null,
  };
  readonly onCredential = (credential: VerifiedCredential): void => {
    this.verified.credential = credential;
  };
  readonly onTask = (task: VerifiedTask): void => {
    this.verified.task = task;
  };
  /** Policies that would have refused what passed, had they been told what was noticed about the caller. */
  wouldForbid: readonly string[] = [];
  /** A quarantine would have refused it, were one made. */
  wouldQuarantine = false;
  /** In the order in which they ended. */
  readonly spans: Span[] = [];
  /** When it began, by `performance.now()`. */
  readonly beganMs = performance.now();
  #since = this.beganMs;

  constructor(snapshot: Snapshot<Inventory> | null = null) {
    this.snapshot = snapshot;
  }

  /** Ends the stage that finds `name`, and keeps what it found, unless that is a refusal. Returns it. */
  keep<K extends keyof Findings>(name: K, found: Findings[K] | Refusal): Findings[K] | Refusal {
    this.lap(stageOf[name]);
    if (!(found instanceof Refusal)) this.found[name] = found;
    return found;
  }

  /** Attributes the time since the previous lap to `stage`; to none where it is null. */
  lap(stage: TimedStage | null): void {
    const now = performance.now();
    if (stage !== null) {
      const start = Math.round((this.#since - this.beganMs) * 1000);
      this.spans.push({ stage, start, micros: Math.round((now - this.#since) * 1000) });
    }
    this.#since = now;
  }

  /** Microseconds by stage, of the stages that ran. */
  get micros(): Partial<Record<TimedStage, number>> {
    const byStage: Partial<Record<TimedStage, number>> = {};
    for (const { stage, micros } of this.spans) byStage[stage] = (byStage[stage] ?? 0) + micros;
    return byStage;
  }
}
