import { Refusal } from '../../base/outcome.ts';
import type { SpiffeId } from '../../base/spiffe-id.ts';
import { type PersonFacts, personText } from '../../identity/person.ts';
import type { Inventory } from '../../inventory/inventory.ts';
import type { Workload } from '../../inventory/model.ts';
import { spiffePrefixes } from '../../inventory/prefixes.ts';
import type { AuthorizationCall, CedarValue, Entity, EntityUid } from '../decide/call.ts';
import { instant, type NamedEntities } from '../decide/cedar-request.ts';
import type {
  ControlApproval,
  ControlOrder,
  ControlPrincipal,
  ControlQuestion,
  ControlResource,
  ControlTask,
} from './question.ts';

const uid = (type: string, id: string): EntityUid => ({ type: `Control::${type}`, id });
const ref = (type: string, id: string) => ({ __entity: uid(type, id) });

const EVERYTHING = uid('Everything', 'everything');

/**
 * A question in the words of cedar/control.cedarschema. Owners and groups, and what purposes are in, are those of the
 * inventory. As for requests, ancestors are flat, and SPIFFE paths and groups only those that a policy names.
 */
export function controlCall(question: ControlQuestion, named: NamedEntities, inventory: Inventory): AuthorizationCall {
  const { action, resource, nowMs, order } = question;
  const { principal: asking } = question;
  const principal = principalEntity(asking, named, inventory);
  const [about, ...more] = resourceEntities(resource, named, inventory);
  const terms = order === null ? null : orderTerms(order, nowMs, inventory);
  return {
    principal: principal.uid,
    action: uid('Action', action),
    resource: about.uid,
    context: {
      now: instant(nowMs),
      proof: ref('Proof', asking.proof),
      ...terms?.context,
    },
    // What is asked about twice, as where somebody asks about itself, is stated twice in the same words, which Cedar takes.
    entities: [principal, about, ...more, ...(terms?.entities ?? [])],
  };
}

/** Who asks, as control policies know it. */
export const principalEntity = (asking: ControlPrincipal, named: NamedEntities, inventory: Inventory): Entity =>
  asking.kind === 'person' ? personEntity(asking.person, named) : workloadEntity(asking.id, named, inventory);

const TYPES = {
  everything: 'Everything',
  trustDomain: 'TrustDomain',
  team: 'Team',
  path: 'SpiffePath',
  workload: 'Workload',
  task: 'Task',
  approval: 'Approval',
  credential: 'Credential',
} as const satisfies Readonly<Record<ControlResource['kind'], string>>;

/** What Cedar calls a kind of resources. */
export const typeOf = (kind: ControlResource['kind']): string => `Control::${TYPES[kind]}`;

/**
 * What an order adds to the context, and the entities that it names there. Seconds are whole ones: under a limit, an order may last
 * for less than a second more.
 */
function orderTerms(order: ControlOrder, nowMs: number, inventory: Inventory) {
  const context: Record<string, CedarValue> = { seconds: Math.floor((order.untilMs - nowMs) / 1000) };
  if (order.action === 'grant') return { context: { ...context, uses: order.uses }, entities: [] };
  if (order.action !== 'handOn') context.dryRun = order.dryRun;
  else context.depth = order.depth;
  if (order.action === 'revoke') return { context, entities: [] };
  const { issuer, purpose, scopes } = order;
  Object.assign(context, { issuer, purpose: ref('Purpose', purpose), scopes: [...scopes] });
  const entities = [purposeEntity(purpose, inventory)];
  if (order.action === 'handOn' || order.parent === null) return { context, entities };
  context.parent = { __entity: taskUid(order.parent) };
  return { context, entities: [...entities, ...taskEntities(order.parent, inventory)] };
}

/** What is asked about, and the entities that its attributes name. */
function resourceEntities(
  resource: ControlResource,
  named: NamedEntities,
  inventory: Inventory,
): readonly [Entity, ...Entity[]] {
  switch (resource.kind) {
    case 'everything':
      return [{ uid: EVERYTHING, attrs: {}, parents: [] }];
    case 'trustDomain':
      return [entity(uid('TrustDomain', resource.name))];
    case 'team':
      return [entity(uid('Team', resource.name))];
    case 'path': {
      const wider = spiffePrefixes(resource.id, ids(named, 'SpiffePath')).filter((path) => path !== resource.id.text);
      const above = [uid('TrustDomain', resource.id.trustDomain), ...wider.map((path) => uid('SpiffePath', path))];
      return [entity(uid('SpiffePath', resource.id.text), {}, above)];
    }
    case 'workload':
      return [workloadEntity(resource.id, named, inventory)];
    case 'task':
      return taskEntities(resource, inventory);
    case 'approval':
      return approvalEntities(resource, named, inventory);
    case 'credential': {
      const { of, id, issuer } = resource;
      const attrs = { kind: ref('CredentialKind', of), ...(issuer === null ? {} : { issuer }) };
      return [entity(uid('Credential', JSON.stringify([of, issuer, id])), attrs)];
    }
  }
}

