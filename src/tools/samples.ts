import { Refusal } from '../base/outcome.ts';
import { SpiffeId } from '../base/spiffe-id.ts';
import type { HostRoutes } from '../inventory/host.ts';
import type { Inventory } from '../inventory/inventory.ts';
import { leniently } from '../inventory/lenient-path.ts';
import { readActions, type Target, type Workload, writeActions } from '../inventory/model.ts';
import { spiffePrefixes } from '../inventory/prefixes.ts';
import type { NamedEntities } from '../policy/decide/cedar-request.ts';
import type { RequestLine } from '../policy/load/scenario.ts';
import { coversResource, type TaskResource } from '../task/resources.ts';
import { overlaps, type Pattern } from './overlaps.ts';

/** A request to what the inventory lists or a policy names, and how the inventory reads it. */
export interface SampleTarget {
  readonly line: RequestLine;
  readonly upgrade: boolean;
  readonly target: Target;
}

/** A word that is none of these, however a server folds them: it stands for any that nobody names. */
function unnamed(words: Iterable<string>): string {
  const taken = new Set([...words].map(leniently));
  for (let number = 0; ; number++) {
    const word = number === 0 ? 'any' : `any-${number}`;
    if (!taken.has(word)) return word;
  }
}

/** A workload that stands for all that neither an entry nor a policy tells apart from it. */
export interface SampleWorkload {
  readonly workload: Workload;
  /** The first entries that hold for such workloads. */
  readonly entries: string[];
  /** How many there are. */
  count: number;
}

/** Entries that are kept of one sample. */
const KEPT = 100;
/** Beyond so many, to ask about each takes longer than anybody waits. */
const MAX_SAMPLES = 10_000;

/**
 * Workloads such that every other one is told apart from them by no entry of the inventory and no policy: one for all entries
 * that say the same, one below each prefix, and those that policies name. Null: there are too many.
 */
export function sampleWorkloads(inventory: Inventory, named: NamedEntities): readonly SampleWorkload[] | null {
  const samples = new Map<string, SampleWorkload>();
  const add = (text: string, entry: string | null): void => {
    const id = SpiffeId.parse(text);
    const workload = id instanceof Refusal ? id : inventory.workload(id);
    if (workload instanceof Refusal) return;
    const key = seenOf(workload, named);
    const sample = samples.get(key) ?? { workload, entries: [], count: 0 };
    samples.set(key, sample);
    if (entry === null) return;
    sample.count++;
    if (sample.entries.length < KEPT) sample.entries.push(entry);
  };
  const literals = new Set([...(named.get('Mesh::Workload') ?? []), ...(named.get('Mesh::SpiffePath') ?? [])]);
  const below = (path: string): string => {
    for (let number = 0; ; number++) {
      const text = `${path}/any${number === 0 ? '' : `-${number}`}`;
      if (!literals.has(text) && !inventory.lists(text)) return text;
    }
  };
  for (const { entry, scope } of inventory.entries()) {
    add(scope === 'id' ? entry : below(entry), entry);
    if (samples.size > MAX_SAMPLES) return null;
  }
  for (const text of literals) add(text, null);
  for (const path of named.get('Mesh::SpiffePath') ?? []) add(below(path), null);
  return [...samples.values()];
}

/** All that policies can see of a workload, as a text. */
function seenOf(workload: Workload, named: NamedEntities): string {
  const { id, owner, kind, external, relay, groups, labels, networks } = workload;
  return JSON.stringify([
    named.get('Mesh::Workload')?.has(id.text) ? id.text : null,
    [id.trustDomain, owner, kind, external, relay, networks],
    spiffePrefixes(id, named.get('Mesh::SpiffePath') ?? new Set()),
    groups.filter((group) => named.get('Mesh::Group')?.has(group)),
    [...labels].toSorted(),
  ]);
}

/**
 * Every action on every kind of path that the inventory or a policy tells apart: wherever the same apis overlap, below the
 * same paths that policies name, a path there and one below it; and where a lenient server would serve a stricter api.
 * What the inventory refuses is left out. `values` of parameters are in none of them. A string says why not all can be told.
 */
