import { setTimeout as pause } from 'node:timers/promises';
import { Refusal } from '../../../src/base/outcome.ts';
import { budgetsOf } from '../../../src/check/budgets.ts';
import type { Target } from '../../../src/inventory/model.ts';
import type { Use } from '../../../src/state/model.ts';
import { redeem } from '../../../src/state/redemption.ts';
import type { RedisState } from '../../../src/state/redis/store.ts';
import type { TaskRegistry } from '../../../src/state/tasks/registry.ts';
import type { Task } from '../../../src/task/model.ts';
import { KEPT_MS, registration } from '../../support/registering.ts';
import { keepAsking } from './keep-asking.ts';

/** What one sidecar has of a store that tasks need. */
export interface TaskSidecar {
  readonly state: RedisState;
  readonly registry: TaskRegistry;
  /** Why nobody knows the tasks; null: they are known. */
  readonly unknown: (nowMs: number) => string | null;
}

const { issuer } = registration();
const BUDGETS = { calls: 12, writes: 6, resources: 3 };
const RESOURCES = 5;
/** Tasks that are asked for at a time, and tried again in the end. */
const LIVE = 8;
const ENDED = 400;
const TASK_MS = 600_000;
/** Between two tasks that begin, at least. */
const BEGIN_EVERY_MS = 20;
const DEADLINE_MS = 1000;
const LOOK_EVERY_MS = 20;
const KNOWN_WAITS = 100;

/** A task as its agents see it: what was permitted, and not given back. */
interface Counted {
  readonly id: string;
  calls: number;
  writes: number;
  readonly resources: Map<string, number>;
}

interface Ended {
  readonly id: string;
  readonly at: number;
}

type Outcome = 'permitted' | 'task_budget_spent' | 'state_unavailable' | 'task_ended' | 'unknown';

/**
 * Agents of a fleet that call within tasks with budgets on any of its sidecars, with retries and allows that are given back, and
 * tasks that end meanwhile. Counts every task that was permitted more than its budgets, and every one that was ended and lives.
 */
export class TaskLoad {
  readonly #name: string;
  readonly #sidecars: readonly TaskSidecar[];
  readonly #maxStaleMs: number;
  readonly #tasks: Counted[] = [];
  readonly #ended: Ended[] = [];
  #running = true;
  #workers: Promise<unknown> = Promise.resolve();
  #made = 0;
  #begunAt = 0;
  readonly counts = new Map<Outcome, number>();
  readonly faults: string[] = [];
  calls = 0;
  revived = 0;
  slowestMs = 0;

  constructor(name: string, sidecars: readonly TaskSidecar[], maxStaleMs: number) {
    this.#name = name;
    this.#sidecars = sidecars;
    this.#maxStaleMs = maxStaleMs;
  }

  /** Tasks of which more was permitted than they may have. */
  get over(): number {
    return this.#tasks.filter(isOver).length;
  }

  start(workers: number, pauseMs: number): void {
    const worker = () =>
      keepAsking(
        () => this.#running,
        () => this.#agent(),
        pauseMs,
      );
    this.#workers = Promise.all([...Array.from({ length: workers }, worker), this.#ends()]);
  }

