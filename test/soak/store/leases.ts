import { setTimeout as pause } from 'node:timers/promises';
import { KEPT_MS, MANAGER, registration } from '../../support/registering.ts';
import type { TaskSidecar } from './tasks.ts';

const ORDER_EVERY_MS = 100;
const LOOK_EVERY_MS = 20;
/** Tasks that are looked at each time. */
const LOOKED_AT = 50;
const LEASE_MS = 1000;
const { issuer } = registration();

/** A task that is over, since its end was answered, or its lease ran out with no heartbeat that was answered or may have been taken. */
interface Over {
  readonly id: string;
  readonly at: number;
  readonly why: 'ended' | 'lapsed';
}

/**
 * The registered tasks of several sidecars: begun, kept alive and ended at any of them, and what the others would permit. A task
 * that was revived is one that is active later than the bound of staleness after its end was answered, or after its
 * lease ran out, whatever became of the store.
 */
export class LeaseLoad {
  readonly #name: string;
  readonly #maxStaleMs: number;
  readonly #sidecars: readonly TaskSidecar[];
  readonly #over: Over[] = [];
  #running = true;
  #workers: Promise<unknown> = Promise.resolve();
  #made = 0;
  revived = 0;
  refusals = 0;
  readonly faults: string[] = [];

  constructor(name: string, sidecars: readonly TaskSidecar[], maxStaleMs: number) {
    this.#name = name;
    this.#sidecars = sidecars;
    this.#maxStaleMs = maxStaleMs;
  }

  /** Tasks that are over. */
  get over(): number {
    return this.#over.length;
  }

  start(): void {
    const order = async (): Promise<void> => {
      while (this.#running) {
        await this.#live();
        await pause(ORDER_EVERY_MS);
      }
    };
    const look = async (): Promise<void> => {
      while (this.#running) {
        await this.#look(LOOKED_AT);
        await pause(LOOK_EVERY_MS);
      }
    };
    this.#workers = Promise.all([order(), look()]);
  }

  /** Whether all of them know which tasks are active, and begin one. */
  async served(): Promise<boolean> {
    return this.#sidecars.every(({ unknown }) => unknown(Date.now()) === null) && (await this.#live());
  }

  /** Ends, after every task that is over was looked at in every sidecar. */
  async stop(): Promise<void> {
    this.#running = false;
    await this.#workers;
    const latest = Math.max(0, ...this.#over.map(({ at }) => at));
    await pause(Math.max(0, latest + this.#maxStaleMs + 1 - Date.now()));
    await this.#look(Number.POSITIVE_INFINITY);
  }

  /** One task begins, and is ended, left to itself, or kept alive once and then left. */
  async #live(): Promise<boolean> {
    const number = this.#made++;
    const id = `${this.#name.replaceAll(/[^\w-]/g, '-')}-lease-${number}`;
    const key = { issuer, id };
    const [first, other] = [0, 1].map((more) => this.#sidecars[(number + more) % this.#sidecars.length]!.registry);
    const order = registration({ id, leaseMs: number % 3 === 0 ? null : LEASE_MS });
    const begun = await first!.register(order, KEPT_MS, Date.now());
    if (begun.result !== 'stored') return false;
    const { leaseUntilMs } = begun.task;
    const registry = other!.lookup.find(issuer, id) === null ? first! : other!;
    if (leaseUntilMs === null) {
      const ended = await registry.end(key, MANAGER, 'done', Date.now());
      if (ended.result === 'stored') this.#over.push({ id, at: Date.now(), why: 'ended' });
      return ended.result === 'stored';
    }
    if (number % 3 === 1) {
      this.#over.push({ id, at: leaseUntilMs, why: 'lapsed' });
      return true;
    }
    await pause(LEASE_MS / 2);
    const now = Date.now();
    const kept = await registry.heartbeat(key, MANAGER, now);
    // Whatever was not answered may have been taken.
    const at = 'task' in kept ? kept.task.leaseUntilMs! : kept.result === 'over' ? leaseUntilMs : now + LEASE_MS;
    this.#over.push({ id, at, why: 'lapsed' });
    return true;
  }

  /** Looks at some of those that are over, and tries to revive them: a heartbeat that comes too late is refused. */
  async #look(most: number): Promise<void> {
    const first = most === Number.POSITIVE_INFINITY ? 0 : Math.floor(Math.random() * this.#over.length);
    const some = this.#over.slice(first, first + most);
    for (const { id, at, why } of some) {
      for (const [number, { registry, unknown }] of this.#sidecars.entries()) {
        const now = Date.now();
        if (unknown(now) !== null) {
          this.refusals++;
          continue;
        }
        const task = registry.lookup.find(issuer, id);
        const active = task !== null && registry.lookup.stateOf(task, now) === 'active';
        if (!active || now - at <= this.#maxStaleMs) continue;
        this.revived++;
        this.faults.push(`${this.#name}: sidecar ${number} permits ${id} ${now - at} ms after it ${why}`);
      }
    }
    const late = some.find(({ at }) => Date.now() - at > this.#maxStaleMs);
    if (late === undefined) return;
    const { registry } = this.#sidecars[this.#made % this.#sidecars.length]!;
    const key = { issuer, id: late.id };
    const { result } = await registry.heartbeat(key, MANAGER, Date.now());
    if (result !== 'stored' && result !== 'unchanged') return;
    this.revived++;
    this.faults.push(`${this.#name}: a heartbeat of ${late.id} was taken after it ${late.why}`);
  }
}
