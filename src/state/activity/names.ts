import { workloadText } from './entry.ts';
import { BAD_CURSOR, type BadCursor, type LastUse, type Page } from './model.ts';

/** The name behind which a page of workloads begins; '' at the start. */
export function nameIn(cursor: string | null): string | BadCursor {
  if (cursor === null) return '';
  const name = Buffer.from(cursor, 'base64url').toString();
  const ours = name !== '' && cursor === cursorOf(name) && name === workloadText(name);
  return ours ? name : BAD_CURSOR;
}

/** The page of these uses, of which one more was read than are shown. */
export function pageOfUses(read: readonly LastUse[], limit: number): Page<LastUse> {
  const items = read.slice(0, limit);
  const last = items.at(-1);
  return { items, next: read.length > limit && last !== undefined ? cursorOf(last.workload) : null };
}

const cursorOf = (name: string): string => Buffer.from(name).toString('base64url');
