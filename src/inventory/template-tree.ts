import { contains, type Segment, type Template } from './template.ts';

interface Node<T> {
  readonly literals: Map<string, Node<T>>;
  param: Node<T> | null;
  readonly here: T[];
}

/** Templates by their segments, so that those that have to do with another are found without a look at all of them. */
export class TemplateTree<T extends { readonly template: Template }> {
  readonly #root: Node<T> = newNode();

  add(item: T): void {
    let node = this.#root;
    for (const segment of item.template.segments) node = childFor(node, segment);
    node.here.push(item);
  }

  /** Those whose template holds wherever this one does, itself included; outer ones first, by rank. */
  around({ segments }: Template): T[] {
    const found = this.#levels(segments, holding).flatMap((level) => level.flatMap((node) => node.here));
    return found.sort((a, b) => a.template.rank - b.template.rank);
  }

  /** Those of at most its length that hold for some path that this template holds for. */
  sharing({ segments }: Template): T[] {
    return this.#levels(segments, overlapping).flatMap((level) => level.flatMap((node) => node.here));
  }

  /** One of the same length that shares a path with this template, where neither is the more specific; null: none. */
  tied(template: Template): T | null {
    const level = this.#levels(template.segments, overlapping).at(-1) ?? [];
    const ties = (item: T) => contains(item.template, template) === contains(template, item.template);
    return level.flatMap((node) => node.here).find(ties) ?? null;
  }

  /** The root, and the nodes that each segment leads to. */
  #levels(segments: readonly Segment[], step: (node: Node<T>, segment: Segment) => Node<T>[]): Node<T>[][] {
    const levels = [[this.#root]];
    for (const segment of segments) levels.push(levels.at(-1)!.flatMap((node) => step(node, segment)));
    return levels;
  }
}

function newNode<T>(): Node<T> {
  return { literals: new Map(), param: null, here: [] };
}

function childFor<T>(node: Node<T>, segment: Segment): Node<T> {
  if ('param' in segment) {
    node.param ??= newNode();
    return node.param;
  }
  const child = node.literals.get(segment.literal) ?? newNode<T>();
  node.literals.set(segment.literal, child);
  return child;
}

/** The children that hold for all that the segment holds for. */
function holding<T>({ literals, param }: Node<T>, segment: Segment): Node<T>[] {
  const literal = 'literal' in segment ? literals.get(segment.literal) : undefined;
  return [literal, param].filter((child) => child !== undefined && child !== null);
}

/** The children that hold for some of what the segment holds for. */
function overlapping<T>(node: Node<T>, segment: Segment): Node<T>[] {
  return 'param' in segment ? [...node.literals.values(), ...holding(node, segment)] : holding(node, segment);
}
