/** An entity's name as Cedar's JSON form has it: matched exactly, never spliced into policy text. */
export interface EntityUid {
  readonly type: string;
  readonly id: string;
}

export interface EntityRef {
  readonly __entity: EntityUid;
}

export type CedarValue =
  | boolean
  | number
  | string
  | EntityRef
  | readonly CedarValue[]
  | { readonly [name: string]: CedarValue };

export interface Entity {
  readonly uid: EntityUid;
  readonly attrs: { readonly [name: string]: CedarValue };
  readonly parents: readonly EntityUid[];
  readonly tags?: { readonly [name: string]: CedarValue };
}

/** One question in Cedar's own terms: what a call of `statefulIsAuthorized` takes besides schema and policies. */
export interface AuthorizationCall {
  readonly principal: EntityUid;
  readonly action: EntityUid;
  readonly resource: EntityUid;
  readonly context: { readonly [name: string]: CedarValue };
  readonly entities: readonly Entity[];
}

/** Depth beyond which no value is handed to Cedar: its JSON reader throws at 126, and each throw leaks Wasm stack. */
const MAX_DEPTH = 64;
/** In UTF-16 units; what Envoy lets through in one header is smaller. */
const MAX_STRING = 65_536;
/** Values in one call, entities and their parts included. */
const MAX_VALUES = 20_000;

/**
 * Why a call cannot be represented in Cedar, or null. Cedar takes 64-bit integers but JavaScript holds only 2^53 - 1
 * exactly; a lone surrogate, deep nesting, a BigInt or a hole make cedar-wasm throw, which leaks its stack until the
 * instance is dead. So each of them is found here first, and nothing is rounded or dropped.
 */
export function unrepresentable(call: AuthorizationCall): string | null {
  const budget = { left: MAX_VALUES };
  return faultIn(call, 'call', 0, budget);
}

function faultIn(value: unknown, where: string, depth: number, budget: { left: number }): string | null {
  if (--budget.left < 0) return `more than ${MAX_VALUES} values`;
  switch (typeof value) {
    case 'boolean':
      return null;
    case 'string':
      return stringFault(value, where);
    case 'number':
      return Number.isSafeInteger(value) ? null : `${where} is not an integer that is held exactly`;
    case 'object':
      return value === null ? `${where} is null` : partsFault(value, where, depth, budget);
    default:
      return `${where} is of type ${typeof value}`;
  }
}

function partsFault(value: object, where: string, depth: number, budget: { left: number }): string | null {
  if (depth >= MAX_DEPTH) return `${where} is nested deeper than ${MAX_DEPTH} levels`;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const fault = faultIn(value[i], where, depth + 1, budget);
      if (fault !== null) return fault;
    }
    return null;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return `${where} is not a plain record`;
  for (const name of Object.keys(value)) {
    const nameFault = stringFault(name, `a name in ${where}`);
    if (nameFault !== null) return nameFault;
    const fault = faultIn((value as Record<string, unknown>)[name], depth < 2 ? name : where, depth + 1, budget);
    if (fault !== null) return fault;
  }
  return null;
}

function stringFault(value: string, where: string): string | null {
  if (value.length > MAX_STRING) return `${where} is longer than ${MAX_STRING} characters`;
  return value.isWellFormed() ? null : `${where} holds a lone surrogate`;
}
