import { type Touched, UNTOUCHED } from '../../state/bounded/touched.ts';
import type { CedarValue, EntityUid } from './call.ts';
import { type Footprint, keyOf, type Need } from './need.ts';

/** What was opened before a request, with apis by name. */
export interface TouchedFacts {
  /** By the workloads of the chain, over the window, and by the task. */
  readonly chain: Touched;
  /** By the root of the task, and all below it. */
  readonly task: Touched;
}

/** Nothing was opened. */
export const NOTHING_TOUCHED: TouchedFacts = Object.freeze({ chain: UNTOUCHED, task: UNTOUCHED });

/** Which policies of a snapshot can learn anything of it. */
export interface TouchedNeed {
  /**
   * `never`: none. `lazily`: those that read it fail to evaluate where it was not read, so that whatever Cedar answers without a
   * failure holds. `always`: some policy could take what was not read for a value.
   */
  readonly read: 'never' | 'lazily' | 'always';
  /** Whether the apis are read, and not the sensitivity alone. */
  readonly apis: boolean;
}

/** `footprint`: of all policies of a snapshot; null where one is not understood. */
export function touchedNeed(footprint: Footprint | null): TouchedNeed {
  if (footprint === null) return { read: 'always', apis: true };
  const fields = footprint.context.fields;
  const task = fields?.get('task');
  const needs = [fields?.get('touched'), task?.fields?.get('touched')].filter((need) => need !== undefined);
  const whole = task?.whole === true || needs.some((need) => need.whole);
  if (whole) return { read: 'always', apis: true };
  return { read: needs.length === 0 ? 'never' : 'lazily', apis: needs.some((need) => need.fields?.has('apis')) };
}

/** What stands in a call for what was not read: there for `has`, and an error for whoever looks into it. */
const UNREAD = true;

/** Whether a call was made without what was opened before. */
export const isUnread = (context: { readonly [name: string]: CedarValue }): boolean => context.touched === UNREAD;

/**
 * The value of `touched`. Of somebody who may have opened everything, every api that a policy names is in it, those of this request,
 * and one that has no name, so that the set is not empty.
 */
export function touchedRecord(
  touched: Touched | null,
  own: readonly string[],
  named: ReadonlyMap<string, ReadonlySet<string>>,
): CedarValue {
  if (touched === null) return UNREAD;
  const apis = touched.apis === 'all' ? new Set(['*', ...own, ...(named.get('Mesh::Api') ?? [])]) : touched.apis;
  return { sensitivity: touched.sensitivity, apis: [...apis].sort().map((id) => ({ __entity: apiUid(id) })) };
}

const apiUid = (id: string): EntityUid => ({ type: 'Mesh::Api', id });

/** The part of the key of a verdict that is made of it, by what policies need; of the apis those that they ask for. */
export function touchedKey(
  need: Need | undefined,
  numberPart: (need: Need | undefined) => (value: number | null) => string,
): (touched: Touched | null) => string {
  if (need === undefined) return () => '';
  const level = numberPart(need.whole ? { whole: true } : need.fields?.get('sensitivity'));
  const apis = need.whole ? { whole: true } : need.fields?.get('apis');
  const members = apis?.whole ? undefined : apis?.members;
  return (touched) => {
    if (touched === null) return 'unread ';
    const key = level(touched.sensitivity);
    if (apis === undefined) return key;
    if (touched.apis === 'all') return `${key}all `;
    const asked = [...touched.apis].filter((id) => members?.has(keyOf('Mesh::Api', id)) !== false);
    return `${key}${JSON.stringify(asked.toSorted())} `;
  };
}