const taskUid = ({ issuer, id }: ControlTask): EntityUid => uid('Task', JSON.stringify([issuer, id]));

function taskEntities(task: ControlTask, inventory: Inventory): readonly [Entity, ...Entity[]] {
  const { issuer, id, registered } = task;
  const { owner = null, purpose = null, workloads = null, startedBy = null } = registered ?? {};
  const attrs = {
    issuer,
    id,
    ...(owner === null ? {} : { owner: ref('Team', owner) }),
    ...(purpose === null ? {} : { purpose: ref('Purpose', purpose) }),
    ...(workloads === null ? {} : { workloads: workloads.map((workload) => ref('Workload', workload)) }),
    // That of a person is none of a workload.
    ...(startedBy?.startsWith('spiffe://') ? { startedBy: ref('Workload', startedBy) } : {}),
  };
  return [entity(taskUid(task), attrs), ...(purpose === null ? [] : [purposeEntity(purpose, inventory)])];
}

function approvalEntities(
  { id, name, caller, action, host, method, path, sensitivity, task }: ControlApproval,
  named: NamedEntities,
  inventory: Inventory,
): readonly [Entity, ...Entity[]] {
  const workload = workloadEntity(caller, named, inventory);
  const attrs = {
    ...{ name, caller: { __entity: workload.uid }, action, host, method, path },
    ...('owner' in workload.attrs ? { owner: workload.attrs.owner! } : {}),
    ...(sensitivity === null ? {} : { sensitivity }),
    ...(task === null ? {} : { task: { __entity: taskUid(task) } }),
  };
  const approval = entity(uid('Approval', JSON.stringify([id, name])), attrs);
  return [approval, workload, ...(task === null ? [] : taskEntities(task, inventory))];
}

const purposeEntity = (purpose: string, inventory: Inventory): Entity =>
  entity(
    uid('Purpose', purpose),
    {},
    (inventory.widerPurposes(purpose) ?? []).map((wider) => uid('Purpose', wider)),
  );

const entity = (
  of: EntityUid,
  attrs: Readonly<Record<string, CedarValue>> = {},
  parents: readonly EntityUid[] = [],
): Entity => ({ uid: of, attrs, parents: [...parents, EVERYTHING] });

/** Of its groups only those that a policy names, as for workloads. */
function personEntity(person: PersonFacts, named: NamedEntities): Entity {
  const { issuer, subject, groups, acr, amr, signedInMs } = person;
  const attrs = {
    issuer,
    subject,
    ...(acr === null ? {} : { acr }),
    amr: [...amr],
    signedIn: instant(signedInMs),
  };
  const above = groups.filter((group) => ids(named, 'PersonGroup').has(group));
  return { uid: uid('Person', personText(person)), attrs, parents: above.map((group) => uid('PersonGroup', group)) };
}

function workloadEntity(id: SpiffeId, named: NamedEntities, inventory: Inventory): Entity {
  const found = inventory.workload(id);
  const known: Workload | null = found instanceof Refusal ? null : found;
  const groups = known?.groups.filter((group) => ids(named, 'Group').has(group)) ?? [];
  const attrs = {
    trustDomain: ref('TrustDomain', id.trustDomain),
    ...(known === null ? {} : { owner: ref('Team', known.owner), kind: ref('Kind', known.kind) }),
  };
  return entity(uid('Workload', id.text), attrs, [
    uid('TrustDomain', id.trustDomain),
    ...(known === null ? [] : [uid('Team', known.owner)]),
    ...groups.map((group) => uid('Group', group)),
    ...spiffePrefixes(id, ids(named, 'SpiffePath')).map((path) => uid('SpiffePath', path)),
  ]);
}

const NOTHING: ReadonlySet<string> = new Set();

const ids = (named: NamedEntities, type: string): ReadonlySet<string> => named.get(`Control::${type}`) ?? NOTHING;
