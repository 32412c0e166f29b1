import type { Report } from '../source/problem-at-path.ts';
import type { InventoryFile } from './schema.ts';

/** For every purpose all the wider ones that it belongs to, without itself, sorted. */
export type Purposes = ReadonlyMap<string, readonly string[]>;

/** Wider purposes of one purpose: each counts again for every purpose below it. */
const MAX_WIDER = 256;

/**
 * Resolves the hierarchy. A wider purpose that is not listed, a purpose that belongs to itself, and one that belongs to
 * hundreds are problems.
 */
export function compilePurposes(stated: NonNullable<InventoryFile['purposes']>, report: Report): Purposes {
  const direct = new Map(Object.entries(stated).map(([name, entry]) => [name, entry.in ?? []]));
  for (const [name, wider] of direct) {
    for (const [index, parent] of wider.entries()) {
      const message = `no purpose is called '${parent}'; list it under purposes, or correct it`;
      if (!direct.has(parent)) report(['purposes', name, 'in', index], message);
    }
  }
  const all = new Map<string, readonly string[]>();
  for (const name of direct.keys()) {
    const wider = reachable(name, direct);
    if (wider.size > MAX_WIDER) {
      report(['purposes', name], `more than ${MAX_WIDER} wider purposes; make the hierarchy flatter`);
    } else if (wider.has(name)) {
      report(['purposes', name], `the purpose '${name}' belongs to itself; remove the circle from its 'in'`);
    }
    all.set(name, Object.freeze([...wider].toSorted()));
  }
  return all;
}

function reachable(from: string, direct: ReadonlyMap<string, readonly string[]>): Set<string> {
  const seen = new Set<string>();
  const open = [...(direct.get(from) ?? [])];
  for (let name = open.pop(); name !== undefined && seen.size <= MAX_WIDER; name = open.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    open.push(...(direct.get(name) ?? []));
  }
  return seen;
}
