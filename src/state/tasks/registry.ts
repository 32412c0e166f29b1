/** What names a task: ids of two issuers have nothing to do with each other. */
export interface TaskKey {
  readonly issuer: string;
  readonly id: string;
}

/** What a task may use up, it and all below it; null: as much as it likes. */
export interface Budgets {
  readonly calls: number | null;
  readonly writes: number | null;
  /** Distinct resources. */
  readonly resources: number | null;
}

/** What somebody asks to begin. Times are milliseconds, or milliseconds since the epoch. */
export interface Registration extends TaskKey {
  /** A purpose of the inventory: the task's tokens may state it, or one below it. */
  readonly purpose: string;
  /** A team. */
  readonly owner: string | null;
  /** SPIFFE IDs of those that may carry it, 1 to 16. */
  readonly workloads: readonly string[];
  /** The task that it is a part of: it ends with that. */
  readonly parent: TaskKey | null;
  readonly endsAtMs: number;
  /** So long it lives after a heartbeat, and after its beginning; null: it needs none. */
  readonly leaseMs: number | null;
  readonly budgets: Budgets;
  readonly by: string;
  readonly reason: string;
}

/** Only `active` permits. `ended`: by an order, by its end, or with its parent. `lapsed`: its lease ran out. */
export type TaskState = 'active' | 'ended' | 'lapsed';

/** A task that began, for as long as it is remembered. */
export interface RegisteredTask extends Registration {
  readonly registeredAtMs: number;
  /** When it lapses without a heartbeat; null: never. */
  readonly leaseUntilMs: number | null;
  readonly ended: { readonly atMs: number; readonly by: string; readonly reason: string } | null;
  /** How long after its end a token that carries it could be accepted. */
  readonly keptMs: number;
  /** Until then it is remembered, so that its id is not free. */
  readonly keptUntilMs: number;
  readonly origin: 'memory' | 'store';
}

/** What a check is looked up in. */
export interface TaskLookup {
  /** Tasks that are remembered, those that are over among them. */
  readonly size: number;
  find(issuer: string, id: string): RegisteredTask | null;
  /** Of the task and all above it the first that is not active decides. `nowMs`: milliseconds since the epoch. */
  stateOf(task: RegisteredTask, nowMs: number): TaskState;
}

/**
 * What became of an order. `covers`: whom it reaches; `replicas`: how many had it when it was answered, null where nobody
 * counts. `unavailable`: nobody knows whether it was taken; the same order may be given again.
 */
export type TaskResult =
  | {
      readonly result: 'stored' | 'unchanged';
      readonly task: RegisteredTask;
      readonly atMs: number;
      readonly replicas: number | null;
      readonly covers: 'this process' | 'store';
    }
  /** The id belongs to another task, or the parent is none that can have a child. */
  | { readonly result: 'conflict'; readonly detail: string }
  | { readonly result: 'full'; readonly detail: string }
  /** In a store, what opens must be signed, and there is no key here. */
  | { readonly result: 'unsigned'; readonly detail: string }
  | { readonly result: 'unavailable'; readonly detail: string }
  /** There is no such task. */
  | { readonly result: 'unknown' }
  /** A heartbeat of a task that is over, or another beginning of it. */
  | { readonly result: 'over'; readonly state: Exclude<TaskState, 'active'> };

/**
 * The tasks that began. Whatever opens (`register`, `heartbeat`) works while a task is active, and nothing makes one active
 * again that is over. Who may do what is for others to decide. Never throws and never rejects. `nowMs`: milliseconds since the
 * epoch.
 */
export interface TaskRegistry {
  readonly lookup: TaskLookup;
  /** All that are remembered: iterate, do not hold. */
  all(): Iterable<RegisteredTask>;
  /**
   * Begins a task: the same order again is the same task. `keptMs`: how long after its end a token that carries it could be
   * accepted (the longest lifetime of its issuer, and skew).
   */
  register(order: Registration, keptMs: number, nowMs: number): Promise<TaskResult>;
  /** Gives it another lease from now on. */
  heartbeat(key: TaskKey, by: string, nowMs: number): Promise<TaskResult>;
  /** Ends it, and all below it. */
  end(key: TaskKey, by: string, reason: string, nowMs: number): Promise<TaskResult>;
}

/** How many tasks may be remembered, those that are over among them: of each workload, and in all. */
export interface TaskLimits {
  readonly perWorkload: number;
  readonly all: number;
}

/** What one task may take on average, in a store or in a process: measured, and rounded up. */
export const TASK_BYTES = 2048;
/** Tasks above one. */
export const MAX_TASK_DEPTH = 8;
