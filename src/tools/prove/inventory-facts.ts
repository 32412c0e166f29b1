import type { Inventory } from '../../inventory/inventory.ts';
import type { Resource, Workload } from '../../inventory/model.ts';
import { pathPrefixes, spiffePrefixes } from '../../inventory/prefixes.ts';
import type { NamedEntities } from '../../policy/decide/cedar-request.ts';
import { sampleTargets, sampleWorkloads } from '../samples.ts';

/** A fact of an estate, as text. */
export interface InventoryFact {
  readonly id: string;
  readonly text: string;
}

/** Characters of one fact: what is larger is left out, and the solver may then answer with what no inventory holds. */
const MAX_FACT = 256 * 1024;

/**
 * What an inventory says of every request: who calls, what is asked for and for which purposes, as far as policies that
 * name these entities can tell. `left`: what it says too much of for a solver.
 */
export function inventoryFacts(
  inventory: Inventory,
  named: NamedEntities,
): { readonly facts: readonly InventoryFact[]; readonly left: readonly string[] } {
  const workloads = sampleWorkloads(inventory, named)?.map(({ workload }) => workload);
  const targets = sampleTargets(inventory, named);
  const actions = new Map<string, Set<string>>();
  for (const { target } of typeof targets === 'string' ? [] : targets) {
    const shape = resourceShape(target.resource, named);
    actions.set(shape, (actions.get(shape) ?? new Set()).add(`Mesh::Action::"${target.action}"`));
  }
  const shapes: Readonly<Record<string, readonly string[] | null>> = {
    principals: workloads?.map((workload) => workloadShape(workload, 'principal', named)) ?? null,
    originators: workloads?.map((workload) => workloadShape(workload, 'context.chain.originator', named)) ?? null,
    resources:
      typeof targets === 'string'
        ? null
        : [...actions].map(([shape, on]) => `([${[...on].join(', ')}].contains(action) && ${shape})`),
    purposes: [
      '!(context has task)',
      ...[...inventory.known.purposes].map((name) => purposeShape(name, inventory, named)),
    ],
  };
  const facts: InventoryFact[] = [];
  const left: string[] = [];
  for (const [name, alternatives] of Object.entries(shapes)) {
    const id = `${name}-are-of-the-inventory`;
    const text = `@id("${id}")\nforbid (principal, action, resource)\nunless {\n  ${[...new Set(alternatives)].join(' ||\n  ')}\n};`;
    if (alternatives === null || alternatives.length === 0 || text.length > MAX_FACT) left.push(name);
    else facts.push({ id, text });
  }
  return { facts, left };
}

const uid = (type: string, id: string): string => `Mesh::${type}::${cedarString(id)}`;

/** A string as Cedar writes it. */
const cedarString = (text: string): string =>
  `"${text.replace(/["\\]|[^\x20-\x7e]/gu, (found) => (found === '"' || found === '\\' ? `\\${found}` : `\\u{${found.codePointAt(0)!.toString(16)}}`))}"`;

const idsOf = (named: NamedEntities, type: string): ReadonlySet<string> => named.get(`Mesh::${type}`) ?? new Set();

/** Each named entity of a type, with whether `value` lies in it. */
function memberships(value: string, named: NamedEntities, type: string, lies: (id: string) => boolean): string[] {
  return [...idsOf(named, type)].map((id) =>
    lies(id) ? `${value} in ${uid(type, id)}` : `!(${value} in ${uid(type, id)})`,
  );
}

const equal = (value: string, named: NamedEntities, type: string, own: string): string[] =>
  [...idsOf(named, type)].map((id) => `${value} ${id === own ? '==' : '!='} ${uid(type, id)}`);

const flag = (value: string, holds: boolean): string => (holds ? value : `!${value}`);
const all = (parts: readonly string[]): string => `(${parts.join(' && ')})`;

function workloadShape(
  { id, owner, kind, external, relay, groups }: Workload,
  value: string,
  named: NamedEntities,
): string {
  const prefixes = new Set(spiffePrefixes(id, idsOf(named, 'SpiffePath')));
  return all([
    `${value}.trustDomain == ${uid('TrustDomain', id.trustDomain)}`,
    `${value}.owner == ${uid('Team', owner)}`,
    `${value}.kind == ${uid('Kind', kind)}`,
    flag(`${value}.external`, external),
    flag(`${value}.relay`, relay),
    ...memberships(value, named, 'TrustDomain', (name) => name === id.trustDomain),
    ...memberships(value, named, 'Team', (name) => name === owner),
    ...memberships(value, named, 'Group', (name) => groups.includes(name)),
    ...memberships(value, named, 'SpiffePath', (path) => prefixes.has(path)),
    ...equal(value, named, 'Workload', id.text),
  ]);
}

function resourceShape(resource: Resource, named: NamedEntities): string {
  const { host, path, owner, sensitivity, external, scopes, apis, id } = resource;
  const prefixes = new Set(pathPrefixes(host.name, path, idsOf(named, 'Path')));
  const scoped =
    scopes.length === 0 ? 'resource.scopes.isEmpty()' : `resource.scopes == [${scopes.map(cedarString).join(', ')}]`;
  return all([
    `resource.host == ${cedarString(host.name)}`,
    `resource.sensitivity == ${sensitivity}`,
    flag('resource.external', external),
    scoped,
    owner === null ? '!(resource has owner)' : `resource has owner && resource.owner == ${uid('Team', owner)}`,
    ...memberships('resource', named, 'Team', (name) => name === owner),
    ...memberships('resource', named, 'Host', (name) => name === host.name),
    ...memberships('resource', named, 'Api', (name) => apis.includes(name)),
    ...memberships('resource', named, 'Path', (prefix) => prefixes.has(prefix)),
    ...equal('resource', named, 'Endpoint', id),
  ]);
}

function purposeShape(name: string, inventory: Inventory, named: NamedEntities): string {
  const wider = inventory.widerPurposes(name) ?? [];
  const value = 'context.task.purpose';
  return all([
    'context has task',
    `${value} == ${uid('Purpose', name)}`,
    ...memberships(value, named, 'Purpose', (other) => other === name || wider.includes(other)),
  ]);
}
