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

/** The tasks of one process, which are lost with it. When it is full, nothing begins. */
export class ProcessRegistry implements TaskRegistry {
  readonly #limits: TaskLimits;
  readonly #table = new TaskTable();
  #sweptAtMs = Number.NEGATIVE_INFINITY;

  constructor(limits: TaskLimits) {
    this.#limits = limits;
  }

  get lookup(): TaskLookup {
    return this.#table;
  }

  all(): Iterable<RegisteredTask> {
    return this.#table.values();
  }

  async register(asked: Registration, keptMs: number, nowMs: number): Promise<TaskResult> {
    this.#sweep(nowMs);
    const judged = judgeOrder(this.#table, asked, this.#limits, NONE, nowMs);
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
    const keptUntilMs = Math.min(task.keptUntilMs, nowMs + task.keptMs);
    return this.#set({ ...task, ended: { atMs: nowMs, by, reason }, keptUntilMs }, nowMs);
  }

  #set(task: RegisteredTask, nowMs: number): TaskResult {
    this.#table.set(task);
    return done('stored', task, nowMs);
  }

  #sweep(nowMs: number): void {
    const everyMs = this.#table.size < this.#limits.all ? SWEEP_MS : SWEEP_FULL_MS;
    if (Math.abs(nowMs - this.#sweptAtMs) < everyMs) return;
    this.#sweptAtMs = nowMs;
    this.#table.dropOver(nowMs);
  }
}

const done = (result: 'stored' | 'unchanged', task: RegisteredTask, atMs: number): TaskResult => ({
  result,
  task,
  atMs,
  replicas: null,
  covers: 'this process',
});
