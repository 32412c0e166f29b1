import { conjuncts, type Node, nodeOf, operand } from '../policy/lint/ast.ts';

/** A range that holds nothing, such as `x >= 22 && x < 6`, where `||` or the other order was meant. */
export interface EmptyRange {
  /** A word of the compared expression, to find it by. */
  readonly word: string;
  readonly note: string;
}

interface Bound {
  readonly subject: string;
  readonly word: string;
  readonly side: 'above' | 'below';
  readonly strict: boolean;
  readonly value: number;
  readonly text: string;
}

/** Two bounds of one expression, joined by `&&`, that no value keeps; null where the node is none. */
export function emptyRange(node: Node): EmptyRange | null {
  if (node.operator !== '&&') return null;
  const bounds = conjuncts({ '&&': node.body }).flatMap((part) => boundOf(part) ?? []);
  for (const above of bounds.filter(({ side }) => side === 'above')) {
    const below = bounds.find(
      (bound) => bound.side === 'below' && bound.subject === above.subject && apart(above, bound),
    );
    if (below === undefined) continue;
    const note = `nothing is both ${above.text} and ${below.text}; where the range wraps around, as a night does, join them by ||`;
    return { word: above.word, note };
  }
  return null;
}

function apart(above: Bound, below: Bound): boolean {
  return above.value > below.value || (above.value === below.value && (above.strict || below.strict));
}

const SIGN = /^[<>]=?$/;

function boundOf(expression: unknown): Bound | null {
  const node = nodeOf(expression);
  if (node === null || !SIGN.test(node.operator)) return null;
  const [left, right] = [operand(node, 'left'), operand(node, 'right')];
  const mirrored = node.operator.replace(/[<>]/, (sign) => (sign === '<' ? '>' : '<'));
  const [subject, limit, sign] =
    limitOf(right) === null ? [right, limitOf(left), mirrored] : [left, limitOf(right), node.operator];
  if (limit === null || limitOf(subject) !== null) return null;
  const text = JSON.stringify(subject);
  const word = [...text.matchAll(/"attr":"(\w+)"/g)].at(-1)?.[1] ?? '';
  const side = sign.startsWith('>') ? 'above' : 'below';
  return { subject: text, word, side, strict: sign.length === 1, value: limit.value, text: `${sign} ${limit.text}` };
}

/** A number, or a duration or datetime as milliseconds. */
function limitOf(expression: unknown): { readonly value: number; readonly text: string } | null {
  const node = nodeOf(expression);
  if (node?.operator === 'Value' && typeof node.body === 'number') return { value: node.body, text: String(node.body) };
  if ((node?.operator !== 'duration' && node?.operator !== 'datetime') || !Array.isArray(node.body)) return null;
  const written = nodeOf(node.body[0])?.body;
  if (typeof written !== 'string') return null;
  const value = node.operator === 'datetime' ? Date.parse(written) : durationMs(written);
  return Number.isNaN(value) ? null : { value, text: written };
}

const UNITS: ReadonlyMap<string, number> = new Map(
  Object.entries({ d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 }),
);

/** Cedar's durations: `1d2h3m4s5ms`, each part once and in this order, perhaps negative. */
function durationMs(text: string): number {
  const sum = [...text.matchAll(/(?<!\d)(\d+)(ms|[dhms])/g)].reduce(
    (total, [, count, unit]) => total + Number(count) * (UNITS.get(unit ?? '') ?? 0),
    0,
  );
  return text.startsWith('-') ? -sum : sum;
}
