import { footprintOf } from '../policy/decide/footprint.ts';
import { unboundedPlaces } from '../policy/decide/unbounded.ts';
import type { Problem } from '../source/problem.ts';
import type { ReadPolicy } from './read-policies.ts';

/**
 * Values that a policy makes part of what a verdict is remembered by, and of which there is no end: every new one costs an
 * evaluation. A number or an instant that is only compared with literals is no such value. For the notes of `policy check`.
 */
export function keyNotes(policies: readonly ReadPolicy[]): Problem[] {
  return policies.flatMap(({ json, remark }) => {
    const footprint = footprintOf(json);
    if (footprint === null) return [remark('it is evaluated in every check: its verdicts cannot be remembered')];
    const values = unboundedPlaces(footprint);
    return values.length === 0 ? [] : [remark(`it is evaluated anew for each value of ${values.join(', ')}`)];
  });
}
