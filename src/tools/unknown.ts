import { nodeOf } from '../policy/lint/ast.ts';
import type { Expression } from './bound.ts';
import { type ReadPath, readPath } from './paths.ts';

/**
 * Whether an expression reads what is open (paths of the context; the empty one is all of it), or what the inventory does
 * not tell of a resource: its path, its parameters, and which endpoint it is.
 */
export function readsUnknown(expression: Expression, open: readonly string[]): boolean {
  const parts: unknown[] = [expression];
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    if (typeof part !== 'object' || part === null) continue;
    const path = readPath(part);
    if (path !== null) {
      if (isOpen(path, open)) return true;
      continue;
    }
    // What is read of something that was computed (`(if … then resource else …).path`) may be anything.
    if (READS.has(nodeOf(part)?.operator ?? '')) return true;
    const type = (part as { readonly __entity?: { readonly type?: unknown } }).__entity?.type;
    if (type === 'Mesh::Endpoint' || type === 'Mesh::Path') return true;
    parts.push(...Object.values(part));
  }
  return false;
}

const READS: ReadonlySet<string> = new Set(['.', 'has', 'hasTag', 'getTag']);

function isOpen({ variable, attributes, tag, presence }: ReadPath, open: readonly string[]): boolean {
  if (variable === 'resource') return attributes[0] === 'path' || (tag?.startsWith('param.') ?? false);
  if (variable !== 'context') return false;
  const path = attributes.join('.');
  if (path === '') return true;
  return open.some(
    (name) => name === '' || path === name || path.startsWith(`${name}.`) || (!presence && name.startsWith(`${path}.`)),
  );
}

/** Whether an expression names one of the variables. */
export function mentions(expression: Expression, variables: readonly string[]): boolean {
  const open: unknown[] = [expression];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next !== 'object' || next === null) continue;
    if ('Var' in next && variables.includes(String(next.Var))) return true;
    open.push(...Object.values(next));
  }
  return false;
}
