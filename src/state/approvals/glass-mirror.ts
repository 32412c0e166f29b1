import type { KeyObject } from 'node:crypto';
import type { Held } from '../store-mirror.ts';
import type { ApprovalRequest, BrokenGlass, GlassUse, Review } from './book.ts';
import { GlassTable, glassKeptUntil, NEVER_MS } from './break-glass.ts';
import {
  beginningField,
  type GlassRecord,
  glassField,
  glassRecord,
  readGlassRecord,
  readReviewMark,
} from './glass-record.ts';

/** The texts that a store has, or is to have, of one break-glass. */
interface StoredGlass {
  readonly field: string;
  readonly record: string;
  readonly mark: string;
}

interface KnownGlass extends StoredGlass {
  readonly keptUntilMs: number;
  readonly seenIn: number;
}

/** What a store holds of break-glass. */
export interface ReadGlass {
  readonly said: GlassRecord;
  readonly record: string;
  readonly review: Review | null;
  readonly mark: string;
  /** Whether a mark was there that says nothing which is believed. */
  readonly isForged: boolean;
}

/**
 * The break-glass of a store, as far as it was seen. Only what a trusted key signed counts, both of uses and of reviews; what
 * waits for a review is never forgotten, whatever the store has later.
 */
export class GlassMirror {
  readonly #namespace: string;
  readonly #keys: () => readonly KeyObject[];
  readonly table = new GlassTable();
  readonly #known = new Map<string, KnownGlass>();

  constructor(namespace: string, keys: () => readonly KeyObject[]) {
    this.#namespace = namespace;
    this.#keys = keys;
  }

  /** Null: it is none. Never rejects. */
  async read({
    record,
    mark,
  }: {
    readonly record: string;
    readonly mark: Held['mark'];
  }): Promise<ReadGlass | 'rejected' | null> {
    const keys = this.#keys();
    const said = await readGlassRecord(this.#namespace, record, keys);
    if (said === null || said === 'rejected') return said;
    const review =
      mark === null || said.kind === 'begun' ? null : await readReviewMark(this.#namespace, record, mark, keys);
    if (review === null || review === 'rejected')
      return { said, record, review: null, mark: '', isForged: mark !== null && said.kind === 'broken' };
    return { said, record, review, mark: mark!, isForged: false };
  }

  /** Takes what was read in a pass; gives whether it is new. `lost`: gets what the store lacks of it. */
  apply({ said, record, review, mark }: ReadGlass, pass: number, lost: StoredGlass[]): boolean {
    if (said.kind === 'begun') {
      const { beginning } = said;
      const field = beginningField(beginning.by);
      const isNew = !this.#known.has(field);
      this.#known.set(field, { field, record, mark: '', keptUntilMs: NEVER_MS, seenIn: pass });
      this.table.begin(beginning);
      return isNew;
    }
    const field = glassField(said.asked.id);
    const isNew = this.know(record, said.asked, said.use);
    const known = this.#known.get(field)!;
    // What else was signed for this request was judged by a store that somebody put back.
    if (known.record !== record) return false;
    this.#known.set(field, { ...known, seenIn: pass });
    if (mark === known.mark) return isNew;
    if (review === null || !isEarlier(mark, known.mark)) {
      lost.push(this.#known.get(field)!);
      return isNew;
    }
    this.#known.set(field, { ...known, mark, keptUntilMs: glassKeptUntil(review), seenIn: pass });
    this.table.set({ asked: said.asked, use: said.use, review });
    return true;
  }

  /** Takes a use that a mark tells of: whoever deletes the record of it does not make it unknown. */
  learn(request: string, asked: ApprovalRequest, use: GlassUse): void {
    this.know(glassRecord(request, use), asked, use);
  }

  know(record: string, asked: ApprovalRequest, use: GlassUse): boolean {
    const field = glassField(asked.id);
    if (this.#known.has(field)) return false;
    this.#known.set(field, { field, record, mark: '', keptUntilMs: NEVER_MS, seenIn: -1 });
    this.table.set({ asked, use, review: null });
    return true;
  }

  /** The record of a use as the store is to have it. */
  recordOf({ asked }: BrokenGlass): string {
    return this.#known.get(glassField(asked.id))!.record;
  }

  /** What a full read did not find. */
  unseen(pass: number, nowMs: number): readonly StoredGlass[] {
    return [...this.#known.values()].filter((known) => known.seenIn !== pass && known.keptUntilMs > nowMs);
  }

  dropEnded(beforeMs: number): void {
    for (const [field, { keptUntilMs }] of this.#known) if (keptUntilMs <= beforeMs) this.#known.delete(field);
    this.table.dropOver(beforeMs);
  }
}

/** Of two reviews the first one counts, and every process takes the same for it. */
function isEarlier(mark: string, known: string): boolean {
  return known === '' || mark < known;
}
