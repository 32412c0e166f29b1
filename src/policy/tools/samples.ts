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
 * path that no api names, and the paths that policies name. What the inventory refuses is left out.
 */
export function sampleTargets(inventory: Inventory, named: Named): readonly SampleTarget[] {
  const literal = (type: string) => [...(named.get(`Mesh::${type}`) ?? [])];
  const paths = [
    ...[...inventory.hosts.values()].flatMap((book) => samplePaths(book).map((path) => [book, path] as const)),
    ...[...literal('Endpoint'), ...literal('Path').flatMap((path) => [path, `${path}/${ANY}`])].flatMap((text) => {
      const slash = text.indexOf('/');
      const book = inventory.hosts.get(text.slice(0, slash));
      return book === undefined ? [] : [[book, text.slice(slash)] as const];
    }),
  ];
  const found = new Map<string, SampleTarget>();
  for (const [book, path] of paths) {
    for (const method of [...readActions, ...writeActions]) {
      const upgrade = method === 'CONNECT';
      const line = { method: upgrade ? 'GET' : method, host: book.host.name, path, query: null };
      const target = inventory.target({ ...line, upgrade, grpc: false });
      if (target instanceof Refusal) continue;
      const key = `${target.action} ${target.resource.id}`;
      if (!found.has(key)) found.set(key, { line, upgrade, target });
    }
  }
  return [...found.values()];
}

function samplePaths(book: HostBook): string[] {
  const own = book.apis.flatMap(({ id, template }) => {
    const path = pathOf(template, (candidate) => apiOf(book, candidate) === id);
    return path === null ? [] : [path, `${path === '/' ? '' : path}/${ANY}`];
  });
  return [...own, `/${ANY}`];
}

/** The innermost api that a path belongs to, by whichever method it takes; null where none names the path. */
function apiOf(book: HostBook, path: string): string | null {
  for (const method of [...readActions, ...writeActions]) {
    const upgrade = method === 'CONNECT';
    const target = book.target({ host: book.host.name, path, method, upgrade, grpc: false });
    if (!(target instanceof Refusal)) return target.resource.apis.at(-1) ?? null;
  }
  return null;
}

/** A path of the template that no more specific one takes; null where others take all that were tried. */
function pathOf(template: Template, fits: (path: string) => boolean): string | null {
  for (const value of [ANY, `${ANY}-other`, '1']) {
    const path = `/${template.segments.map((segment) => ('literal' in segment ? segment.literal : value)).join('/')}`;
    if (fits(path)) return path;
  }
  return null;
}
