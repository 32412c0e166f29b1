import { footprintOf } from '../policy/decide/footprint.ts';
import type { Footprint, Need } from '../policy/decide/need.ts';
import type { Problem } from '../source/problem.ts';
import type { ReadPolicy } from './read-policies.ts';

/** What callers or the clock choose, so that new values keep coming; everything else is bounded by the inventory. */
const UNBOUNDED =
  /^(?:context\.(?:now|client|query|credentialAge|declared(?:\.id)?|task(?:\.(?:id|subject|secondsLeft))?|(?:headers|numbers)\.getTag\(.*\))|resource|resource\.(?:path|getTag\(.*\)))$/;

/**
 * Values that a policy makes part of what a verdict is remembered by, and of which there is no end: every new one costs an
 * evaluation. A number or an instant that is only compared with literals is no such value. For the notes of `policy check`.
 */
export function keyNotes(policies: readonly ReadPolicy[]): Problem[] {
  return policies.flatMap(({ json, remark }) => {
    const footprint = footprintOf(json);
    if (footprint === null) return [remark('it is evaluated in every check: its verdicts cannot be remembered')];
    const values = readWhole(footprint).filter((place) => UNBOUNDED.test(place));
    return values.length === 0 ? [] : [remark(`it is evaluated anew for each value of ${values.join(', ')}`)];
  });
}

/** The places of a call that are read whole, as Cedar writes them. */
function readWhole({ principal, resource, context }: Footprint): readonly string[] {
  return [...within('principal', principal), ...within('resource', resource), ...within('context', context)];
}

function within(path: string, { whole, fields, tags, anyTag }: Need): readonly string[] {
  return [
    ...(whole ? [path] : []),
    ...[...(fields ?? [])].flatMap(([name, need]) => within(`${path}.${name}`, need)),
    ...[...(tags ?? [])].flatMap(([name, need]) => within(`${path}.getTag(${JSON.stringify(name)})`, need)),
    ...(anyTag ? [`${path}.getTag(…)`] : []),
  ];
}
