import { attributesOf, nodeOf, operand, pathOf } from '../policy/lint/ast.ts';

/** What an expression reads, walking from a variable: attributes, then perhaps a tag. */
export interface ReadPath {
  readonly variable: string;
  readonly attributes: readonly string[];
  readonly tag: string | null;
  /** Asked is only whether it is there. */
  readonly presence: boolean;
}

/** What a node of the JSON format reads, where it only walks from a variable; null for every other node. */
export function readPath(part: unknown): ReadPath | null {
  const node = nodeOf(part);
  if (node === null) return null;
  const { operator } = node;
  if (operator === '.' || operator === 'Var') return pathFrom(pathOf(part), [], null, false);
  const left = pathOf(operand(node, 'left'));
  if (operator === 'has') return pathFrom(left, attributesOf(node), null, true);
  if (operator !== 'hasTag' && operator !== 'getTag') return null;
  const right = nodeOf(operand(node, 'right'));
  if (right?.operator !== 'Value' || typeof right.body !== 'string') return null;
  return pathFrom(left, [], right.body, operator === 'hasTag');
}

function pathFrom(
  left: string | null,
  more: readonly string[],
  tag: string | null,
  presence: boolean,
): ReadPath | null {
  if (left === null) return null;
  const [variable = '', ...attributes] = left.split('.');
  return { variable, attributes: [...attributes, ...more], tag, presence };
}

/** The path as Cedar text. */
export function pathText({ variable, attributes, tag }: ReadPath): string {
  const path = [variable, ...attributes].join('.');
  return tag === null ? path : `${path}.getTag(${JSON.stringify(tag)})`;
}
