/**
 * What a policy can learn of one place of a call (an attribute, a tag, an entity, a member of the context). A place that is
 * in no footprint may hold anything without a change of the verdict. A `Need` without any member is presence alone
 * (`has`, `is`). Maps, since names are the operators' (`__proto__` among them).
 */
export interface Need {
  /** The whole value. Of a reference to an entity: which entity it is. */
  whole?: boolean;
  /** The type of the entity that is referred to. */
  type?: boolean;
  /** Attributes of the record, or of the entity that is referred to. */
  fields?: Map<string, Need>;
  tags?: Map<string, Need>;
  /** Some tag whose name the policy computes: all of them. */
  anyTag?: boolean;
  /** Entities (by `keyOf`) below which the policy asks whether this one is. */
  ancestors?: Set<string>;
  /** It asks so of an entity that it computes: all ancestors. */
  anyAncestor?: boolean;
  /** The value is only compared with these numbers (milliseconds since the epoch where it is a datetime). */
  cuts?: Set<number>;
  /** Of a set: it is only asked whether these are in it (by `memberKey`). */
  members?: Set<string>;
}

/** What a set of policies can learn of a call. */
export interface Footprint {
  readonly principal: Need;
  readonly resource: Need;
  readonly context: Need;
  /** The entities that policies name (by `keyOf`), with what they learn of each. */
  readonly named: Map<string, Need>;
}

/** An entity's name as one text. Entity types hold no space. */
export const keyOf = (type: string, id: string): string => `${type} ${id}`;

/** A member of a set as one text; null for what is neither a scalar nor an entity. */
export function memberKey(value: unknown): string | null {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return JSON.stringify(value);
  const uid = entityIn(value);
  return uid === null ? null : keyOf(uid.type, uid.id);
}

/** The entity that `{ __entity: … }` refers to; null for every other value. */
export function entityIn(value: unknown): { readonly type: string; readonly id: string } | null {
  if (typeof value !== 'object' || value === null || !('__entity' in value)) return null;
  return value.__entity as { type: string; id: string };
}

/** The footprint of no policy. */
export function emptyFootprint(): Footprint {
  return { principal: {}, resource: {}, context: {}, named: new Map() };
}

/** The footprint of all of them; null when one is not understood. */
export function union(footprints: Iterable<Footprint | null>): Footprint | null {
  const sum = emptyFootprint();
  for (const one of footprints) {
    if (one === null) return null;
    for (const root of ['principal', 'resource', 'context'] as const) addNeed(sum[root], one[root]);
    for (const [key, need] of one.named) addNeed(child(sum.named, key), need);
  }
  return sum;
}

/** Adds what `from` needs to `to`; false where `to` had all of it. */
export function addNeed(to: Need, from: Need): boolean {
  let grew = false;
  for (const name of ['whole', 'type', 'anyTag', 'anyAncestor'] as const) {
    if (!from[name] || to[name]) continue;
    to[name] = true;
    grew = true;
  }
  for (const name of ['ancestors', 'members'] as const) {
    const sum = joined(to[name], from[name]);
    if (sum === null) continue;
    to[name] = sum;
    grew = true;
  }
  const cuts = joined(to.cuts, from.cuts);
  if (cuts !== null) {
    to.cuts = cuts;
    grew = true;
  }
  for (const name of ['fields', 'tags'] as const) {
    const more = from[name];
    if (more === undefined) continue;
    to[name] ??= new Map();
    for (const [key, need] of more) {
      if (!to[name].has(key)) grew = true;
      if (addNeed(child(to[name], key), need)) grew = true;
    }
  }
  return grew;
}

/** Both together; null where the second adds nothing. Even of no members, a set says that some are asked for. */
function joined<T>(known: Set<T> | undefined, more: Set<T> | undefined): Set<T> | null {
  if (more === undefined || (known !== undefined && more.isSubsetOf(known))) return null;
  return (known ?? new Set()).union(more);
}

/** The need of one part, made where there was none. */
export function child(needs: Map<string, Need>, name: string): Need {
  let need = needs.get(name);
  if (need === undefined) {
    need = {};
    needs.set(name, need);
  }
  return need;
}
