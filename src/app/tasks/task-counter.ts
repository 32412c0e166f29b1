import { Turns } from '../../base/slices.ts';
import type { TaskRegistry } from '../../state/tasks/registry.ts';

/** The longest piece of this work on the thread that answers checks, in milliseconds, and the tasks of one step of it. */
const PIECE_MS = 2;
const STEP = 500;

/** How many live, and how many are over and still remembered. */
export interface TaskCounts {
  readonly live: number;
  readonly over: number;
}

/** Counts the tasks of a registry, however many, while checks are answered: what lives is known only by looking at each. */
export class TaskCounter {
  readonly #registry: Pick<TaskRegistry, 'lookup' | 'all'>;
  readonly #pieceMs: number;
  #last: TaskCounts | null = null;
  #counting: Promise<void> | null = null;

  constructor(registry: Pick<TaskRegistry, 'lookup' | 'all'>, pieceMs = PIECE_MS) {
    this.#registry = registry;
    this.#pieceMs = pieceMs;
  }

  /**
   * As they are at `nowMs` (milliseconds since the epoch), where counting them takes one piece of work; else as they were at the
   * last call that found them counted, and they are counted anew. Null: they are counted for the first time.
   */
  at(nowMs: number): TaskCounts | null {
    if (this.#counting !== null) return this.#last;
    const turns = new Turns(this.#pieceMs);
    const steps = this.#steps(nowMs);
    if (!this.#isDone(steps, turns))
      this.#counting = this.#rest(steps, turns).finally(() => {
        this.#counting = null;
      });
    return this.#last;
  }

  /** The count that is under way. */
  async counted(): Promise<void> {
    await this.#counting;
  }

  async #rest(steps: Generator<void>, turns: Turns): Promise<void> {
    do await turns.next();
    while (!this.#isDone(steps, turns));
  }

  /** Goes on for one turn. */
  #isDone(steps: Generator<void>, turns: Turns): boolean {
    do if (steps.next().done) return true;
    while (!turns.over);
    return false;
  }

  *#steps(nowMs: number): Generator<void> {
    const { lookup } = this.#registry;
    let [live, all] = [0, 0];
    for (const task of this.#registry.all()) {
      if (lookup.stateOf(task, nowMs) === 'active') live++;
      if (++all % STEP === 0) yield;
    }
    this.#last = { live, over: all - live };
  }
}
