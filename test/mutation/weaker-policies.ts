import type { Cedar, PolicyJson } from '../../src/policy/decide/engine.ts';
import { nodeOf } from '../../src/policy/lint/ast.ts';

/** A policy that applies to less than it did, or may. */
export interface WeakerPolicy {
  readonly what: string;
  readonly json: PolicyJson;
}

type Expression = PolicyJson['conditions'][number]['body'];
type Step = readonly string[];

/** Comparisons with a number, and by how much the right side moves for the comparison to hold less often. */
const ORDERED: Readonly<Record<string, number>> = { '>': 1, '>=': 1, '<': -1, '<=': -1 };

/**
 * Every policy that came of a forbid by deleting one of several alternatives or one of several requirements, by deleting
 * a member of a list, and by shifting a comparison by one: in the direction that forbids less.
 */
export function weakerPolicies(policy: PolicyJson, cedar: Cedar): readonly WeakerPolicy[] {
  return policy.conditions.flatMap(({ kind, body }, index) =>
    changes(body, kind === 'when').flatMap(([path, instead, what]): WeakerPolicy[] => {
      const conditions = policy.conditions.map((one, at) =>
        at === index ? { ...one, body: replaced(body, path, instead) as Expression } : one,
      );
      const json = { ...policy, conditions } as PolicyJson;
      return cedar.policyToText(json).type === 'success' ? [{ what, json }] : [];
    }),
  );
}

type Change = readonly [path: Step, instead: unknown, what: string];

/** `holds`: the policy forbids less where this expression holds less often; otherwise where it holds more often. */
function changes(expression: unknown, holds: boolean, path: Step = []): readonly Change[] {
  const node = nodeOf(expression);
  if (node === null) return [];
  const { operator } = node;
  const parts = node.body as Readonly<Record<string, unknown>>;
  const below = (side: string, sense: boolean) => changes(parts[side], sense, [...path, operator, side]);
  if (operator === '||' || operator === '&&') {
    const deleted: Change[] =
      (operator === '||') === holds
        ? [
            [path, parts.left, `without ${JSON.stringify(parts.right)}`],
            [path, parts.right, `without ${JSON.stringify(parts.left)}`],
          ]
        : [];
    return [...deleted, ...below('left', holds), ...below('right', holds)];
  }
  if (operator === '!') return below('arg', !holds);
  const by = ORDERED[operator];
  if (by !== undefined) {
    const instead = { [operator]: { ...parts, right: moved(parts.right, holds ? by : -by) } };
    return [[path, instead, `${operator} shifted by ${holds ? by : -by}`]];
  }
  if ((operator === '==' || operator === '!=') && typeof nodeOf(parts.right)?.body === 'number') {
    return [1, -1].map(
      (by): Change => [
        path,
        { [operator]: { ...parts, right: moved(parts.right, by) } },
        `${operator} shifted by ${by}`,
      ],
    );
  }
  const list = nodeOf(parts.left);
  if (operator === 'contains' && holds && list?.operator === 'Set' && Array.isArray(list.body)) {
    const members: readonly unknown[] = list.body;
    return members.map((member): Change => {
      const left = { Set: members.filter((one) => one !== member) };
      return [path, { contains: { ...parts, left } }, `without ${JSON.stringify(member)}`];
    });
  }
  return [];
}

function moved(expression: unknown, by: number): unknown {
  const node = nodeOf(expression);
  if (node?.operator === 'Value' && typeof node.body === 'number') return { Value: node.body + by };
  return { [by > 0 ? '+' : '-']: { left: expression, right: { Value: 1 } } };
}

function replaced(expression: unknown, [step, ...rest]: Step, instead: unknown): unknown {
  if (step === undefined) return instead;
  const parts = expression as Readonly<Record<string, unknown>>;
  return { ...parts, [step]: replaced(parts[step], rest, instead) };
}
