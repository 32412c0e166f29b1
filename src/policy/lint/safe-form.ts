import type { PolicyText } from '../text/split-policies.ts';
import { byDepth, CLOSING, type Token } from '../text/tokens.ts';

/** One `when { … }` or `unless { … }` of a policy, by its tokens. */
export interface Clause {
  readonly kind: 'when' | 'unless';
  /** What stands between the braces. */
  readonly tokens: readonly Token[];
}

/** The clauses of a policy that parsed, in their order. */
export function clausesOf({ tokens }: PolicyText): readonly Clause[] {
  const depths = byDepth(tokens);
  return depths.flatMap(([{ text: kind }, depth], index) => {
    if (depth !== 0 || (kind !== 'when' && kind !== 'unless') || tokens[index + 1]?.text !== '{') return [];
    const end = depths.findIndex(([{ text }, inside], i) => i > index && inside === 1 && CLOSING.has(text));
    return end === -1 ? [] : [{ kind, tokens: tokens.slice(index + 2, end) }];
  });
}

/**
 * A clause `when { A && context has task && X }` of a forbid in the form that a request without the task does not pass:
 * `when { A } unless { context has task && !X }`. Null where the clause is none of that shape. `presence` is the text that
 * asks for the fact, and `reads` tells a part that reads it.
 */
export function safeForm(
  clause: Clause,
  presence: string,
  reads: (part: string) => boolean,
  text: string,
): string | null {
  const parts = conjuncts(clause.tokens);
  if (clause.kind !== 'when' || parts === null) return null;
  const written = parts.map((tokens) => ({ tokens, plain: plain(tokens), text: sourceOf(tokens, text) }));
  const values = written.filter((part) => part.plain !== presence && reads(part.plain));
  const rest = written.filter((part) => part.plain !== presence && !reads(part.plain));
  const [value, ...more] = values;
  if (value === undefined || rest.length + values.length === written.length) return null;
  const passes = more.length === 0 ? negated(value.tokens, text) : `!(${values.map((part) => part.text).join(' && ')})`;
  const kept = rest.length === 0 ? '' : `when { ${rest.map((part) => part.text).join(' && ')} } `;
  return `${kept}unless { ${presence} && ${passes} }`;
}

/** The tokens with nothing between them but where two words meet: one spelling for all ways to break a line. */
function plain(tokens: readonly Token[]): string {
  return tokens
    .map(({ text, kind }, i) => {
      const before = tokens[i - 1];
      return before !== undefined && isWord(before) && isWord({ text, kind }) ? ` ${text}` : text;
    })
    .join('');
}

const OPPOSITE: ReadonlyMap<string, string> = new Map(
  Object.entries({ '<': '>=', '>=': '<', '>': '<=', '<=': '>', '==': '!=', '!=': '==' }),
);
const BINDING: ReadonlySet<string> = new Set([...OPPOSITE.keys(), 'in', 'like', 'is', 'has', '+', '-', '*']);

const isWord = ({ kind }: Pick<Token, 'kind' | 'text'>): boolean => kind === 'word' || kind === 'number';

/** The parts that `&&` joins; null where something else joins them. */
function conjuncts(tokens: readonly Token[]): readonly (readonly Token[])[] | null {
  const parts: Token[][] = [[]];
  for (const [token, depth] of byDepth(tokens)) {
    if (depth === 0 && (token.text === '||' || token.text === 'if')) return null;
    if (depth === 0 && token.text === '&&') parts.push([]);
    else parts.at(-1)?.push(token);
  }
  const bracketed = tokens[0]?.text === '(' && byDepth(tokens).every(([, depth]) => depth > 0);
  return bracketed ? conjuncts(tokens.slice(1, -1)) : parts;
}

function negated(tokens: readonly Token[], text: string): string {
  const signs = byDepth(tokens).filter(([token, depth]) => depth === 0 && BINDING.has(token.text));
  const [sign, ...others] = signs.map(([token]) => token);
  const opposite = others.length === 0 ? OPPOSITE.get(sign?.text ?? '') : undefined;
  if (sign !== undefined && opposite !== undefined) {
    const at = tokens.indexOf(sign);
    return `${sourceOf(tokens.slice(0, at), text)} ${opposite} ${sourceOf(tokens.slice(at + 1), text)}`;
  }
  if (sign !== undefined) return `!(${sourceOf(tokens, text)})`;
  return tokens[0]?.text === '!' ? sourceOf(tokens.slice(1), text) : `!${sourceOf(tokens, text)}`;
}

/** As the author wrote it, on one line and without comments. */
function sourceOf(tokens: readonly Token[], text: string): string {
  return tokens
    .map(({ start, end }, i) => {
      const before = tokens[i - 1];
      return `${before !== undefined && before.end < start ? ' ' : ''}${text.slice(start, end)}`;
    })
    .join('');
}
