import { Refusal } from '../../base/outcome.ts';
import type { SpiffeId } from '../../base/spiffe-id.ts';
import type { Inventory } from '../../inventory/inventory.ts';
import type { Workload } from '../../inventory/model.ts';
import { spiffePrefixes } from '../../inventory/prefixes.ts';
import type { AuthorizationCall, CedarValue, Entity, EntityUid } from '../decide/call.ts';
import { instant, type NamedEntities } from '../decide/cedar-request.ts';
import type { ControlQuestion, ControlResource } from './question.ts';

const uid = (type: string, id: string): EntityUid => ({ type: `Control::${type}`, id });
const ref = (type: string, id: string) => ({ __entity: uid(type, id) });

const EVERYTHING = uid('Everything', 'everything');

/**
 * A question in the words of cedar/control.cedarschema. Owners and groups are those of the inventory. As for
 * requests, ancestors are flat, and SPIFFE paths and groups only those that a policy names.
 */
export function controlCall(question: ControlQuestion, named: NamedEntities, inventory: Inventory): AuthorizationCall {
  const { action, resource, nowMs, order } = question;
  const principal = workloadEntity(question.principal.id, named, inventory);
  const about = resourceEntity(resource, named, inventory);
  return {
    principal: principal.uid,
    action: uid('Action', action),
    resource: about.uid,
    context: {
      now: instant(nowMs),
      proof: ref('Proof', question.principal.proof),
      ...(order === null ? {} : { dryRun: order.dryRun, seconds: Math.floor((order.untilMs - nowMs) / 1000) }),
    },
    // Who asks about itself is stated twice in the same words, which Cedar takes.
    entities: [principal, about],
  };
}

function resourceEntity(resource: ControlResource, named: NamedEntities, inventory: Inventory): Entity {
  switch (resource.kind) {
    case 'everything':
      return { uid: EVERYTHING, attrs: {}, parents: [] };
    case 'trustDomain':
      return entity(uid('TrustDomain', resource.name));
    case 'team':
      return entity(uid('Team', resource.name));
    case 'path': {
      const wider = spiffePrefixes(resource.id, ids(named, 'SpiffePath')).filter((path) => path !== resource.id.text);
      return entity(uid('SpiffePath', resource.id.text), {}, [
        uid('TrustDomain', resource.id.trustDomain),
        ...wider.map((path) => uid('SpiffePath', path)),
      ]);
    }
    case 'workload':
      return workloadEntity(resource.id, named, inventory);
    case 'task': {
      const { issuer, id } = resource;
      return entity(uid('Task', JSON.stringify([issuer, id])), { issuer, id });
    }
    case 'credential': {
      const { of, id, issuer } = resource;
      const attrs = { kind: ref('CredentialKind', of), ...(issuer === null ? {} : { issuer }) };
      return entity(uid('Credential', JSON.stringify([of, issuer, id])), attrs);
    }
  }
}

const entity = (
  of: EntityUid,
  attrs: Readonly<Record<string, CedarValue>> = {},
  parents: readonly EntityUid[] = [],
): Entity => ({ uid: of, attrs, parents: [...parents, EVERYTHING] });

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
