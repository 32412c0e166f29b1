import fc from 'fast-check';
import { words } from '../words.ts';

/** Values that mean something to some reader, where they do not belong. */
const strange: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1.5, 2 ** 53, 1e300, '', ' '],
  ...words('* / // /a/{b}/{c} /a/../b $${ spiffe://prod.example spiffe://prod.example/a spiffe://PROD.example/a/'),
  ...words('https://a.example http://a.example/?x#y 10.0.0.0/8 ::/0 2026-11-25 10m 1KiB a,b'),
  ...words('\u0000 \ud800 __proto__ constructor'),
  ...[[], {}, [[]], { __proto__: null, constructor: 1 }],
];

interface Edit {
  readonly kind: 'replace' | 'remove' | 'repeat' | 'rename' | 'wrap' | 'move';
  readonly at: number;
  readonly to: number;
  readonly value: unknown;
  readonly times: number;
}

type Parent = Record<string, unknown> | unknown[];

/** Good data with a few edits of its tree: parts replaced, removed, repeated, renamed, wrapped, or put elsewhere. */
export function mutatedTree(good: readonly unknown[]): fc.Arbitrary<unknown> {
  const value = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...strange) },
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  );
  const edit: fc.Arbitrary<Edit> = fc.record({
    kind: fc.constantFrom('replace', 'replace', 'remove', 'repeat', 'rename', 'wrap', 'move'),
    at: fc.nat(),
    to: fc.nat(),
    value,
    times: fc.oneof({ weight: 20, arbitrary: fc.nat(4) }, { weight: 1, arbitrary: fc.nat(300) }),
  });
  return fc
    .tuple(fc.constantFrom(...good), fc.array(edit, { maxLength: 4 }))
    .map(([tree, edits]) => edits.reduce(apply, structuredClone(tree)));
}

function apply(tree: unknown, { kind, at, to, value, times }: Edit): unknown {
  const places = placesOf(tree);
  if (places.length === 0) return tree;
  const [parent, key] = places[at % places.length]!;
  const whole = parent as Record<string, unknown>;
  switch (kind) {
    case 'replace':
      whole[key] = structuredClone(value);
      break;
    case 'remove':
      if (Array.isArray(parent)) parent.splice(Number(key), 1);
      else delete whole[key];
      break;
    case 'repeat':
      if (Array.isArray(parent))
        parent.push(...Array.from({ length: times }, () => structuredClone(parent[Number(key)])));
      else for (let i = 0; i < times; i++) whole[`${key}${i}`] = structuredClone(whole[key]);
      break;
    case 'rename': {
      if (Array.isArray(parent)) break;
      const part = whole[key];
      delete whole[key];
      whole[typeof value === 'string' && value !== '__proto__' ? value : `${key}x`] = part;
      break;
    }
    case 'wrap':
      for (let i = 0; i <= times % 200; i++) whole[key] = i % 2 === to % 2 ? [whole[key]] : { a: whole[key] };
      break;
    case 'move': {
      const [other, otherKey] = places[to % places.length]!;
      (other as Record<string, unknown>)[otherKey] = structuredClone(whole[key]);
    }
  }
  return tree;
}

/** Every place of the tree, by what holds it. */
function placesOf(tree: unknown): readonly (readonly [Parent, string])[] {
  if (typeof tree !== 'object' || tree === null) return [];
  const own = Object.keys(tree).map((key) => [tree as Parent, key] as const);
  return [...own, ...own.flatMap(([parent, key]) => placesOf((parent as Record<string, unknown>)[key]))];
}
