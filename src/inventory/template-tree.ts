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
    const found: T[] = [];
    let level = [this.#root];
    for (const segment of segments) {
      for (const node of level) found.push(...node.here);
      level = level.flatMap((node) => [...literalChild(node, segment), ...paramChild(node)]);
    }
    for (const node of level) found.push(...node.here);
    return found.sort((a, b) => a.template.rank - b.template.rank);
  }

  /** Those of at most its length that hold for some path that this template holds for. */
  sharing({ segments }: Template): T[] {
    const found: T[] = [];
    let level = [this.#root];
    for (const segment of segments) {
      for (const node of level) found.push(...node.here);
      level = level.flatMap((node) => overlapping(node, segment));
    }
    for (const node of level) found.push(...node.here);
    return found;
  }

  /** One of the same length that shares a path with this template, where neither is the more specific; null: none. */
  tied(template: Template): T | null {
    let level = [this.#root];
    for (const segment of template.segments) level = level.flatMap((node) => overlapping(node, segment));
    for (const node of level) {
      const other = node.here.find((item) => contains(item.template, template) === contains(template, item.template));
      if (other !== undefined) return other;
    }
    return null;
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

function literalChild<T>(node: Node<T>, segment: Segment): Node<T>[] {
  const child = 'literal' in segment ? node.literals.get(segment.literal) : undefined;
  return child === undefined ? [] : [child];
}

function paramChild<T>(node: Node<T>): Node<T>[] {
  return node.param === null ? [] : [node.param];
}

function overlapping<T>(node: Node<T>, segment: Segment): Node<T>[] {
  return 'param' in segment
    ? [...node.literals.values(), ...paramChild(node)]
    : [...literalChild(node, segment), ...paramChild(node)];
}
