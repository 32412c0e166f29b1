import type { Footprint, Need } from './need.ts';

/** What callers or the clock choose, so that new values keep coming; everything else is bounded by the inventory. */
const UNBOUNDED =
  /^(?:context\.(?:now|client|query|credentialAge|declared(?:\.id)?|task(?:\.(?:id|subject|secondsLeft))?|(?:headers|numbers)\.getTag\(.*\))|resource|resource\.(?:path|getTag\(.*\)))$/;

/** The places of a call that are read whole and of whose values there is no end, as Cedar writes them. */
export function unboundedPlaces({ principal, resource, context }: Footprint): readonly string[] {
  const read = [...within('principal', principal), ...within('resource', resource), ...within('context', context)];
  return read.filter((place) => UNBOUNDED.test(place));
}

function within(path: string, { whole, fields, tags, anyTag }: Need): readonly string[] {
  return [
    ...(whole ? [path] : []),
    ...[...(fields ?? [])].flatMap(([name, need]) => within(`${path}.${name}`, need)),
    ...[...(tags ?? [])].flatMap(([name, need]) => within(`${path}.getTag(${JSON.stringify(name)})`, need)),
    ...(anyTag ? [`${path}.getTag(…)`] : []),
  ];
}
