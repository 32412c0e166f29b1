import type { Registration, TaskRegistry, TaskResult } from '../../src/state/tasks/registry.ts';
import { type Answer, type MeshConfig, World, workload } from './world.ts';
import { AGENT, type AskOf, agentByTxn, TTS } from './world-asks.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** How long after its end a token of a task could be accepted. */
export const KEPT_MS = 605_000;

export const MANAGER = 'spiffe://prod.example/ns/agents/sa/manager';

/** The beginning of the agent's task, with what is other about it. */
export const registration = (over: Partial<Registration> = {}): Registration => ({
  issuer: TTS,
  id: 't-42',
  purpose: 'reconcile-invoices',
  owner: 'finance',
  workloads: [workload(AGENT)],
  parent: null,
  endsAtMs: Math.floor(Date.now()) + HOUR_MS,
  leaseMs: null,
  budgets: { calls: null, writes: null, resources: null },
  by: MANAGER,
  reason: 'invoices of October',
  ...over,
});

/** Begins one, or says why that was not done. */
export async function begun(tasks: TaskRegistry, over: Partial<Registration> = {}, nowMs = Date.now()) {
  const result = await tasks.register(registration(over), KEPT_MS, nowMs);
  if (result.result !== 'stored') throw new Error(JSON.stringify(result));
  return result.task;
}

/** Changes a mesh so that the tasks of the Transaction Token Service must be registered. */
export function requireRegistration({ task }: MeshConfig): void {
  for (const issuer of task.issuers as Record<string, unknown>[])
    if (issuer.issuer === TTS) issuer.registration = 'required';
}

/** A mesh in which they must. */
export const registeringWorld = (prepare: (folder: string) => void = () => {}): Promise<World> =>
  World.start({ prepare, edit: requireRegistration });

/** Ends the agent's task. */
export const endOf = (tasks: TaskRegistry): Promise<TaskResult> =>
  tasks.end({ issuer: TTS, id: 't-42' }, MANAGER, 'done', Date.now());

/** Begins another one whose lease has run out by now. */
export const lapsedOf = (id: string) => (tasks: TaskRegistry) =>
  begun(tasks, { id, leaseMs: MINUTE_MS }, Date.now() - 2 * MINUTE_MS);

/** The agent's request in its registered task, and another one after what happens meanwhile. */
export async function aroundRegistered({
  over = {},
  meanwhile = async () => {},
  bad = agentByTxn(),
}: {
  readonly over?: Partial<Registration>;
  readonly meanwhile?: (tasks: TaskRegistry) => Promise<unknown>;
  readonly bad?: AskOf;
} = {}): Promise<{ readonly good: Answer; readonly bad: Answer }> {
  const world = await registeringWorld();
  try {
    await begun(world.tasks, over);
    const good = await world.send(agentByTxn()(world));
    await meanwhile(world.tasks);
    return { good, bad: await world.send(bad(world)) };
  } finally {
    await world.stop();
  }
}
