import type { Fault } from '../../base/fault.ts';
import type { Config } from '../../config/schema.ts';
import { ProcessRegistry } from '../../state/tasks/process-registry.ts';
import type { TaskLookup, TaskRegistry } from '../../state/tasks/registry.ts';
import type { Task } from '../../task/model.ts';

/** The tasks that began, running: a part of the app. */
export interface RegistryPart {
  readonly registry: TaskRegistry;
  /** Those that are known at `nowMs`; a Fault while nobody knows. */
  readonly current: (nowMs: number) => TaskLookup | Fault;
  /** Whether tasks of this kind and issuer must be registered. */
  readonly required: (task: Pick<Task, 'source' | 'issuer'>) => boolean;
  /** Whether the token service registered it, and names in its tokens to whom it was handed on. */
  readonly handedOn: RegistryPart['required'];
  /** What keeps the sidecar from being ready. */
  missing(nowMs: number): readonly string[];
  /** What `/status` shows. */
  status(nowMs: number): Readonly<Record<string, unknown>>;
  stop(): void | Promise<void>;
}

/** The registry of the configuration. */
export async function startRegistry({ task, state }: Config): Promise<RegistryPart> {
  const registry = new ProcessRegistry(state.tasks);
  const required = tasksOf(task.issuers.filter(({ registration }) => registration !== 'optional'));
  const handedOn = tasksOf(task.issuers.filter(({ registration }) => registration === 'issued'));
  return {
    registry,
    current: () => registry.lookup,
    required,
    handedOn,
    missing: () => [],
    status: (nowMs) => ({ tasks: counted(registry, nowMs) }),
    stop: () => {},
  };
}

/** How many live, and how many are over and still remembered. */
function counted(registry: TaskRegistry, nowMs: number) {
  const { lookup } = registry;
  let live = 0;
  for (const task of registry.all()) if (lookup.stateOf(task, nowMs) === 'active') live++;
  return { live, over: lookup.size - live };
}

/** Tells whether a task is of one of these issuers. JWT-SVIDs are issued by their trust domains. */
function tasksOf(issuers: Config['task']['issuers']): RegistryPart['required'] {
  const found = new Set<string>();
  for (const issuer of issuers) {
    const names = issuer.kind === 'jwt-svid' ? issuer.trustDomains.map((name) => `spiffe://${name}`) : [issuer.issuer];
    for (const name of names) found.add(`${issuer.kind} ${name}`);
  }
  return found.size === 0 ? () => false : ({ source, issuer }) => found.has(`${source} ${issuer}`);
}
