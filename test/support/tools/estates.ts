import type { Inventory } from '../../../src/inventory/inventory.ts';
import { loadInventory } from '../../../src/inventory/load.ts';
import { kinds } from '../../../src/inventory/model.ts';
import type { Random } from './random.ts';

export const OWN = 'prod.example';
export const PARTNER = 'partner.example';
export const purposes = ['narrow', 'wide', 'other'] as const;
export const approvals = ['owner', 'officer'] as const;

/** Workloads that requests name; an inventory knows some of them. */
export const workloadIds = [
  `spiffe://${OWN}/ns/a/sa/x`,
  `spiffe://${OWN}/ns/a/sa/y`,
  `spiffe://${OWN}/ns/a`,
  `spiffe://${OWN}/ns/b/sa/x`,
  `spiffe://${OWN}/ns/b/job/z`,
  `spiffe://${PARTNER}/shop`,
];
const prefixes = [`spiffe://${OWN}/ns/a`, `spiffe://${OWN}/ns/b`, `spiffe://${OWN}/ns/b/job`];
const teams = ['red', 'green', 'blue'];
const groups = ['g', 'h'];
const levels = ['public', 'internal', 'confidential', 'restricted'];
export const hostNames = ['one.internal', 'two.internal'];
const words = ['a', 'b', 'c'];
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'QUERY'];

type Entry = Record<string, unknown>;

/** The sections of an inventory file. */
export interface Sections {
  readonly workloads: readonly Entry[];
  readonly resources: readonly (Entry & { readonly apis: readonly Entry[] })[];
}

/** The text of an inventory file (JSON is YAML), and what it loads to; null where it has a problem. */
export function inventoryOf(sections: Sections): { readonly text: string; readonly inventory: Inventory } | null {
  const text = JSON.stringify({
    teams,
    approvals,
    signals: ['burst'],
    purposes: { narrow: { in: ['wide'] }, wide: {}, other: {} },
    ...sections,
  });
  const inventory = loadInventory(text, 'inventory.yaml', { ownTrustDomains: new Set([OWN]) });
  return Array.isArray(inventory) ? null : { text, inventory };
}

/** An estate whose templates overlap and nest, and whose entries lie below one another. */
export function anyEstate(random: Random): Sections {
  let sections: Sections = { workloads: [], resources: [] };
  for (const host of hostNames.slice(0, 1 + random.below(2))) {
    const entry = { host, apis: [], ...hostFacts(random) };
    sections = grown(sections, { ...sections, resources: [...sections.resources, entry] });
  }
  for (let count = 4 + random.below(4); count > 0; count--) sections = withWorkload(sections, random);
  for (let count = 3 + random.below(6); count > 0; count--) sections = withApi(sections, random);
  return sections;
}

/** The same estate some time later: entries came, went, or say something else. */
export function changedEstate(sections: Sections, random: Random): Sections {
  let changed = sections;
  for (let count = 1 + random.below(3); count > 0; count--) {
    const { workloads, resources } = changed;
    const [host, ...others] = resources;
    const added = { host: hostNames[1], apis: [], ...hostFacts(random) };
    const later = random.pick([
      { ...changed, workloads: workloads.filter((_, i) => i !== random.below(workloads.length)) },
      withWorkload(changed, random),
      withApi(changed, random),
      { ...changed, resources: host === undefined ? [] : [{ ...host, apis: without(host.apis, random) }, ...others] },
      { ...changed, resources: others.length === 0 ? [...resources, added] : resources.slice(0, 1) },
    ]);
    changed = grown(changed, later);
  }
  return changed;
}

const without = (list: readonly Entry[], random: Random): readonly Entry[] =>
  list.toSpliced(random.below(Math.max(1, list.length)), 1);

/** The later one where it loads: what contradicts itself is left out. */
function grown(before: Sections, after: Sections): Sections {
  return inventoryOf(after) === null ? before : after;
}

function hostFacts(random: Random): Entry {
  return {
    sensitivity: random.pick(levels.slice(0, 3)),
    ...random.maybe(50, () => ({ owner: random.pick(teams) })),
    ...random.maybe(10, () => ({ caseInsensitive: true })),
    ...random.maybe(20, () => ({ scopes: ['s'] })),
    ...random.maybe(20, () => ({ labels: { tier: 'gold' } })),
  };
}

function withWorkload(sections: Sections, random: Random): Sections {
  const under = random.chance(30);
  const kind = random.pick(kinds);
  const entry = {
    ...(under ? { under: random.pick(prefixes) } : { id: random.pick(workloadIds) }),
    owner: random.pick(teams),
    kind,
    ...random.maybe(60, () => ({ external: random.chance(30) })),
    ...(kind === 'service' || random.chance(30) ? { relay: random.chance(50) } : {}),
    ...(under ? {} : random.maybe(40, () => ({ groups: [random.pick(groups)] }))),
    ...random.maybe(30, () => ({ labels: { pci: 'true' } })),
    ...random.maybe(20, () => ({ networks: ['10.0.0.0/8'] })),
  };
  return grown(sections, { ...sections, workloads: [...sections.workloads, entry] });
}

function withApi(sections: Sections, random: Random): Sections {
  const at = random.below(sections.resources.length);
  const host = sections.resources[at];
  if (host === undefined) return sections;
  const depth = random.below(4);
  const segments = Array.from({ length: depth }, (_, i) => (random.chance(40) ? `{p${i}}` : random.pick(words)));
  const entry = {
    name: `api${host.apis.length}-${random.below(1000)}`,
    path: `/${segments.join('/')}`,
    ...random.maybe(35, () => ({ sensitivity: random.pick(levels) })),
    ...random.maybe(25, () => ({ methods: [...new Set([random.pick(methods), random.pick(methods), 'GET'])] })),
    ...random.maybe(20, () => ({ effect: random.pick(['read', 'write']) })),
    ...random.maybe(25, () => ({ owner: random.pick(teams) })),
    ...random.maybe(20, () => ({ scopes: [random.pick(['s', 't'])] })),
    ...random.maybe(20, () => ({ labels: { [random.pick(['tier', 'zone'])]: random.pick(['gold', 'iron']) } })),
  };
  const resources = sections.resources.with(at, { ...host, apis: [...host.apis, entry] });
  return grown(sections, { ...sections, resources });
}
