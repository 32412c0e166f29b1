import { Refusal } from '../../../base/outcome.ts';
import { SpiffeId } from '../../../base/spiffe-id.ts';
import { type Person, personText } from '../../../identity/person.ts';
import type { Inventory } from '../../../inventory/inventory.ts';
import type { ApprovalOrder } from '../../../state/approvals/order.ts';
import { MAX_TASK_DEPTH, type TaskLookup } from '../../../state/tasks/registry.ts';

/** What is known of who stands behind a request. */
export interface Behind {
  readonly inventory: Inventory;
  readonly tasks: Pick<TaskLookup, 'find'>;
  /** By the issuers of tasks: the issuer of the people whom their tasks name. */
  readonly subjectIssuers: ReadonlyMap<string, string>;
}

/** Why this person may not grant a request, whatever policies say: its own, or its team's. Null: nothing is known. */
export function ownRequest(person: Person, order: ApprovalOrder, behind: Behind): string | null {
  const own = askedForItself(person, order, behind);
  if (own !== null) return own;
  const { inventory } = behind;
  const owner = ownerOf(order.caller, inventory);
  const members = owner === null ? [] : (inventory.dualControl.get(owner) ?? []);
  return members.some((group) => person.groups.includes(group))
    ? `you are of the team ${owner}, whose workload asks, and dualControl of the inventory takes somebody else`
    : null;
}

/** Why a request is one that this person asks for itself, which not even an emergency lets it pass. Null: nothing is known. */
export function askedForItself(person: Person, order: ApprovalOrder, behind: Behind): string | null {
  const { inventory, subjectIssuers } = behind;
  const own = personText(person);
  const credential = inventory.credential(person.issuer, person.subject)?.text;
  if (credential !== undefined && [order.caller, ...order.chain].includes(credential))
    return 'the request is one of your own';
  if (startersOf(order, behind).includes(own)) return 'it is asked for a task that you started';
  const { task } = order;
  const issuer = task === null ? undefined : subjectIssuers.get(task.issuer);
  const isSubject =
    issuer !== undefined && task!.subject !== null && personText({ issuer, subject: task!.subject }) === own;
  return isSubject ? 'it is asked for a task that you started' : null;
}

/** Whether nobody can tell if a person started the task: then it takes two different ones to grant it. */
export function isUnknownWho({ task }: ApprovalOrder, { subjectIssuers }: Behind): boolean {
  if (task === null || task.subject === null || task.subject.startsWith('spiffe://')) return false;
  return !subjectIssuers.has(task.issuer);
}

/** Who began the registered task of a request, and all that it is a part of. */
function startersOf({ task }: ApprovalOrder, { tasks }: Behind): readonly string[] {
  const starters: string[] = [];
  let known = task === null ? null : tasks.find(task.issuer, task.id);
  for (let above = 0; known !== null && above <= MAX_TASK_DEPTH; above++) {
    starters.push(known.by);
    known = known.parent === null ? null : tasks.find(known.parent.issuer, known.parent.id);
  }
  return starters;
}

function ownerOf(caller: string, inventory: Inventory): string | null {
  const id = SpiffeId.parse(caller);
  const workload = id instanceof Refusal ? id : inventory.workload(id);
  return workload instanceof Refusal ? null : workload.owner;
}
