import { Fault } from '../../base/fault.ts';
import { Refusal } from '../../base/outcome.ts';
import { SpiffeId } from '../../base/spiffe-id.ts';
import type { Inventory } from '../../inventory/inventory.ts';
import type { Activity, LastUse } from '../../state/activity/model.ts';
import { type Revocation, subjectParts } from '../../state/revocation.ts';
import type { RegisteredTask } from '../../state/tasks/registry.ts';
import type { ControlParts } from '../http/parts.ts';
import { ApiProblem } from '../http/problem.ts';
import type { Slices } from '../http/slices.ts';

/** Whom a revocation would reach, as far as that is known here. */
export interface Hits {
  /** Workloads of the inventory by their own entry, and those of a prefix that were seen lately; null: not known. */
  readonly workloads: number | null;
  /** Tasks that somebody showed and that have not ended; null: not known. */
  readonly tasks: number | null;
  /** Whether what is named exists, as far as that can be known. */
  readonly known: boolean;
}

/** Pages of last uses that are looked through. */
const MAX_PAGES = 40;
const PAGE = 500;

/** Counts whom a revocation would reach. Of a prefix that ends within a segment it says which segment. */
export async function hitsOf(
  revocation: Pick<Revocation, 'kind' | 'subject'>,
  inventory: Inventory,
  { activity, tasks }: Pick<ControlParts, 'activity' | 'tasks'>,
  slices: Slices,
): Promise<Hits | ApiProblem> {
  const { kind } = revocation;
  const [first = '', second = ''] = subjectParts(revocation.subject);
  const one = (id: SpiffeId | Refusal | null) => ofOne(id, inventory, activity);
  switch (kind) {
    case 'workload':
      return one(SpiffeId.parse(first));
    case 'under':
      return ofPrefix(first, inventory, activity, slices);
    case 'owner': {
      const seen = await seenWhere(({ owner }) => owner === first, activity);
      const counted = await withListed(seen.workloads, inventory, (_, owner) => owner === first, slices);
      return counted instanceof ApiProblem ? counted : { workloads: counted, tasks: seen.tasks, known: true };
    }
    case 'task':
      return ofTask(first, second, activity, tasks.registry.lookup.find(first, second));
    case 'subject':
      return one(first.startsWith('spiffe://') ? SpiffeId.parse(second) : inventory.credential(first, second));
    case 'token':
    case 'key':
    case 'certificate':
      // Nobody notes which credentials were shown, but for their kinds.
      return { workloads: null, tasks: null, known: false };
  }
}

async function ofOne(id: SpiffeId | Refusal | null, inventory: Inventory, activity: Activity): Promise<Hits> {
  if (!(id instanceof SpiffeId) || inventory.workload(id) instanceof Refusal)
    return { workloads: 0, tasks: 0, known: false };
  const uses = await activity.lastUses([id.text]);
  const tasks = uses instanceof Fault ? null : (uses.get(id.text)?.tasks.length ?? 0);
  return { workloads: 1, tasks, known: true };
}

async function ofPrefix(
  prefix: string,
  inventory: Inventory,
  activity: Activity,
  slices: Slices,
): Promise<Hits | ApiProblem> {
  const isBelow = (id: string) => id === prefix || id.startsWith(`${prefix}/`);
  const id = SpiffeId.parse(prefix);
  const covered = id instanceof SpiffeId && id.path !== '' && !(inventory.workload(id) instanceof Refusal);
  const known = covered || inventory.lists(prefix);
  const longer = known ? null : firstOf(inventory, prefix);
  if (longer !== null) {
    const end = longer.indexOf('/', prefix.length);
    const whole = end === -1 ? longer : longer.slice(0, end);
    return ApiProblem.of('prefix_not_whole', `nothing lies below ${prefix} by whole segments; did you mean ${whole}?`);
  }
  const seen = await seenWhere(({ workload }) => isBelow(workload), activity);
  const counted = await withListed(seen.workloads, inventory, isBelow, slices);
  return counted instanceof ApiProblem ? counted : { workloads: counted, tasks: seen.tasks, known };
}

/** The first entry that begins with this text. */
function firstOf(inventory: Inventory, text: string): string | null {
  for (const scope of ['id', 'under'] as const) {
    const [found] = inventory.entriesAfter(scope, text).take(1);
    if (found?.entry.startsWith(text) === true) return found.entry;
  }
  return null;
}

/**
 * How many workloads that is, with those that have an entry of their own for which this holds: there may be a million, so that
 * none of them is kept. Of `seen` those are dropped that have one.
 */
async function withListed(
  seen: Set<string>,
  inventory: Inventory,
  holds: (id: string, owner: string) => boolean,
  slices: Slices,
): Promise<number | ApiProblem> {
  let listed = 0;
  for (const { entry, scope, owner } of inventory.entries()) {
    if (slices.due && !(await slices.pause()))
      return ApiProblem.of('overloaded', 'the inventory is too large to count');
    if (scope !== 'id' || !holds(entry, owner)) continue;
    listed++;
    seen.delete(entry);
  }
  return listed + seen.size;
}

/** The workloads that were seen for which this holds, and how many live tasks they have. */
async function seenWhere(holds: (use: LastUse) => boolean, activity: Activity) {
  const workloads = new Set<string>();
  const tasks = await tasksWhere(activity, (use) => {
    if (!holds(use)) return false;
    workloads.add(use.workload);
    return true;
  });
  return { workloads, tasks: tasks?.size ?? null };
}

async function ofTask(
  issuer: string,
  id: string,
  activity: Activity,
  registered: RegisteredTask | null,
): Promise<Hits> {
  const wanted = JSON.stringify([issuer, id]);
  const holders = new Set(registered?.workloads);
  const tasks = await tasksWhere(activity, ({ workload, tasks: own }) => {
    const holds = own.some((task) => JSON.stringify([task.issuer, task.id]) === wanted);
    if (holds) holders.add(workload);
    return holds;
  });
  const seen = holders.size > 0;
  return { workloads: holders.size, tasks: tasks === null ? null : Number(seen), known: seen };
}

/** The live tasks of the workloads that this holds for; null where not all could be looked through. */
async function tasksWhere(activity: Activity, holds: (use: LastUse) => boolean): Promise<ReadonlySet<string> | null> {
  const tasks = new Set<string>();
  let cursor: string | null = null;
  for (let page = 0; page < MAX_PAGES; page++) {
    const uses: Awaited<ReturnType<Activity['allLastUses']>> = await activity.allLastUses(PAGE, cursor);
    if (typeof uses === 'symbol' || uses instanceof Fault) return null;
    for (const use of uses.items)
      if (holds(use)) for (const { issuer, id } of use.tasks) tasks.add(JSON.stringify([issuer, id]));
    cursor = uses.next;
    if (cursor === null) return tasks;
  }
  return null;
}

/** `refuses 3 workloads, 2 live tasks`. */
export function hitsInWords({ workloads, tasks, known }: Hits): string {
  if (workloads === null) return 'refuses whatever shows it; how many workloads and live tasks do is not known';
  const count = (number: number, what: string) => `${number} ${what}${number === 1 ? '' : 's'}`;
  const live = tasks === null ? '; how many live tasks is not known' : `, ${count(tasks, 'live task')}`;
  return `refuses ${count(workloads, 'workload')}${live}${known ? '' : '; what it names is not known here'}`;
}
