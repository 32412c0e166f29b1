import type { AuthorizationCall, CedarValue, Entity, EntityUid } from './call.ts';
import type { SchemaJson } from './engine.ts';
import { addNeed, entityIn, type Footprint, keyOf, memberKey, type Need } from './need.ts';

/** The members of the context that Cedar holds as extension values; without the schema they are named as such. */
const extensions: Readonly<Record<string, 'datetime' | 'ip'>> = { now: 'datetime', client: 'ip' };

/** The groups that each action is in, all of them, by `keyOf`: without the schema nothing else says so. */
export type ActionGroups = ReadonlyMap<string, readonly EntityUid[]>;

/** A call cut down to what a set of policies can learn of it. */
export interface Projected {
  /** The call itself, as JSON: what is asked on a miss is this text, so that key and call cannot drift apart. */
  readonly key: string;
  /** The verdict may be remembered: the key holds no instant that changes with every request. */
  readonly lasting: boolean;
}

/** Footprint of a slice, ready to be applied. */
export interface Projector {
  readonly footprint: Footprint;
  /** Begins the id of an entity that no policy names, and no id that one names. */
  readonly prefix: string;
  /** Entities that policies name, and of which they learn something. */
  readonly literals: readonly (readonly [key: string, need: Need])[];
  readonly cuts: WeakMap<Need, readonly number[]>;
}

export function projector(footprint: Footprint): Projector {
  const ids = [...footprint.named.keys()].map((key) => key.slice(key.indexOf(' ') + 1));
  let prefix = '#';
  while (ids.some((id) => id.startsWith(prefix))) prefix += '#';
  const literals = [...footprint.named].filter(([, need]) => isDereferenced(need));
  return { footprint, prefix, literals, cuts: new WeakMap() };
}

/**
 * The call without what no policy of the slice can learn, for an engine without a schema. Entities that no policy names
 * get new ids in order of appearance, each one its own: Cedar can tell two of them apart only by whether they are equal.
 * A number that is only compared with literals becomes one number of the interval between them.
 */
export function project(call: AuthorizationCall, using: Projector, groups: ActionGroups): Projected {
  return new Projection(call, using, groups).result();
}

interface Demand {
  readonly uid: EntityUid;
  need: Need;
  /** `need` was made for this call, and may be added to. */
  own: boolean;
  sent: unknown;
}

class Projection {
  readonly #call: AuthorizationCall;
  readonly #using: Projector;
  readonly #groups: ActionGroups;
  readonly #names = new Map<string, EntityUid>();
  readonly #demands = new Map<string, Demand>();
  readonly #open: string[] = [];
  #lasting = true;

  constructor(call: AuthorizationCall, using: Projector, groups: ActionGroups) {
    this.#call = call;
    this.#using = using;
    this.#groups = groups;
  }

