import type { Problem } from '../../source/problem.ts';
import type { EntityUid } from '../decide/call.ts';
import type { PolicyJson } from '../decide/engine.ts';
import { problemIn } from '../text/split-policies.ts';
import { literals } from '../text/tokens.ts';
import { expressions, literalsOf, objectsIn, operand } from './ast.ts';
import type { ParsedPolicy } from './parsed.ts';

/** Every entity that a policy names, as Cedar read it: in its scope and in its conditions. */
export function entitiesOf({ principal, action, resource, conditions }: PolicyJson): readonly EntityUid[] {
  return (
    objectsIn([principal, action, resource, conditions])
      // Parts of an expression are objects or lists; only an entity has two strings of these names.
      .map((part) => part as Partial<Record<string, unknown>>)
      .flatMap(({ type, id }) => (typeof type === 'string' && typeof id === 'string' ? [{ type, id }] : []))
      .toArray()
  );
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

const spelled = ({ type, id }: EntityUid): string => `${type}::${JSON.stringify(id)}`;

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
    for (const value of literalsOf(operand(node, 'left'))) {
      const uid = entityIn(value);
      if (uid === null || uid.type.endsWith('::Action')) continue;
      const message = `nothing is known of ${spelled(uid)} here but its name; ask of principal, resource or what stands in context`;
      problems.push(problemIn(policy, places.get(spelled(uid)) ?? 0, message));
    }
  }
  return problems;
}

function entityIn(value: unknown): EntityUid | null {
  return typeof value === 'object' && value !== null && '__entity' in value ? (value.__entity as EntityUid) : null;
}
