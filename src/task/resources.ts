import * as z from 'zod';
import { isJsonObject, type JsonObject, type JsonValue } from '../base/strict-json.ts';
import type { Resource } from '../inventory/model.ts';
import { claimAt } from '../token/jws-claims.ts';
import { TokenFault } from '../token/jws-fault.ts';

/** One thing that a task is about: an api, and the values of parameters of its path, decoded. */
export interface TaskResource {
  /** `host/name`. */
  readonly api: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** What an entry of `authorization_details` (RFC 9396 section 2) of one type means here. */
export interface DetailsType {
  readonly type: string;
  readonly api: string;
  /** For each parameter of the api's path, the field of the entry that has its value. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Fields that limit nothing. */
  readonly ignore: readonly string[];
}

/** Where the tokens of an issuer say what a task is about. */
export interface ResourcesClaim {
  readonly claim: readonly string[];
  /** Of entries as in `authorization_details`, the types that are known; null: an entry has `api` and `parameters`. */
  readonly types: readonly DetailsType[] | null;
}

export const MAX_RESOURCES = 16;
const MAX_PARAMETERS = 16;
const MAX_TEXT = 256;

const text = z.string().min(1).max(MAX_TEXT);

const parameters = z
  // A record passes over this name without a word, and what limits a task must not get lost.
  .custom<object>((given) => !Object.hasOwn(Object(given), '__proto__'), 'no parameter is __proto__')
  .pipe(z.record(text, z.string().max(MAX_TEXT)))
  .refine((given) => Object.keys(given).length <= MAX_PARAMETERS, `more than ${MAX_PARAMETERS} parameters`);

/** A resource as it is written in tokens, orders and policy tests. */
export const resourceSchema = z.strictObject({ api: text, parameters: parameters.default({}) });

/**
 * What a verified token says that its task is about; null where it says nothing of that. An entry that is not understood (another
 * type, a field or a member that is not known, a value that is missing or no text) covers nothing, so it is left out, and of such
 * entries alone the list is empty: it covers nothing at all. `malformed`: the claim is no list, or holds more than 16 entries.
 */
export function readTaskResources(
  claims: JsonObject,
  from: ResourcesClaim | null,
): readonly TaskResource[] | null | TokenFault {
  const value = from === null ? undefined : claimAt(claims, from.claim);
  if (from === null || value === undefined) return null;
  const name = from.claim.join('/');
  if (!Array.isArray(value)) return new TokenFault('malformed', `${name} is no list`);
  if (value.length > MAX_RESOURCES)
    return new TokenFault('malformed', `${name} has more than ${MAX_RESOURCES} entries`);
  const { types } = from;
  const read = (entry: JsonValue) => resourceSchema.safeParse(types === null ? entry : byType(entry, types));
  return Object.freeze(value.flatMap((entry: JsonValue) => read(entry).data ?? []));
}

/** An entry of `authorization_details` as a resource; null where any of it is not understood. */
function byType(entry: JsonValue, types: readonly DetailsType[]): object | null {
  if (!isJsonObject(entry)) return null;
  const known = types.find(({ type }) => type === entry.type);
  if (known === undefined) return null;
  const fields = new Set(['type', ...Object.values(known.parameters), ...known.ignore]);
  if (Object.keys(entry).some((name) => !fields.has(name))) return null;
  const values = Object.entries(known.parameters).map(([name, field]) => [name, textOf(entry[field])]);
  return { api: known.api, parameters: Object.fromEntries(values) };
}

/** A whole number is its digits. */
const textOf = (value: JsonValue | undefined): JsonValue | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? String(value) : value;

/**
 * Whether what a task is about covers a resource: it lies in one of the apis, or in an api below, and each parameter that is
 * named has this very value in that api's own path. null: the task names nothing.
 */
export function coversResource(
  resources: readonly TaskResource[] | null,
  { apis, templates, path }: Pick<Resource, 'apis' | 'templates' | 'path'>,
): boolean | null {
  if (resources === null) return null;
  const segments = path.slice(1).split('/');
  return resources.some(({ api, parameters }) => {
    const own = templates[apis.indexOf(api)]?.segments;
    if (own === undefined) return false;
    return Object.entries(parameters).every(([name, value]) => {
      const at = own.findIndex((segment) => 'param' in segment && segment.param === name);
      return at !== -1 && segments[at] === value;
    });
  });
}

/**
 * What two tokens of one task are about together: both cover it. Of one that says nothing, the other says all. Entries of one api
 * count as one with the parameters of both; those of different apis have nothing in common. null: neither says anything;
 * `too many`: more than a task may be about.
 */
export function commonResources(
  a: readonly TaskResource[] | null,
  b: readonly TaskResource[] | null,
): readonly TaskResource[] | null | 'too many' {
  if (a === null || b === null) return a ?? b;
  const common = new Map<string, TaskResource>();
  for (const one of a) {
    for (const other of b) {
      const both = one.api === other.api ? together(one, other) : null;
      if (both !== null) common.set(JSON.stringify(both.parameters) + both.api, both);
      if (common.size > MAX_RESOURCES) return 'too many';
    }
  }
  return Object.freeze([...common.values()]);
}

function together({ api, parameters: a }: TaskResource, { parameters: b }: TaskResource): TaskResource | null {
  const differ = Object.entries(a).some(([name, value]) => Object.hasOwn(b, name) && b[name] !== value);
  if (differ) return null;
  const entries = Object.entries({ ...a, ...b }).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return { api, parameters: Object.fromEntries(entries) };
}
