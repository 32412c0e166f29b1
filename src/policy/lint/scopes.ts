import type { ViewScope } from '../decide/validated.ts';
import type { ParsedPolicy } from './parsed.ts';

/** One part of a scope, as Cedar's JSON has it. */
export interface Scope {
  readonly op: string;
  readonly entity?: { readonly type: string; readonly id: string };
  readonly entities?: readonly { readonly type: string; readonly id: string }[];
  readonly entity_type?: string;
  readonly in?: Scope;
}

/** The scope of a policy, as far as it is one of control policies, which name whole entities there. */
export const partsOfScope = ({ json }: ParsedPolicy) =>
  json as unknown as Readonly<Record<'principal' | 'action' | 'resource', Scope>>;

/** What something of a type can be in, beside one of its own type and everything. */
const ABOVE: Readonly<Record<string, readonly string[]>> = {
  'Control::Person': ['Control::PersonGroup'],
  'Control::Workload': ['Control::Team', 'Control::TrustDomain', 'Control::SpiffePath', 'Control::Group'],
  'Control::SpiffePath': ['Control::TrustDomain'],
};

/** Whether something of this type can be meant. */
export function typeFits({ op, entity, entity_type: type }: Omit<Scope, 'in'>, wanted: string): boolean {
  if (op === 'All') return true;
  if (op === 'is') return type === wanted;
  if (entity?.type === wanted) return true;
  return op === 'in' && ['Control::Everything', ...(ABOVE[wanted] ?? [])].includes(entity?.type ?? '');
}

/** Whether an action can be meant; `groups`: those that it is in. */
export function actionFits(
  { op, entity, entities = [] }: Omit<Scope, 'in'>,
  id: string,
  groups: readonly string[],
): boolean {
  if (op === 'All') return true;
  const named = entity === undefined ? entities : [entity, ...entities];
  return named.some((one) => one.id === id || (op === 'in' && groups.includes(one.id)));
}

const VIEWED = ['Everything', 'TrustDomain', 'Team', 'SpiffePath', 'Workload', 'Task', 'Credential', 'Approval'];

/** Whom a control policy may let view something of which types, by its scope; null: nobody. What its conditions say is not looked at. */
export function viewScope(policy: ParsedPolicy): ViewScope | null {
  const { principal, action, resource } = partsOfScope(policy);
  if (policy.json.effect !== 'permit' || !actionFits(action, 'view', ['reads'])) return null;
  const types = VIEWED.map((type) => `Control::${type}`).filter((type) => typeFits(resource, type));
  const within = principal.op === 'is' ? principal.in?.entity : principal.entity;
  return { id: policy.id, principalType: principal.entity_type ?? null, within: within ?? null, types };
}
