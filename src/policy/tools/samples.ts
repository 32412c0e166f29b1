import type { HostBook } from '../../inventory/host.ts';
import type { Inventory } from '../../inventory/inventory.ts';
import { readActions, type Target, type Workload, writeActions } from '../../inventory/model.ts';
import type { Template } from '../../inventory/template.ts';
import { Refusal } from '../../outcome.ts';
import { SpiffeId } from '../../spiffe-id.ts';
import type { RequestLine } from '../stated.ts';
import type { Named } from '../vocabulary.ts';

/** A request to what the inventory lists or a policy names, and how the inventory reads it. */
export interface SampleTarget {
  readonly line: RequestLine;
  readonly upgrade: boolean;
  readonly target: Target;
}

/** A segment that stands for any that nobody named. */
const ANY = 'any';

/**
 * Workloads such that every other one is told apart from them by no entry of the inventory and no policy: each entry, one
 * below each prefix, and those that policies name.
 */
export function sampleWorkloads(inventory: Inventory, named: Named): readonly Workload[] {
  const ids = [
    ...inventory.entries.map(({ entry, scope }) => (scope === 'id' ? entry : `${entry}/${ANY}`)),
    ...(named.get('Mesh::Workload') ?? []),
    ...[...(named.get('Mesh::SpiffePath') ?? [])].flatMap((path) => [path, `${path}/${ANY}`]),
  ];
  return [...new Set(ids)].flatMap((text) => {
    const id = SpiffeId.parse(text);
    const workload = id instanceof Refusal ? id : inventory.workload(id);
    return workload instanceof Refusal ? [] : [workload];
  });
}

/**
 * Every action on every kind of path that the inventory or a policy tells apart: each api's own path and one below it, a
 * path that no api names, the paths that policies name, and each api where it lies below one of these. What the inventory
 * refuses is left out.
 */
export function sampleTargets(inventory: Inventory, named: Named): readonly SampleTarget[] {
  const found = new Map<string, SampleTarget>();
  for (const [name, book] of inventory.hosts) {
    const paths = new Set(samplePaths(book, namedBelow(name, named)));
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
function namedBelow(host: string, named: Named): readonly string[] {
  const ids = ['Mesh::Path', 'Mesh::Endpoint'].flatMap((type) => [...(named.get(type) ?? [])]);
  return [...new Set(ids)].filter((id) => id.startsWith(`${host}/`)).map((id) => id.slice(host.length));
}

function samplePaths(book: HostBook, literals: readonly string[]): string[] {
  const below = (path: string): string => `${path.endsWith('/') ? path : `${path}/`}${ANY}`;
  const apis = book.apis.flatMap(({ id, template }) =>
    ['/', ...literals].flatMap((literal) => {
      const path = pathWithin(template, literal, (candidate) => apiOf(book, candidate) === id);
      return path === null ? [] : [path, below(path)];
    }),
  );
  return [...apis, ...literals.flatMap((path) => [path, below(path)]), below('/')];
}

/** The innermost api that a path belongs to, by whichever method it takes; null where none names the path. */
function apiOf(book: HostBook, path: string): string | null {
  for (const method of METHODS) {
    const upgrade = method === 'CONNECT';
    const target = book.target({ host: book.host.name, path, method, upgrade, grpc: false });
    if (!(target instanceof Refusal)) return target.resource.apis.at(-1) ?? null;
  }
  return null;
}

/** A path that the template holds for and no more specific one, at or below `literal`; null where there seems to be none. */
function pathWithin(template: Template, literal: string, fits: (path: string) => boolean): string | null {
  const stated = literal.split('/').filter((segment) => segment !== '');
  const agrees = template.segments.every(
    (segment, i) => 'param' in segment || stated[i] === undefined || stated[i] === segment.literal,
  );
  if (!agrees) return null;
  for (const value of [ANY, `${ANY}-other`, '1']) {
    const own = template.segments.map((segment, i) => stated[i] ?? ('literal' in segment ? segment.literal : value));
    const path = `/${[...own, ...stated.slice(own.length)].join('/')}`;
    if (fits(path)) return path;
  }
  return null;
}
