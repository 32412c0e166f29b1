import type { Problem } from '../../inventory/problem.ts';
import type { Uid } from '../call.ts';
import type { PolicyJson } from '../engine.ts';
import { problemIn } from '../split.ts';
import { literals } from '../tokens.ts';
import type { ParsedPolicy } from '../vet.ts';
import { expressions, nodeOf, operand } from './ast.ts';

/** Every entity that a policy names, as Cedar read it: in its scope and in its conditions. */
export function entitiesOf(policy: PolicyJson): readonly Uid[] {
  const found: Uid[] = [];
  const open: unknown[] = [policy.principal, policy.action, policy.resource, policy.conditions];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next !== 'object' || next === null) continue;
    // Parts of an expression are objects or lists; only an entity has two strings of these names.
    const { type, id } = next as Partial<Record<string, unknown>>;
    if (typeof type === 'string' && typeof id === 'string') found.push({ type, id });
    else open.push(...Object.values(next));
  }
  return found;
}

/**
 * What is decided about a policy rests on our reading of its text and on Cedar's. Where the two differ about its id or
 * the entities that it names, no reading is chosen.
 */
export function readingProblems(policy: ParsedPolicy): Problem[] {
  const ours = new Set(literals(policy.tokens).map(spelled));
  const theirs = new Set(entitiesOf(policy.json).map(spelled));
  const apart = [...ours.symmetricDifference(theirs)];
  if (policy.json.annotations?.id !== policy.id) apart.push(`@id(${JSON.stringify(policy.id)})`);
  return apart.map((what) =>
    problemIn(policy, 0, `${what} can be read in two ways; write it plainly, without escapes and odd line ends`),
  );
}

const spelled = ({ type, id }: Uid): string => `${type}::${JSON.stringify(id)}`;

const NEEDS_ENTITY: ReadonlySet<string> = new Set(['in', '.', 'has', 'hasTag', 'getTag']);

/**
 * An entity literal stands for its name alone: only the workloads, the endpoint and the purpose of the request come with
 * their ancestors and attributes. `Mesh::Workload::"…" in Mesh::Group::"…"` would quietly be false, and an attribute of a
 * literal an error. Actions are the exception: their groups stand in the schema.
 */
export function literalProblems(policy: ParsedPolicy): Problem[] {
  const problems: Problem[] = [];
  const places = new Map(literals(policy.tokens).map((literal) => [spelled(literal), literal.offset]));
  for (const node of expressions(policy.json)) {
    if (!NEEDS_ENTITY.has(node.operator)) continue;
    for (const uid of yielded(operand(node, 'left'))) {
      if (uid.type.endsWith('::Action')) continue;
      const message = `nothing is known of ${spelled(uid)} here but its name; ask of principal, resource or what stands in context`;
      problems.push(problemIn(policy, places.get(spelled(uid)) ?? 0, message));
    }
  }
  return problems;
}

/** The entity literals that an expression can be: itself one, a branch, or a part of a record that is taken out of it. */
function yielded(expression: unknown): readonly Uid[] {
  const found: Uid[] = [];
  const open: unknown[] = [expression];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const node = nodeOf(next);
    if (node === null) continue;
    const parts = node.body as Partial<Record<string, unknown>>;
    if (node.operator === 'Value') found.push(...entityIn(parts));
    else if (node.operator === 'if-then-else') open.push(parts.then, parts.else);
    else if (node.operator === 'Record') open.push(...Object.values(parts));
    else if (node.operator === '.') open.push(parts.left);
  }
  return found;
}

function entityIn(value: unknown): readonly Uid[] {
  if (typeof value !== 'object' || value === null || !('__entity' in value)) return [];
  return [value.__entity as Uid];
}
