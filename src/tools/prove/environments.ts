import type { EntityUid } from '../../policy/decide/call.ts';
import type { PolicyJson, SchemaJson } from '../../policy/decide/engine.ts';
import { keyOf } from '../../policy/decide/need.ts';
import { groupsOf } from '../../policy/decide/project.ts';

/** One kind of request of a schema: a solver is asked about each by itself. */
export interface RequestEnvironment {
  /** The entity type of the principal, `Mesh::Workload`. */
  readonly principal: string;
  /** As Cedar writes it, `Mesh::Action::"GET"`. */
  readonly action: string;
  readonly resource: string;
  /** The action by its name alone. */
  readonly name: string;
  /** The action and all groups that it is in. */
  readonly actions: readonly EntityUid[];
}

/** Every environment of a schema, in its order. */
export function environmentsOf(schema: SchemaJson): readonly RequestEnvironment[] {
  const groups = groupsOf(schema);
  return Object.entries(schema).flatMap(([namespace, { actions }]) => {
    const within = namespace === '' ? '' : `${namespace}::`;
    const full = (type: string): string => (type.includes('::') ? type : `${within}${type}`);
    return Object.entries(actions).flatMap(([name, { appliesTo }]) => {
      const uid = { type: `${within}Action`, id: name };
      const of = { action: uidText(uid), name, actions: [uid, ...(groups.get(keyOf(uid.type, uid.id)) ?? [])] };
      return (appliesTo?.principalTypes ?? []).flatMap((principal) =>
        (appliesTo?.resourceTypes ?? []).map((resource) => ({
          principal: full(principal),
          resource: full(resource),
          ...of,
        })),
      );
    });
  });
}

/** An entity as Cedar writes it. */
const uidText = ({ type, id }: EntityUid): string => `${type}::${JSON.stringify(id)}`;

interface Scope {
  readonly op: string;
  readonly entity?: EntityUid;
  readonly entities?: readonly EntityUid[];
  readonly entity_type?: string;
}

/** Whether the scope of a policy can hold for some request of an environment; where that is not plain, it can. */
export function concerns(policy: PolicyJson, { principal, resource, actions }: RequestEnvironment): boolean {
  const [of, to, on] = [policy.principal, policy.resource, policy.action] as readonly Scope[];
  if (of?.op === 'is' && of.entity_type !== principal) return false;
  if (to?.op === 'is' && to.entity_type !== resource) return false;
  if (of?.op === '==' && of.entity?.type !== principal) return false;
  if (to?.op === '==' && to.entity?.type !== resource) return false;
  const named = on?.entities ?? (on?.entity === undefined ? null : [on.entity]);
  const among = on?.op === '==' ? actions.slice(0, 1) : actions;
  return named === null || named.some(({ type, id }) => among.some((one) => one.type === type && one.id === id));
}
