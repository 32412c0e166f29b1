import type { Problem } from '../../source/problem.ts';
import type { PolicyJson } from '../decide/engine.ts';
import { problemAtString } from '../text/split-policies.ts';
import { comparedWith, expressions, type Node, operand, pathOf } from './ast.ts';
import type { ParsedPolicy } from './parsed.ts';
import { MAX_FAULTS } from './strings.ts';

/** Stands for `*` in what is said of a pattern. */
const WILDCARD = '*';

/** Texts and patterns that `resource.path` never is: it begins with a slash and, but for `/` itself, ends with none. */
export function pathProblems(policy: ParsedPolicy): Problem[] {
  const problems: Problem[] = [];
  for (const node of expressions(policy.json)) {
    for (const text of [...comparedWith(node, 'resource.path'), ...patternsOfPath(node)]) {
      if (text === '/' || (/^[/*]/.test(text) && !text.endsWith('/'))) continue;
      if (problems.length === MAX_FAULTS) return problems;
      const message = `no path is '${text}': resource.path begins with a slash and stands without a trailing one; write it so`;
      problems.push(problemAtString(policy, text, message));
    }
  }
  return problems;
}

/** What a pattern such as `/api/*` leaves out: the path `/api`, and so `/api/`, which is the same. */
export function pathNotes(policy: PolicyJson): string[] {
  return [...expressions(policy)]
    .flatMap(patternsOfPath)
    .filter((text) => text.length > 2 && text.endsWith(`/${WILDCARD}`))
    .map((text) => {
      const path = text.slice(0, -2);
      const instead = path.includes(WILDCARD) ? `add || resource.path like "${path}"` : `write resource in Mesh::Path`;
      return `'${text}' leaves out '${path}' itself, with and without a trailing slash; ${instead} if it is meant too`;
    });
}

/** The pattern of a `like` about the path, with `*` for each wildcard. */
function patternsOfPath(node: Node): readonly string[] {
  if (node.operator !== 'like' || pathOf(operand(node, 'left')) !== 'resource.path') return [];
  const { pattern } = node.body as { readonly pattern?: unknown };
  if (!Array.isArray(pattern)) return [];
  const parts = pattern.map((part: unknown) =>
    typeof part === 'object' && part !== null && 'Literal' in part ? String(part.Literal) : WILDCARD,
  );
  return [parts.join('')];
}