export function sampleTargets(
  inventory: Inventory,
  named: NamedEntities,
  values: readonly string[] = [],
): readonly SampleTarget[] | string {
  const found = new Map<string, SampleTarget>();
  for (const [name, book] of inventory.hosts) {
    const paths = samplePaths(book, namedBelow(name, named), values);
    if (paths === null) return `the templates of ${name} overlap in too many ways for all of them to be tried`;
    for (const path of paths) {
      for (const method of METHODS) {
        const line = { method: method === 'CONNECT' ? 'GET' : method, host: name, path, query: null };
        const upgrade = method === 'CONNECT';
        const target = inventory.target({ ...line, upgrade, grpc: false });
        if (target instanceof Refusal) continue;
        const key = `${target.action} ${target.resource.id}`;
        if (!found.has(key)) found.set(key, { line, upgrade, target });
      }
    }
  }
  return [...found.values()];
}

/** CONNECT stands for an upgrade. */
const METHODS = [...readActions, ...writeActions];

/** The paths on a host that policies name. */
function namedBelow(host: string, named: NamedEntities): readonly string[] {
  const ids = ['Mesh::Path', 'Mesh::Endpoint'].flatMap((type) => [...(named.get(type) ?? [])]);
  return [...new Set(ids)].filter((id) => id.startsWith(`${host}/`)).map((id) => id.slice(host.length));
}

function samplePaths(
  book: HostRoutes,
  literals: readonly string[],
  values: readonly string[],
): ReadonlySet<string> | null {
  const templates = book.apis.map(
    ({ template }): Pattern => template.segments.map((segment) => ('literal' in segment ? segment : null)),
  );
  const named = literals.map((path): Pattern => segmentsOf(path).map((literal) => ({ literal })));
  const covered = overlaps([...templates, ...templates.map(folded), ...named]);
  if (covered === null) return null;
  const words = [...templates, ...named].flat().map((segment) => (segment === null ? '' : textOf(segment)));
  const any = unnamed([...words, ...values]);
  const paths = new Set<string>();
  for (const pattern of covered) {
    for (const spell of [(text: string) => text.toUpperCase(), (text: string) => `${text};${any}`]) {
      const segments = pattern.map((segment) => {
        if (segment === null) return any;
        return 'literal' in segment ? segment.literal : spell(segment.folded);
      });
      paths.add(`/${segments.join('/')}`).add(`/${[...segments, any].join('/')}`);
    }
  }
  return new Set([...paths, ...literals]);
}

function segmentsOf(path: string): readonly string[] {
  return path.split('/').filter((segment) => segment !== '');
}

/** The pattern in any other spelling that a lenient server folds to the same. */
function folded(pattern: Pattern): Pattern {
  return pattern.map((segment) => (segment === null ? null : { folded: leniently(textOf(segment)) }));
}

function textOf(segment: NonNullable<Pattern[number]>): string {
  return 'literal' in segment ? segment.literal : segment.folded;
}

/**
 * For each sample, and each thing that a task is about whose api it lies in, the same request with the parameters that are named:
 * what is covered among requests that nothing else tells apart. Samples hold none of these values, so the others stand for what is not.
 */
export function coveredTargets(
  samples: readonly SampleTarget[],
  resources: readonly TaskResource[],
  inventory: Inventory,
): readonly SampleTarget[] {
  return samples.flatMap((sample) => resources.flatMap((about) => coveredTarget(sample, about, inventory) ?? []));
}

/** Null where no such request is, or it is one that the sample stands for already. */
function coveredTarget(sample: SampleTarget, about: TaskResource, inventory: Inventory): SampleTarget | null {
  const { line, upgrade, target } = sample;
  const { apis, templates, path } = target.resource;
  const own = templates[apis.indexOf(about.api)];
  if (own === undefined || coversResource([about], target.resource)) return null;
  const values = new Map(Object.entries(about.parameters));
  const segments = path.slice(1).split('/');
  for (const [at, segment] of own.segments.entries())
    if ('param' in segment) segments[at] = values.get(segment.param) ?? segments[at]!;
  const covered = { ...line, path: `/${segments.join('/')}` };
  const found = inventory.target({ ...covered, upgrade, grpc: false });
  if (found instanceof Refusal || !coversResource([about], found.resource)) return null;
  return { line: covered, upgrade, target: found };
}
