import {
  MAX_TASK_DEPTH,
  type RegisteredTask,
  type Registration,
  type TaskKey,
  type TaskLookup,
  type TaskState,
} from './registry.ts';

/** The tasks that are remembered, with how many each workload has. */
export class TaskTable implements TaskLookup {
  readonly #tasks = new Map<string, RegisteredTask>();
  readonly #ofWorkload = new Map<string, number>();
  #bytes = 0;

  get size(): number {
    return this.#tasks.size;
  }

  /** What the texts of all of them take. */
  get bytes(): number {
    return this.#bytes;
  }

  find(issuer: string, id: string): RegisteredTask | null {
    return this.#tasks.get(textOf(issuer, id)) ?? null;
  }

  stateOf(task: RegisteredTask, nowMs: number): TaskState {
    let state = ownState(task, nowMs);
    let below = task;
    for (let above = 0; state === 'active' && below.parent !== null; above++) {
      const parent = this.find(below.parent.issuer, below.parent.id);
      // One that began later is another one of this name: the parent is over, and forgotten.
      if (parent === null || parent.registeredAtMs > below.registeredAtMs || above === MAX_TASK_DEPTH) return 'ended';
      state = ownState(parent, nowMs);
      below = parent;
    }
    return state;
  }

  /** How many are above this one. */
  depthOf({ parent }: Pick<RegisteredTask, 'parent'>): number {
    let depth = 0;
    for (let above = parent; above !== null && depth <= MAX_TASK_DEPTH; depth++)
      above = this.find(above.issuer, above.id)?.parent ?? null;
    return depth;
  }

  /** How many this workload may carry, or could. */
  countOf(workload: string): number {
    return this.#ofWorkload.get(workload) ?? 0;
  }

  values(): Iterable<RegisteredTask> {
    return this.#tasks.values();
  }

  /** Takes one, in the place of what was there by its key: who goes through all of them meets it once. */
  set(task: RegisteredTask): void {
    const text = textOf(task.issuer, task.id);
    this.#uncount(this.#tasks.get(text));
    this.#tasks.set(text, task);
    this.#bytes += taskBytes(task);
    for (const workload of task.workloads) this.#ofWorkload.set(workload, this.countOf(workload) + 1);
  }

  remove({ issuer, id }: TaskKey): void {
    const text = textOf(issuer, id);
    this.#uncount(this.#tasks.get(text));
    this.#tasks.delete(text);
  }

  /** Forgets those that nobody has to remember after `nowMs`. */
  dropOver(nowMs: number): void {
    for (const task of this.#tasks.values()) if (task.keptUntilMs <= nowMs) this.remove(task);
  }

  #uncount(task: RegisteredTask | undefined): void {
    if (task === undefined) return;
    this.#bytes -= taskBytes(task);
    for (const workload of task.workloads) {
      const left = this.countOf(workload) - 1;
      if (left > 0) this.#ofWorkload.set(workload, left);
      else this.#ofWorkload.delete(workload);
    }
  }
}

/** Whether it is over by itself. */
function ownState({ ended, endsAtMs, leaseUntilMs }: RegisteredTask, nowMs: number): TaskState {
  if (ended !== null || nowMs >= endsAtMs) return 'ended';
  return leaseUntilMs !== null && nowMs >= leaseUntilMs ? 'lapsed' : 'active';
}

/** What the texts of a task take, whatever is done to it meanwhile. */
export function taskBytes({ issuer, id, purpose, owner, workloads, parent, by, reason }: Registration): number {
  const above = parent === null ? 0 : parent.issuer.length + parent.id.length;
  const own = issuer.length + id.length + purpose.length + (owner ?? '').length + by.length + reason.length;
  return own + above + workloads.reduce((sum, workload) => sum + workload.length, 0);
}

/** No id has a space in it. */
const textOf = (issuer: string, id: string): string => `${id} ${issuer}`;
