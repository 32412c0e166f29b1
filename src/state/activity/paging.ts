import { Fault } from '../../base/fault.ts';
import type { Soon } from '../../base/soon.ts';
import { workloadText } from './entry.ts';
import {
  BAD_CURSOR,
  type BadCursor,
  type DecisionFilter,
  type DecisionSummary,
  type ListPlace,
  type Page,
} from './model.ts';
import { pageLimit } from './names.ts';

/** One entry of a list; null where it cannot be read. */
export interface Kept {
  readonly place: ListPlace;
  readonly summary: DecisionSummary | null;
}

/** One list of kept decisions. */
export interface Source {
  /** At most `count` entries before this place (null: the newest), the newest first; fewer only where it has no more. */
  read(before: ListPlace | null, count: number): Soon<readonly Kept[] | Fault>;
}

/** The lists that are shown as one. */
export type DecisionLists = Readonly<Record<DecisionSummary['result'], Source>>;

/** How many entries one call looks at, and how many it reads at once. */
export const MAX_LOOKED_AT = 1000;
const CHUNK = 200;

/** One page of the lists together, the newest first. Looks at `MAX_LOOKED_AT` entries at most. Never rejects. */
export async function pageOf(
  sources: DecisionLists,
  filter: DecisionFilter,
  limit: number,
  cursor: string | null,
): Promise<Page<DecisionSummary> | BadCursor | Fault> {
  const from = cursor === null ? null : readCursor(cursor);
  if (from === BAD_CURSOR) return BAD_CURSOR;
  const most = pageLimit(limit);
  const wanted = matcher(filter);
  // Without a filter every entry that is read is shown.
  const chunk = wanted === null ? Math.min(CHUNK, most + 1) : CHUNK;
  const kinds = filter.result ? [filter.result] : (['deny', 'allow'] as const);
  const lists = kinds.map((kind) => new Reading(kind, sources[kind], from?.[kind] ?? null, chunk));
  const items: DecisionSummary[] = [];
  for (let looked = 0; ; looked++) {
    for (const list of lists) {
      const fault = await list.fill();
      if (fault !== null) return fault;
    }
    const newest = lists.reduce((one, other) => (other.isNewerThan(one) ? other : one));
    if (newest.head === undefined) return { items, next: null };
    if (items.length >= most || looked >= MAX_LOOKED_AT) return { items, next: cursorOf(lists) };
    const { summary } = newest.take();
    if (summary !== null && (wanted === null || wanted(summary))) items.push(summary);
  }
}

/** One list, read chunk by chunk. */
class Reading {
  readonly kind: DecisionSummary['result'];
  readonly #source: Source;
  readonly #chunk: number;
  /** The last entry that was taken, or where the page began. */
  before: ListPlace | null;
  #read: readonly Kept[] = [];
  #at = 0;
  #ended = false;

  constructor(kind: DecisionSummary['result'], source: Source, before: ListPlace | null, chunk: number) {
    this.kind = kind;
    this.#source = source;
    this.before = before;
    this.#chunk = chunk;
  }

  get head(): Kept | undefined {
    return this.#read[this.#at];
  }

  /** Reads on where everything was taken. */
  async fill(): Promise<Fault | null> {
    if (this.#ended || this.head !== undefined) return null;
    const read = await this.#source.read(this.before, this.#chunk);
    if (read instanceof Fault) return read;
    this.#read = read;
    this.#at = 0;
    this.#ended = read.length < this.#chunk;
    return null;
  }

  take(): Kept {
    const head = this.#read[this.#at++]!;
    this.before = head.place;
    return head;
  }

  isNewerThan({ head }: Reading): boolean {
    if (this.head === undefined || head === undefined) return this.head !== undefined;
    const [[a, b], [c, d]] = [this.head.place, head.place];
    return a === c ? b > d : a > c;
  }
}

/** What a decision must be to be listed; null: anything. */
function matcher(filter: DecisionFilter): ((summary: DecisionSummary) => boolean) | null {
  const { workload = null, reason = null, sinceMs = null } = filter;
  if (workload === null && reason === null && sinceMs === null) return null;
  const caller = workload === null ? null : workloadText(workload);
  return (summary) =>
    (caller === null || summary.caller === caller) &&
    (reason === null || summary.reason === reason) &&
    (sinceMs === null || summary.timeMs >= sinceMs);
}

type Bounds = { readonly [K in DecisionSummary['result']]: ListPlace | null };

const CURSOR = /^(?:(\d{1,15})-(\d{1,15}))?\.(?:(\d{1,15})-(\d{1,15}))?$/;

function cursorOf(lists: readonly Reading[]): string {
  const of = (kind: DecisionSummary['result']) => lists.find((list) => list.kind === kind)?.before?.join('-') ?? '';
  return `${of('deny')}.${of('allow')}`;
}

function readCursor(text: string): Bounds | BadCursor {
  const found = CURSOR.exec(text);
  if (found === null) return BAD_CURSOR;
  const place = (a: string | undefined, b: string | undefined): ListPlace | null =>
    a === undefined || b === undefined ? null : [Number(a), Number(b)];
  return { deny: place(found[1], found[2]), allow: place(found[3], found[4]) };
}