  result(): Projected {
    const { principal, action, resource, context } = this.#call;
    const { footprint, literals } = this.#using;
    const sent = {
      principal: this.#root(principal, footprint.principal),
      action,
      resource: this.#root(resource, footprint.resource),
      context: this.#context(context, footprint.context),
      entities: [
        { uid: action, attrs: {}, parents: this.#groups.get(keyOf(action.type, action.id)) ?? [] },
      ] as unknown[],
    };
    for (const [key, need] of literals) {
      const entity = this.#call.entities.find(({ uid }) => keyOf(uid.type, uid.id) === key);
      if (entity !== undefined) this.#demand(entity.uid, key, need);
    }
    for (let key = this.#open.pop(); key !== undefined; key = this.#open.pop()) this.#send(this.#demands.get(key)!);
    for (const demand of this.#demands.values()) if (demand.sent !== undefined) sent.entities.push(demand.sent);
    return { key: JSON.stringify(sent), lasting: this.#lasting };
  }

  #root(uid: EntityUid, need: Need): EntityUid {
    const key = keyOf(uid.type, uid.id);
    if (isDereferenced(need)) this.#demand(uid, key, need);
    return this.#name(uid, key);
  }

  #name(uid: EntityUid, key: string): EntityUid {
    if (this.#using.footprint.named.has(key)) return uid;
    let name = this.#names.get(key);
    if (name === undefined) {
      name = { type: uid.type, id: `${this.#using.prefix}${this.#names.size}` };
      this.#names.set(key, name);
    }
    return name;
  }

  #demand(uid: EntityUid, key: string, need: Need): void {
    const before = this.#demands.get(key);
    if (before === undefined) {
      this.#demands.set(key, { uid, need, own: false, sent: undefined });
    } else {
      if (before.need === need) return;
      if (!before.own) {
        const sum: Need = {};
        addNeed(sum, before.need);
        before.need = sum;
        before.own = true;
      }
      // Entities may refer to each other in a circle: one that nothing new is asked of is done.
      if (!addNeed(before.need, need)) return;
    }
    if (!this.#open.includes(key)) this.#open.push(key);
  }

  #send(demand: Demand): void {
    const { uid, need } = demand;
    const entity = this.#call.entities.find((one) => one.uid.id === uid.id && one.uid.type === uid.type);
    if (entity === undefined) return;
    demand.sent = {
      uid: this.#name(uid, keyOf(uid.type, uid.id)),
      attrs: this.#fields(entity.attrs, need.fields),
      parents: this.#parents(entity, need),
      ...(entity.tags === undefined ? {} : { tags: this.#tags(entity.tags, need) }),
    };
  }

  #parents({ parents }: Entity, need: Need): EntityUid[] {
    const sent: EntityUid[] = [];
    for (const parent of parents) {
      const key = keyOf(parent.type, parent.id);
      if (need.anyAncestor || need.ancestors?.has(key)) sent.push(this.#name(parent, key));
    }
    return sent;
  }

  #tags(tags: NonNullable<Entity['tags']>, need: Need): unknown {
    return need.anyTag ? tags : this.#fields(tags, need.tags);
  }

  #context(context: AuthorizationCall['context'], need: Need): unknown {
    const sent: [string, unknown][] = [];
    for (const [name, part] of need.fields ?? []) {
      const value = context[name];
      if (value === undefined || !Object.hasOwn(context, name)) continue;
      const extension = extensions[name];
      sent.push([name, extension === undefined ? this.#value(value, part) : this.#extension(extension, value, part)]);
    }
    return Object.fromEntries(sent);
  }

  #fields(values: Readonly<Record<string, CedarValue>>, needs: ReadonlyMap<string, Need> | undefined): unknown {
    const sent: [string, unknown][] = [];
    for (const [name, need] of needs ?? []) {
      if (Object.hasOwn(values, name)) sent.push([name, this.#value(values[name]!, need)]);
    }
    // Not by assignment: an own member called __proto__ stays one.
    return Object.fromEntries(sent);
  }

  #value(value: CedarValue, need: Need): unknown {
    const uid = entityIn(value);
    if (uid !== null) return this.#reference(uid, need);
    if (typeof value === 'number' && !need.whole && need.cuts !== undefined) return this.#representative(value, need);
    if (typeof value !== 'object') return need.whole ? value : true;
    if (Array.isArray(value)) return this.#set(value as readonly CedarValue[], need);
    const record = value as Readonly<Record<string, CedarValue>>;
    if (need.whole)
      return Object.fromEntries(Object.entries(record).map(([name, part]) => [name, this.#value(part, WHOLE)]));
    return this.#fields(record, need.fields);
  }

  #reference(uid: EntityUid, need: Need): unknown {
    const dereferenced = isDereferenced(need);
    if (!need.whole && !need.type && !dereferenced) return true;
    const key = keyOf(uid.type, uid.id);
    if (dereferenced) this.#demand(uid, key, need);
    return { __entity: this.#name(uid, key) };
  }

  #set(values: readonly CedarValue[], need: Need): unknown {
    if (need.whole) return values.map((value) => this.#value(value, WHOLE));
    const { members } = need;
    if (members === undefined) return true;
    return values.filter((value) => members.has(memberKey(value) ?? '')).map((value) => this.#value(value, WHOLE));
  }

  #extension(fn: 'datetime' | 'ip', value: CedarValue, need: Need): unknown {
    const arg = String(value);
    if (fn === 'datetime' && !need.whole && need.cuts !== undefined) {
      const instant = new Date(this.#representative(Date.parse(arg), need)).toISOString();
      return { __extn: { fn, arg: instant } };
    }
    if (!need.whole) return true;
    if (fn === 'datetime') this.#lasting = false;
    return { __extn: { fn, arg } };
  }

  #representative(value: number, need: Need): number {
    let cuts = this.#using.cuts.get(need);
    if (cuts === undefined) {
      cuts = inOrder(need.cuts);
      this.#using.cuts.set(need, cuts);
    }
    return representative(value, cuts);
  }
}

/** The numbers that a place is compared with, in ascending order. */
export const inOrder = (cuts: Need['cuts']): readonly number[] => [...(cuts ?? [])].toSorted((a, b) => a - b);

/** The literal that the number equals, or one number of the open interval between two literals. */
export function representative(value: number, cuts: readonly number[]): number {
  let below: number | null = null;
  for (const cut of cuts) {
    if (value === cut) return cut;
    if (value < cut) return below === null ? cut - 1 : below + 1;
    below = cut;
  }
  return (below ?? 0) + 1;
}

const WHOLE: Need = { whole: true };

/** Something of the entity itself is needed: its attributes, tags or ancestors. */
function isDereferenced({ fields, tags, anyTag, ancestors, anyAncestor }: Need): boolean {
  return (
    fields !== undefined || tags !== undefined || anyTag === true || ancestors !== undefined || anyAncestor === true
  );
}

/** The groups of every action of a schema. */
export function groupsOf(schema: SchemaJson): ActionGroups {
  const direct = new Map<string, EntityUid[]>();
  for (const [namespace, { actions }] of Object.entries(schema)) {
    const type = namespace === '' ? 'Action' : `${namespace}::Action`;
    for (const [name, action] of Object.entries(actions)) {
      const parents = (action.memberOf ?? []).map(({ type: other, id }) => ({ type: other ?? type, id }));
      direct.set(keyOf(type, name), parents);
    }
  }
  return new Map([...direct.keys()].map((key) => [key, above(key, direct)]));
}

/** Each once, however many ways lead to it. */
function above(key: string, direct: ReadonlyMap<string, readonly EntityUid[]>): readonly EntityUid[] {
  const found = new Map<string, EntityUid>();
  const open = [...(direct.get(key) ?? [])];
  for (let group = open.pop(); group !== undefined; group = open.pop()) {
    const name = keyOf(group.type, group.id);
    if (found.has(name)) continue;
    found.set(name, group);
    open.push(...(direct.get(name) ?? []));
  }
  return [...found.values()];
}