  /** Ends, after every task was tried on every sidecar until nothing was permitted any more. */
  async stop(): Promise<void> {
    this.#running = false;
    await this.#workers;
    await pause(this.#maxStaleMs + 1);
    this.#look();
    for (const task of this.#tasks.slice(-ENDED))
      for (const sidecar of this.#sidecars)
        for (let n = 0; n <= BUDGETS.calls; n++) if ((await this.#call(sidecar, task)) !== 'permitted') break;
    for (const task of this.#tasks)
      if (isOver(task))
        this.faults.push(
          `${this.#name}: ${task.id} was permitted ${task.calls} calls, ${task.writes} writes, ${task.resources.size} resources`,
        );
  }

  /** Whether a task that begins now is served on each of the sidecars. No agent has it yet: they would spend its budgets. */
  async served(): Promise<boolean> {
    const task = await this.#begin();
    if (task === null) return false;
    const served = await this.#isServed(task);
    this.#tasks.push(task);
    return served;
  }

  async #isServed(task: Counted): Promise<boolean> {
    // The others know it a little later.
    for (let waits = 0; waits < KNOWN_WAITS && !this.#knows(task); waits++) await pause(LOOK_EVERY_MS);
    for (const sidecar of this.#sidecars) if ((await this.#call(sidecar, task)) !== 'permitted') return false;
    return true;
  }

  #knows({ id }: Counted): boolean {
    return this.#sidecars.every(({ registry: { lookup } }) => lookup.find(issuer, id) !== null);
  }

  /** Agents begin another task when nothing is left of one, and not faster than a control process would let them. */
  async #agent(): Promise<boolean> {
    const task = any(Math.random() < 0.9 ? this.#tasks.slice(-LIVE) : this.#tasks);
    const permitted = task !== undefined && (await this.#call(any(this.#sidecars)!, task)) === 'permitted';
    if (permitted || Date.now() - this.#begunAt < BEGIN_EVERY_MS) return permitted;
    this.#begunAt = Date.now();
    const begun = await this.#begin();
    if (begun !== null) this.#tasks.push(begun);
    return permitted;
  }

  async #begin(): Promise<Counted | null> {
    const id = `${this.#name.replaceAll(/[^\w-]/g, '-')}-${this.#made++}`;
    const order = registration({ id, budgets: BUDGETS, endsAtMs: Date.now() + TASK_MS });
    const { result } = await any(this.#sidecars)!.registry.register(order, KEPT_MS, Date.now());
    if (result !== 'stored') return null;
    return { id, calls: 0, writes: 0, resources: new Map<string, number>() };
  }

  /** One call as the check makes it; Envoy may ask again elsewhere, and the allow may find nobody who waits. */
  async #call(sidecar: TaskSidecar, task: Counted): Promise<Outcome> {
    const [effect, api] = [
      Math.random() < 0.5 ? 'read' : 'write',
      `h/${Math.floor(Math.random() * RESOURCES)}`,
    ] as const;
    const target = { resource: { apis: [api], host: { name: 'h' } }, effect } as unknown as Target;
    const use = {
      requestId: `${this.calls++}`,
      caller: `spiffe://prod.example/${this.calls % 50}`,
      checkPeer: null,
      digest: '',
      deadline: Date.now() + DEADLINE_MS,
      judgedBy: '',
    };
    const first = await this.#ask(sidecar, task, target, use);
    const retried = Math.random() < 0.2 ? await this.#ask(any(this.#sidecars)!, task, target, use) : null;
    const permitted = first.outcome === 'permitted' || retried?.outcome === 'permitted';
    if (!permitted) return first.outcome;
    const add = (by: number): void => {
      task.calls += by;
      if (effect === 'write') task.writes += by;
      const uses = (task.resources.get(api) ?? 0) + by;
      if (uses > 0) task.resources.set(api, uses);
      else task.resources.delete(api);
    };
    add(1);
    if (Math.random() < 0.2 && first.giveBack !== null) {
      // With a retry that was permitted too, nothing is given back.
      if (retried?.outcome !== 'permitted') add(-1);
      first.giveBack();
    }
    return 'permitted';
  }

  async #ask({ state, registry, unknown }: TaskSidecar, { id }: Counted, target: Target, use: Use) {
    const began = performance.now();
    const now = Date.now();
    const decide = async (): Promise<{ outcome: Outcome; giveBack: (() => void) | null }> => {
      if (unknown(now) !== null) return { outcome: 'state_unavailable', giveBack: null };
      const known = registry.lookup.find(issuer, id);
      if (known === null) return { outcome: 'unknown', giveBack: null };
      if (registry.lookup.stateOf(known, now) !== 'active') return { outcome: 'task_ended', giveBack: null };
      const source = { current: () => registry.lookup, history: () => state.history() };
      const counted = budgetsOf(source, { backing: [{ issuer, id } as Task] }, target, now);
      const given = counted instanceof Refusal ? counted : await redeem(state, counted, use, now);
      if (given instanceof Refusal) return { outcome: given.reason as Outcome, giveBack: null };
      return { outcome: 'permitted', giveBack: given === 'grown' ? null : given };
    };
    const decided = await decide();
    this.slowestMs = Math.max(this.slowestMs, performance.now() - began);
    this.counts.set(decided.outcome, (this.counts.get(decided.outcome) ?? 0) + 1);
    return decided;
  }

  /** Ends a task now and then, and looks whether one that was ended is taken for active anywhere. */
  async #ends(): Promise<void> {
    while (this.#running) {
      const task = any(this.#tasks.slice(0, -LIVE));
      if (task !== undefined && Math.random() < 0.2) {
        const { registry } = any(this.#sidecars)!;
        const { result } = await registry.end({ issuer, id: task.id }, 'soak', 'over', Date.now());
        if (result === 'stored') this.#ended.push({ id: task.id, at: Date.now() });
      }
      this.#look();
      await pause(LOOK_EVERY_MS);
    }
  }

  #look(): void {
    const now = Date.now();
    for (const { id, at } of this.#ended)
      for (const [number, { registry, unknown }] of this.#sidecars.entries()) {
        if (now - at <= this.#maxStaleMs || unknown(now) !== null) continue;
        const task = registry.lookup.find(issuer, id);
        if (task === null || registry.lookup.stateOf(task, now) !== 'active') continue;
        this.revived++;
        this.faults.push(`${this.#name}: sidecar ${number} lets ${id} live ${now - at} ms after it was ended`);
      }
  }
}

const isOver = ({ calls, writes, resources }: Counted): boolean =>
  calls > BUDGETS.calls || writes > BUDGETS.writes || resources.size > BUDGETS.resources;

const any = <T>(list: readonly T[]): T | undefined => list[Math.floor(Math.random() * list.length)];
