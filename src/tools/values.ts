import type { AuthorizationCall, CedarValue, Entity, EntityRef, EntityUid } from '../policy/decide/call.ts';
import type { Expression } from './bound.ts';
import { pathText, type ReadPath, readPath } from './paths.ts';

/** A value that a condition reads, as Cedar writes it; null where it is not there. */
export interface ReadValue {
  readonly path: string;
  readonly value: string | null;
}

/** Characters of one value that are shown. */
const MAX_SHOWN = 200;

/** What the attributes and tags that an expression reads are for this call, each once, in the order of the text. */
export function readValues(expression: Expression, call: AuthorizationCall): ReadValue[] {
  const found = new Map<string, string | null>();
  const walk = (part: unknown): void => {
    if (typeof part !== 'object' || part === null) return;
    const path = readPath(part);
    if (path === null) {
      for (const inner of Object.values(part)) walk(inner);
      return;
    }
    // A variable by itself is what the question is about.
    if (path.attributes.length === 0 && path.tag === null) return;
    const value = valueAt(path, call);
    const shown = value === undefined ? null : written(value);
    // That something is there says no more than the condition does.
    if (!path.presence || shown === null) found.set(pathText(path), shown);
  };
  walk(expression);
  return [...found].map(([path, value]) => ({ path, value }));
}

function valueAt({ variable, attributes, tag }: ReadPath, call: AuthorizationCall): CedarValue | undefined {
  let value: CedarValue | undefined = start(variable, call);
  for (const name of attributes) {
    const record: unknown = isRef(value) ? entityOf(value, call)?.attrs : value;
    if (typeof record !== 'object' || record === null || !Object.hasOwn(record, name)) return undefined;
    value = (record as Readonly<Record<string, CedarValue>>)[name];
  }
  if (tag === null) return value;
  const tags = isRef(value) ? entityOf(value, call)?.tags : undefined;
  return tags !== undefined && Object.hasOwn(tags, tag) ? tags[tag] : undefined;
}

function start(variable: string, { principal, action, resource, context }: AuthorizationCall): CedarValue | undefined {
  const uids: Readonly<Record<string, EntityUid | undefined>> = { principal, action, resource };
  const uid = uids[variable];
  if (uid !== undefined) return { __entity: uid };
  return variable === 'context' ? context : undefined;
}

function isRef(value: unknown): value is EntityRef {
  return typeof value === 'object' && value !== null && '__entity' in value;
}

function entityOf({ __entity: { type, id } }: EntityRef, { entities }: AuthorizationCall): Entity | undefined {
  return entities.find(({ uid }) => uid.type === type && uid.id === id);
}

function written(value: CedarValue): string {
  const text = asCedar(value);
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`;
}

function asCedar(value: CedarValue): string {
  if (typeof value !== 'object') return JSON.stringify(value);
  if (isRef(value)) return `${value.__entity.type}::${JSON.stringify(value.__entity.id)}`;
  if (Array.isArray(value)) return `[${value.map(asCedar).join(', ')}]`;
  const members = Object.entries(value).map(([name, member]) => `${name}: ${asCedar(member as CedarValue)}`);
  return `{ ${members.join(', ')} }`;
}
