import { child, entityIn, memberKey, type Need } from './need.ts';

/** A `datetime` literal, in milliseconds since the epoch. */
export class Instant {
  readonly ms: number;
  constructor(ms: number) {
    this.ms = ms;
  }
}

/** What an expression can be, as far as that is known without a call. */
export interface Value {
  /** Where it may come from. */
  readonly places: readonly Need[];
  /** Record literals that it may be. */
  readonly records: readonly ReadonlyMap<string, Value>[];
  /** What the set literals that it may be hold. */
  readonly elements: readonly Value[];
  /** Literals that it may be: scalars, references to entities, instants. */
  readonly literals: readonly unknown[];
  /** It may be a set literal, empty ones included. */
  readonly set: boolean;
  /** It may be the result of a computation, whose operands were read whole. */
  readonly computed: boolean;
}

export const nothing: Value = { places: [], records: [], elements: [], literals: [], set: false, computed: false };
export const computed: Value = { ...nothing, computed: true };

export function either(a: Value, b: Value): Value {
  return {
    places: [...a.places, ...b.places],
    records: [...a.records, ...b.records],
    elements: [...a.elements, ...b.elements],
    literals: [...a.literals, ...b.literals],
    set: a.set || b.set,
    computed: a.computed || b.computed,
  };
}

/** The attribute of whatever it may be. That it is there is always needed; what it holds, only where that is used. */
export function field(value: Value, name: string): Value {
  const places = value.places.map((place) => child(partsOf(place, 'fields'), name));
  const parts = value.records.map((record) => record.get(name)).filter((part) => part !== undefined);
  return parts.reduce(either, { ...nothing, places });
}

/** The needs of its attributes, or of its tags. */
export function partsOf(need: Need, name: 'fields' | 'tags'): Map<string, Need> {
  need[name] ??= new Map();
  return need[name];
}

/** Everything about it is needed. */
export function whole(value: Value): void {
  for (const place of value.places) place.whole = true;
  for (const record of value.records) for (const part of record.values()) whole(part);
  for (const element of value.elements) whole(element);
}

export const isPlace = (value: Value): boolean =>
  value.places.length > 0 && value.literals.length === 0 && !value.set && value.records.length === 0 && !value.computed;

/** Literals alone; the places of entity literals are the literals themselves. */
export const isLiteral = (value: Value): boolean =>
  value.literals.length > 0 &&
  value.places.length <= value.literals.filter((one) => entityIn(one) !== null).length &&
  !value.set &&
  value.records.length === 0 &&
  !value.computed;

export function compare(left: Value, right: Value): void {
  for (const [place, other] of [
    [left, right],
    [right, left],
  ] as const) {
    if (!isPlace(place) || !isLiteral(other)) continue;
    const cuts = other.literals.map((one) => (one instanceof Instant ? one.ms : one)).filter(isCut);
    if (cuts.length !== other.literals.length) continue;
    for (const need of place.places) need.cuts = (need.cuts ?? new Set()).union(new Set(cuts));
    return;
  }
  whole(left);
  whole(right);
}

/** Its neighbours are held exactly too: they stand for what lies beside it. */
const isCut = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value - 1) && Number.isSafeInteger(value + 1);

export function containsMember(set: Value, member: Value): void {
  const literals = isLiteral(member) ? keysOf(member.literals) : null;
  if (isPlace(set) && literals !== null) addMembers(set, literals);
  else {
    whole(set);
    whole(member);
  }
}

export function isIn(left: Value, right: Value): void {
  const direct = isLiteral(right) ? right.literals : null;
  const listed = right.set && right.elements.every(isLiteral) && right.places.length === 0 && !right.computed;
  const uids = direct ?? (listed ? right.elements.flatMap((element) => element.literals) : null);
  const keys = uids === null ? null : keysOf(uids);
  // That it may be one of them itself needs nothing more: an entity that a policy names keeps its id wherever it is sent.
  for (const place of left.places) {
    if (keys === null) place.anyAncestor = true;
    else place.ancestors = (place.ancestors ?? new Set()).union(new Set(keys));
  }
  whole(right);
}

/** The literals of a set literal that holds nothing else; null for every other value. */
export function membersOf(value: Value): readonly string[] | null {
  const plain = value.set && value.places.length === 0 && value.literals.length === 0 && value.records.length === 0;
  if (!plain || value.computed || !value.elements.every(isLiteral)) return null;
  return keysOf(value.elements.flatMap((element) => element.literals));
}

function keysOf(literals: readonly unknown[]): readonly string[] | null {
  const keys = literals.map(memberKey);
  return keys.includes(null) ? null : (keys as string[]);
}

export function addMembers(set: Value, keys: readonly string[]): void {
  for (const place of set.places) place.members = (place.members ?? new Set()).union(new Set(keys));
}
