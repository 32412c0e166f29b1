import { isEarly, judgeOrder, leaseFrom } from './orders.ts';
import type {
  RegisteredTask,
  Registration,
  TaskKey,
  TaskLimits,
  TaskLookup,
  TaskRegistry,
  TaskResult,
} from './registry.ts';
import { TaskTable } from './task-table.ts';

/** How often what nobody has to remember is forgotten. */
const SWEEP_MS = 60_000;
/** The same while there is no room: who asks again and again shall not make it go through all of them each time. */
const SWEEP_FULL_MS = 1000;
const NONE = { size: 0, countOf: () => 0 };

/**
 * The tasks of one process, which are lost with it. When it is full, nothing begins. What is over is forgotten, and its id free, only
 * once so much time has passed by a clock that nobody sets: a wall clock that goes ahead and back brings no ended task back.
 */
export class ProcessRegistry implements TaskRegistry {
  readonly #limits: TaskLimits;
  readonly #table = new TaskTable();
  readonly #elapsedMs: () => number;
  #sweptAtMs = Number.NEGATIVE_INFINITY;
  /** How far the wall clock was before the other one, when it was the least. */
  #leastAheadMs = Number.POSITIVE_INFINITY;

  /** `elapsedMs`: milliseconds of a clock that only goes on. */
  constructor(limits: TaskLimits, elapsedMs: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#elapsedMs = elapsedMs;
  }

  get lookup(): TaskLookup {
    return this.#table;
  }

  all(): Iterable<RegisteredTask> {
    return this.#table.values();
  }

  async register(asked: Registration, keptMs: number, nowMs: number): Promise<TaskResult> {
    const pastMs = this.#past(nowMs);
    this.#sweep(pastMs);
    const judged = judgeOrder(this.#table, asked, this.#limits, NONE, nowMs, pastMs);
    if (judged.result === 'known') return done('unchanged', judged.task, judged.task.registeredAtMs);
    if (judged.result !== 'new') return judged;
    const { order } = judged;
    const leaseUntilMs = leaseFrom(order, nowMs);
    const keptUntilMs = (leaseUntilMs ?? order.endsAtMs) + keptMs;
    const more = { registeredAtMs: nowMs, leaseUntilMs, ended: null, keptMs, keptUntilMs, origin: 'memory' } as const;
    return this.#set({ ...order, ...more }, nowMs);
  }

  async heartbeat({ issuer, id }: TaskKey, _by: string, nowMs: number): Promise<TaskResult> {
    const task = this.#table.find(issuer, id);
    if (task === null) return { result: 'unknown' };
    const state = this.#table.stateOf(task, nowMs);
    if (state !== 'active') return { result: 'over', state };
    if (isEarly(task, nowMs)) return done('unchanged', task, nowMs);
    const leaseUntilMs = leaseFrom(task, nowMs);
    const keptUntilMs = (leaseUntilMs ?? task.endsAtMs) + task.keptMs;
    return this.#set({ ...task, leaseUntilMs, keptUntilMs }, nowMs);
  }

  async end({ issuer, id }: TaskKey, by: string, reason: string, nowMs: number): Promise<TaskResult> {
    const task = this.#table.find(issuer, id);
    if (task === null) return { result: 'unknown' };
    if (task.ended !== null) return done('unchanged', task, task.ended.atMs);
    // It is kept by what this clock says, which may be behind.
    this.#past(nowMs);
    const keptUntilMs = Math.min(task.keptUntilMs, nowMs + task.keptMs);
    return this.#set({ ...task, ended: { atMs: nowMs, by, reason }, keptUntilMs }, nowMs);
  }

  #set(task: RegisteredTask, nowMs: number): TaskResult {
    this.#table.set(task);
    return done('stored', task, nowMs);
  }

  /** A time that has surely come, in milliseconds since the epoch: never later than `nowMs`. */
  #past(nowMs: number): number {
    const elapsed = this.#elapsedMs();
    this.#leastAheadMs = Math.min(this.#leastAheadMs, nowMs - elapsed);
    return elapsed + this.#leastAheadMs;
  }

  #sweep(pastMs: number): void {
    const everyMs = this.#table.size < this.#limits.all ? SWEEP_MS : SWEEP_FULL_MS;
    if (Math.abs(pastMs - this.#sweptAtMs) < everyMs) return;
    this.#sweptAtMs = pastMs;
    this.#table.dropOver(pastMs);
  }
}

const done = (result: 'stored' | 'unchanged', task: RegisteredTask, atMs: number): TaskResult => ({
  result,
  task,
  atMs,
  replicas: null,
  covers: 'this process',
});
