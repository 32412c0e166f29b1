import { leniently } from '../inventory/lenient-path.ts';

/**
 * One segment of a pattern: a literal, any other spelling that a lenient server folds to the same (`folded`), or any
 * segment that nothing names (null).
 */
export type PatternSegment = { readonly literal: string } | { readonly folded: string } | null;

/** The begin of a path. It covers the paths that begin so. */
export type Pattern = readonly PatternSegment[];

/** More combinations of one host than anybody reads; each costs some requests to sample. */
const MAX_PATTERNS = 20_000;

/**
 * The patterns with everything that several of them cover together, the empty one included: paths that are covered by the
 * same of `patterns` are covered by the same innermost one of the result. Null when there are too many.
 */
export function overlaps(patterns: readonly Pattern[]): readonly Pattern[] | null {
  const found = new PatternTree();
  found.add([]);
  for (const pattern of patterns) {
    for (const other of found.overlapping(pattern)) found.add(meet(pattern, other));
    if (found.size > MAX_PATTERNS) return null;
  }
  return found.all();
}

/** What two patterns that overlap cover together. */
function meet(a: Pattern, b: Pattern): Pattern {
  const [longer, shorter] = a.length >= b.length ? [a, b] : [b, a];
  return longer.map((segment, index) => narrower(segment, shorter[index] ?? null));
}

function narrower(a: PatternSegment, b: PatternSegment): PatternSegment {
  if (a === null || b === null) return a ?? b;
  return 'literal' in a ? a : b;
}

interface Node {
  /** What leads to it; of the root, null. */
  readonly segment: PatternSegment;
  readonly children: Map<string, Node>;
  pattern: Pattern | null;
}

const newNode = (segment: PatternSegment): Node => ({ segment, children: new Map(), pattern: null });

/** Patterns by their segments, so that those that overlap another are found without a look at all of them. */
class PatternTree {
  readonly #root: Node = newNode(null);
  size = 0;

  add(pattern: Pattern): void {
    let node = this.#root;
    for (const segment of pattern) {
      const key = keyOf(segment);
      const child = node.children.get(key) ?? newNode(segment);
      node.children.set(key, child);
      node = child;
    }
    if (node.pattern === null) this.size++;
    node.pattern ??= pattern;
  }

  all(): Pattern[] {
    return below(this.#root);
  }

  overlapping(pattern: Pattern): Pattern[] {
    const found: Pattern[] = [];
    let level = [this.#root];
    for (const segment of pattern) {
      for (const node of level) if (node.pattern !== null) found.push(node.pattern);
      level = level.flatMap((node) => compatible(node, segment));
    }
    return [...found, ...level.flatMap(below)];
  }
}

function below(root: Node): Pattern[] {
  const found: Pattern[] = [];
  for (const open = [root]; open.length > 0; ) {
    const node = open.pop() as Node;
    if (node.pattern !== null) found.push(node.pattern);
    open.push(...node.children.values());
  }
  return found;
}

function compatible({ children }: Node, segment: PatternSegment): Node[] {
  if (segment === null) return [...children.values()];
  if ('literal' in segment) {
    const folded = { folded: leniently(segment.literal) };
    return [segment, folded, null].flatMap((one) => children.get(keyOf(one)) ?? []);
  }
  return [...children.values()].filter((child) => foldsTo(child.segment, segment.folded));
}

function foldsTo(segment: PatternSegment, folded: string): boolean {
  if (segment === null) return true;
  return 'folded' in segment ? segment.folded === folded : leniently(segment.literal) === folded;
}

function keyOf(segment: PatternSegment): string {
  if (segment === null) return '*';
  return 'literal' in segment ? `=${segment.literal}` : `~${segment.folded}`;
}
