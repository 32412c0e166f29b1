import { Fault } from '../../base/fault.ts';
import type { DecisionPlaces, KeptSince, ListPlace } from './model.ts';
import type { DecisionLists, Kept, Source } from './paging.ts';

/** How many entries of a list are read at first, since there is often hardly one, and then at once; and of it by one call. */
const [FEW, CHUNK, MOST] = [8, 100, 1000];

interface ReadSince {
  readonly kept: readonly Kept[];
  readonly newest: ListPlace | null;
  readonly isWhole: boolean;
}

/** What both lists have behind these places. Null: nothing yet, but where to go on from. Never rejects. */
export async function keptSince(sources: DecisionLists, places: DecisionPlaces | null): Promise<KeptSince | Fault> {
  const deny = await readSince(sources.deny, places?.deny);
  if (deny instanceof Fault) return deny;
  const allow = await readSince(sources.allow, places?.allow);
  if (allow instanceof Fault) return allow;
  const kept = [...deny.kept, ...allow.kept].sort(({ place: one }, { place: other }) =>
    isBehind(one, other) ? 1 : -1,
  );
  return {
    items: kept.flatMap(({ summary }) => summary ?? []),
    places: { deny: deny.newest, allow: allow.newest },
    isWhole: deny.isWhole && allow.isWhole,
  };
}

/** `place`: null where the list was empty, undefined where it was not looked at. */
async function readSince(source: Source, place: ListPlace | null | undefined): Promise<ReadSince | Fault> {
  const kept: Kept[] = [];
  for (;;) {
    const count = place === undefined ? 1 : kept.length === 0 ? FEW : CHUNK;
    const read = await source.read(kept.at(-1)?.place ?? null, count);
    if (read instanceof Fault) return read;
    if (place === undefined) return { kept: [], newest: read[0]?.place ?? null, isWhole: true };
    const fresh = place === null ? read : read.filter((entry) => isBehind(entry.place, place));
    kept.push(...fresh);
    const newest = kept[0]?.place ?? place;
    if (fresh.length < read.length) return { kept, newest, isWhole: true };
    // What stood at the place is gone, and so may be what came after it.
    if (read.length < count) return { kept, newest, isWhole: place === null };
    if (kept.length >= MOST) return { kept, newest, isWhole: false };
  }
}

const isBehind = ([a, b]: ListPlace, [c, d]: ListPlace): boolean => (a === c ? b > d : a > c);
