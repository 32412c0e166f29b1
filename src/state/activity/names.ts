import { workloadText } from './entry.ts';
import { BAD_CURSOR, type BadCursor, type LastUse, MAX_PAGE, type UsesPage } from './model.ts';

/** The name behind which a page of workloads begins; '' at the start. */
export function nameIn(cursor: string | null): string | BadCursor {
  if (cursor === null) return '';
  const name = Buffer.from(cursor, 'base64url').toString();
  const ours = name !== '' && cursor === cursorBehind(name) && name === workloadText(name);
  return ours ? name : BAD_CURSOR;
}

/** So many names are read for one page: one more than it shows. */
export const namesFor = (limit: number): number => pageLimit(limit) + 1;

/** The page of these names, as many as `namesFor` says; a use that is gone by now is left out. */
export function pageOfUses(names: readonly string[], uses: ReadonlyMap<string, LastUse>, limit: number): UsesPage {
  const shown = names.slice(0, pageLimit(limit));
  const last = shown.at(-1);
  const next = names.length > shown.length && last !== undefined ? cursorBehind(last) : null;
  return { items: shown.flatMap((name) => uses.get(name) ?? []), next, names: shown };
}

/** How many items a page holds for whoever asks for so many. */
export const pageLimit = (limit: number): number => Math.max(1, Math.min(Math.floor(limit) || 1, MAX_PAGE));

/** Where a list of uses goes on behind a workload. */
export const cursorBehind = (name: string): string => Buffer.from(name).toString('base64url');
