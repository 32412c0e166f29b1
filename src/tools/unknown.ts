import { nodeOf, objectsIn } from '../policy/lint/ast.ts';
import type { Expression } from './bound.ts';
import { type ReadPath, readPath } from './paths.ts';

/**
 * Whether an expression reads what is open (paths of the context; the empty one is all of it), or what the inventory does
 * not tell of a resource: its path, its parameters, and which endpoint it is.
 */
export function readsUnknown(expression: Expression, open: readonly string[]): boolean {
  const isRead = (part: object): boolean => readPath(part) !== null;
  return objectsIn(expression, isRead).some((part) => {
    const path = readPath(part);
    if (path !== null) return isOpen(path, open);
    // What is read of something that was computed (`(if … then resource else …).path`) may be anything.
    if (READS.has(nodeOf(part)?.operator ?? '')) return true;
    const type = (part as { readonly __entity?: { readonly type?: unknown } }).__entity?.type;
    return type === 'Mesh::Endpoint' || type === 'Mesh::Path';
  });
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
  return objectsIn(expression).some((part) => 'Var' in part && variables.includes(String(part.Var)));
}
