import { setTimeout as pause } from 'node:timers/promises';
import { KEPT_MS, registration } from '../../support/registering.ts';
import { boundarySnapshot, type Touching, TouchingSidecar } from '../../support/touching.ts';
import type { TaskSidecar } from './tasks.ts';

const { issuer } = registration();
const TASK_MS = 600_000;
const BEGIN_EVERY_MS = 50;
/** Agents with their tasks that are asked for at a time, and tried again in the end. */
const LIVE = 6;
const TRIED = 100;
const LOOK_EVERY_MS = 20;
const KNOWN_WAITS = 100;
const READS = 0.1;

const ESTATE = `teams: [team]
approvals: [resource-owner]
signals: []
purposes: { work: {} }
workloads:
  - { under: spiffe://prod.example/agents, owner: team, kind: job }
resources:
  - { host: public, sensitivity: public }
  - { host: confidential, sensitivity: confidential }
  - { host: outside, external: true, sensitivity: public }
  - { host: outside-task, external: true, sensitivity: public }
`;
/** The guardrail as it is shipped for one host, and what a task alone opened for the other. */
const POLICIES = `@id("task") forbid (principal, action in Mesh::Action::"write", resource in Mesh::Host::"outside-task")
unless { context has task && context.task.touched.sensitivity < 2 };`;
const GUARDED = 'resource in Mesh::Host::"outside" &&';

interface Judging {
  readonly of: TaskSidecar;
  readonly judge: TouchingSidecar;
}

/** Two workloads, and a task with two below it. */
interface Agents {
  readonly name: string;
  readonly tasks: readonly string[];
  /** When the first confidential read of each workload, and of the task, was answered. */
  readonly readAt: Map<string, number>;
}

/**
 * Agents of a fleet that read confidential data and write to the outside on any of its sidecars, by turns in one task and another, and
 * alone and for each other. What was washed off is a write that was permitted, though somebody of its chain, or its task, had been
 * answered a confidential read before it was asked for.
 */
export class WashLoad {
  readonly #name: string;
  readonly #sidecars: readonly Judging[];
  readonly #agents: Agents[] = [];
  #running = true;
  #workers: Promise<unknown> = Promise.resolve();
  #made = 0;
  #begunAt = 0;
  readonly counts = new Map<string, number>();
  readonly faults: string[] = [];
  washed = 0;

  constructor(name: string, sidecars: readonly TaskSidecar[]) {
    this.#name = name.replaceAll(/[^\w-]/g, '-');
    const snapshot = boundarySnapshot(POLICIES, { text: ESTATE, guarded: GUARDED });
    this.#sidecars = sidecars.map((of) => {
      const { state, registry } = of;
      const source = { tasks: () => registry.lookup, nothingBeforeMs: state.history().sinceMs };
      return { of, judge: new TouchingSidecar(state, snapshot, source) };
    });
  }

  start(workers: number): void {
    const worker = async (): Promise<void> => {
      while (this.#running) {
        const agents = any(this.#agents.slice(-LIVE));
        if (agents !== undefined) await this.#ask(any(this.#sidecars)!, agents, Math.random() < READS);
        if (Date.now() - this.#begunAt > BEGIN_EVERY_MS) {
          const begun = await this.#begin();
          if (begun !== null) this.#agents.push(begun);
        }
        await pause(2);
      }
    };
    this.#workers = Promise.all(Array.from({ length: workers }, worker));
  }

  /** Ends, after everything was tried once more on every sidecar. */
  async stop(): Promise<void> {
    this.#running = false;
    await this.#workers;
    for (const agents of this.#agents.slice(-TRIED))
      for (const sidecar of this.#sidecars) for (let n = 0; n < 4; n++) await this.#ask(sidecar, agents, false);
    if (this.washed > 0)
      this.faults.push(`${this.#name}: ${this.washed} writes were permitted after a confidential read`);
  }

  /** Whether what opened nothing writes on each of the sidecars, within a task that begins now, and that nobody else has yet. */
  async served(): Promise<boolean> {
    const agents = await this.#begin();
    if (agents === null) return false;
    const served = await this.#areServed(agents);
    this.#agents.push(agents);
    return served;
  }

  async #areServed(agents: Agents): Promise<boolean> {
    const knows = () =>
      this.#sidecars.every(({ of }) => agents.tasks.every((id) => of.registry.lookup.find(issuer, id)));
    for (let waits = 0; waits < KNOWN_WAITS && !knows(); waits++) await pause(LOOK_EVERY_MS);
    for (const sidecar of this.#sidecars) {
      const task = agents.tasks.at(-1)!;
      if (
        (await this.#decide(sidecar, { chain: [`${agents.name}/0`], task, request: 'POST outside-task/x' })) !==
        'permitted'
      )
        return false;
    }
    return true;
  }

  async #begin(): Promise<Agents | null> {
    this.#begunAt = Date.now();
    const name = `agents/${this.#name}-${this.#made++}`;
    const tasks = ['root', 'child', 'grandchild'].map((word) => `${name}-${word}`);
    for (const [at, id] of tasks.entries()) {
      const parent = at === 0 ? null : { issuer, id: tasks[at - 1]! };
      const order = registration({ id, parent, purpose: 'work', endsAtMs: Date.now() + TASK_MS });
      const { result } = await any(this.#sidecars)!.of.registry.register(order, KEPT_MS, Date.now());
      if (result !== 'stored') return null;
      // The next one may be given to a sidecar that does not know it yet.
      await pause(LOOK_EVERY_MS);
    }
    return { name, tasks, readAt: new Map<string, number>() };
  }

  async #ask(sidecar: Judging, { name, tasks, readAt }: Agents, reads: boolean): Promise<void> {
    const own = [`${name}/0`, `${name}/1`];
    const chain = any([[own[0]!], [own[1]!], own])!;
    const task = Math.random() < 0.7 ? any(tasks)! : null;
    const alone = Math.random() < 0.5;
    const request = reads ? 'GET confidential/x' : alone ? 'POST outside/x' : 'POST outside-task/x';
    const accounts = [...(alone || reads ? chain : []), ...(task === null ? [] : [tasks[0]!])];
    const began = performance.now();
    const answer = await this.#decide(sidecar, { chain, task, request });
    this.counts.set(answer, (this.counts.get(answer) ?? 0) + 1);
    if (answer !== 'permitted') return;
    if (!reads) {
      if (accounts.some((account) => (readAt.get(account) ?? Number.POSITIVE_INFINITY) < began)) this.washed++;
      return;
    }
    for (const account of accounts) if (!readAt.has(account)) readAt.set(account, performance.now());
  }

  /** One request as the check makes it, behind the question whether its task is active. */
  async #decide(
    { of, judge }: Judging,
    { task, ...asked }: Pick<Touching, 'chain' | 'request'> & { readonly task: string | null },
  ): Promise<string> {
    const now = Date.now();
    if (of.unknown(now) !== null) return 'state_unavailable';
    const { lookup } = of.registry;
    const known = task === null ? null : lookup.find(issuer, task);
    if (task !== null && (known === null || lookup.stateOf(known, now) !== 'active')) return 'task_unregistered';
    return await judge.ask({ ...asked, task: task === null ? null : { id: task, issuer } }, now);
  }
}

const any = <T>(list: readonly T[]): T | undefined => list[Math.floor(Math.random() * list.length)];
