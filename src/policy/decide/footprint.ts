import {
  addMembers,
  compare,
  computed,
  containsMember,
  either,
  field,
  Instant,
  isIn,
  isLiteral,
  isPlace,
  membersOf,
  nothing,
  partsOf,
  type Value,
  whole,
} from './abstract.ts';
import type { PolicyJson } from './engine.ts';
import { child, emptyFootprint, entityIn, type Footprint, keyOf, type Need } from './need.ts';

/** A node of an expression that this reading does not know: the call is sent whole. */
class Unknown extends Error {}

/**
 * What a policy can learn of a call, by walking its conditions over abstract values; null where it holds something that
 * is not understood. Over-approximates: a place that is read on one branch is read.
 */
export function footprintOf(policy: PolicyJson): Footprint | null {
  const reader = new Reader();
  try {
    reader.scope('principal', policy.principal);
    reader.scope('resource', policy.resource);
    reader.scope('action', policy.action);
    for (const { body } of policy.conditions) reader.read(body);
    // A context that is compared as a whole has no parts to leave out.
    return reader.footprint.context.whole ? null : reader.footprint;
  } catch (error) {
    if (error instanceof Unknown) return null;
    throw error;
  }
}

type Body = Readonly<Record<string, unknown>>;
type Scope = PolicyJson['principal'] | PolicyJson['action'] | PolicyJson['resource'];

class Reader {
  readonly footprint = emptyFootprint();
  /** Actions are sent as they are: nothing about them has to be kept. */
  readonly #action: Need = {};

  scope(variable: 'principal' | 'action' | 'resource', scope: Scope): void {
    const parts = scope as { op: string; entity?: unknown; entities?: unknown[]; in?: { entity?: unknown } };
    const left = this.#variable(variable);
    const uids = [parts.entity, parts.in?.entity, ...(parts.entities ?? [])].filter((uid) => uid !== undefined);
    const right = this.#set(uids.map((uid) => ({ Value: { __entity: uid } })));
    switch (parts.op) {
      case 'All':
        return;
      case '==':
        whole(left);
        whole(right);
        return;
      case 'in':
      case 'is':
        if (uids.length > 0) isIn(left, right);
        return;
      default:
        throw new Unknown();
    }
  }

  /** Reads a condition, or an operand whose value decides. */
  read(expression: unknown): void {
    whole(this.#value(expression));
  }

  #value(expression: unknown): Value {
    const [operator, body] = single(expression);
    const parts = body as Body;
    switch (operator) {
      case 'Value':
        return this.#literal(body);
      case 'Var':
        return this.#variable(String(body));
      case '.':
        return field(this.#value(parts.left), String(parts.attr));
      case 'has':
        return this.#has(this.#value(parts.left), [parts.attr].flat().map(String));
      case 'is':
        return this.#is(parts);
      case 'in':
        isIn(this.#value(parts.left), this.#value(parts.right));
        return computed;
      case '==':
      case '!=':
      case '<':
      case '<=':
      case '>':
      case '>=':
        compare(this.#value(parts.left), this.#value(parts.right));
        return computed;
      case 'contains':
        containsMember(this.#value(parts.left), this.#value(parts.right));
        return computed;
      case 'containsAny':
      case 'containsAll':
        this.#containsSome(operator, this.#value(parts.left), this.#value(parts.right));
        return computed;
      case 'hasTag':
      case 'getTag':
        return this.#tag(operator, this.#value(parts.left), this.#value(parts.right));
      case 'if-then-else':
        this.read(parts.if);
        return either(this.#value(parts.then), this.#value(parts.else));
      case 'Set':
        return this.#set(body as unknown[]);
      case 'Record':
        return {
          ...nothing,
          records: [new Map(Object.entries(parts).map(([name, part]) => [name, this.#value(part)]))],
        };
      case '&&':
      case '||':
      case '+':
      case '-':
      case '*':
        this.read(parts.left);
        this.read(parts.right);
        return computed;
      case '!':
      case 'neg':
      case 'isEmpty':
        this.read(parts.arg);
        return computed;
      case 'like':
        this.read(parts.left);
        return computed;
      default:
        return this.#extension(operator, body);
    }
  }

  #variable(name: string): Value {
    switch (name) {
      case 'principal':
      case 'resource':
      case 'context':
        return { ...nothing, places: [this.footprint[name]] };
      case 'action':
        return { ...nothing, places: [this.#action] };
      default:
        throw new Unknown();
    }
  }

  #literal(value: unknown): Value {
    const uid = entityIn(value);
    if (uid !== null) {
      return { ...nothing, places: [child(this.footprint.named, keyOf(uid.type, uid.id))], literals: [value] };
    }
    if (typeof value === 'object') throw new Unknown();
    return { ...nothing, literals: [value] };
  }

  #set(members: readonly unknown[]): Value {
    return { ...nothing, set: true, elements: members.map((member) => this.#value(member)) };
  }

  /** A call of a function: what it takes is read whole. A `datetime` literal is the instant that it names. */
  #extension(operator: string, body: unknown): Value {
    if (!Array.isArray(body)) throw new Unknown();
    const [argument] = body as [unknown];
    if (operator === 'datetime' && body.length === 1) {
      const [kind, text] = single(argument);
      const instant = kind === 'Value' && typeof text === 'string' ? instantOf(text) : null;
      if (instant !== null) return { ...nothing, literals: [new Instant(instant)] };
    }
    for (const one of body) this.read(one);
    return computed;
  }

  #has(start: Value, names: readonly string[]): Value {
    let value = start;
    for (const name of names) value = field(value, name);
    return computed;
  }

  #is(parts: Body): Value {
    const left = this.#value(parts.left);
    for (const place of left.places) place.type = true;
    if (parts.in !== undefined) isIn(left, this.#value(parts.in));
    return computed;
  }

  #tag(operator: 'hasTag' | 'getTag', left: Value, right: Value): Value {
    const name = right.literals[0];
    const literal = isLiteral(right) && right.literals.length === 1 && typeof name === 'string';
    if (!literal) {
      whole(right);
      for (const place of left.places) place.anyTag = true;
      return computed;
    }
    const found = left.places.map((place) => child(partsOf(place, 'tags'), name));
    return operator === 'hasTag' ? computed : { ...nothing, places: found };
  }

  /** A set of which it is only asked whether literals are in it is cut down to these. */
  #containsSome(operator: 'containsAny' | 'containsAll', left: Value, right: Value): void {
    const [leftLiterals, rightLiterals] = [membersOf(left), membersOf(right)];
    if (isPlace(left) && rightLiterals !== null) addMembers(left, rightLiterals);
    else if (operator === 'containsAny' && isPlace(right) && leftLiterals !== null) addMembers(right, leftLiterals);
    else {
      whole(left);
      whole(right);
    }
  }
}

/** The operator of an expression and what stands below it. */
function single(expression: unknown): readonly [string, unknown] {
  if (typeof expression !== 'object' || expression === null || Array.isArray(expression)) throw new Unknown();
  const [entry, ...more] = Object.entries(expression);
  if (entry === undefined || more.length > 0) throw new Unknown();
  return entry;
}

/** The last instant with a year of four digits. */
const LAST_INSTANT = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** The instant of a `datetime` literal in milliseconds since the epoch, for the forms in UTC; null for others. */
function instantOf(text: string): number | null {
  if (!/^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{3})?Z)?$/.test(text)) return null;
  const instant = Date.parse(text);
  return instant > 0 && instant < LAST_INSTANT ? instant : null;
}
