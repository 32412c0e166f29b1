import { atOnce, type Steps } from '../../base/slices.ts';
import type { Evidence, Revocation } from '../revocation.ts';
import { hits, type RevocationListing } from '../revocations.ts';
import { ColumnsBuilder, STEP } from './revocation-columns.ts';
import { RevocationRows, RowsById } from './revocation-rows.ts';

/** What changed between two sets, by the ids of the revocations. */
export interface RevocationChange {
  readonly added: readonly string[];
  /** The same subject, for a longer or shorter time, or other credentials. */
  readonly changed: readonly string[];
  /** Gone before their end. */
  readonly lifted: readonly string[];
}

/** A set of revocations, by what they name. Immutable. */
export class RevocationSet implements RevocationListing {
  readonly #rows: RevocationRows;

  constructor(all: RevocationRows | Iterable<Revocation> = []) {
    this.#rows = all instanceof RevocationRows ? all : atOnce(rowsOf(all));
  }

  /** Whether no request can be hit, so that nobody needs to list what it rests on. */
  get empty(): boolean {
    return this.#rows.size === 0;
  }

  /** All of them, one after the other: there may be a hundred thousand. */
  *values(): Generator<Revocation, void> {
    for (let row = 0; row < this.#rows.size; row++) yield this.#rows.at(row);
  }

  get(id: string): Revocation | null {
    const row = this.#rows.rowOf(id);
    return row === -1 ? null : this.#rows.at(row);
  }

  /**
   * A revocation that hits something of what a request rests on; null: none does. Where the time of issue is not known,
   * every one hits. `nowMs` in milliseconds since the epoch.
   */
  find(evidence: readonly Evidence[], nowMs: number): Revocation | null {
    const rows = this.#rows;
    for (const { subjects, issuedAt } of evidence)
      for (const { text } of subjects) {
        const row = rows.decisive(text, nowMs);
        if (row !== -1 && hits(rows.timesOf(row), issuedAt, nowMs)) return rows.at(row);
      }
    return null;
  }

  /** Both sets, in steps: nothing that either refuses is let pass. */
  *with(newer: RevocationSet): Steps<RevocationSet> {
    const both = new ColumnsBuilder();
    const places = new RowsById(both);
    for (const rows of [this.#rows, newer.#rows]) {
      for (let row = 0; row < rows.size; row++) {
        const same = places.find(rows.id(row), rows.subject(row));
        if (same === null) places.add(both.add(rows.at(row)));
        else both.tighten(same, rows.at(row));
        if (row % STEP === 0) yield;
      }
    }
    return new RevocationSet(yield* RevocationRows.of(yield* both.table()));
  }

  /** What is different from an older set, in steps. What has ended by `nowMs` is not lifted. */
  *since(older: RevocationSet, nowMs: number): Steps<RevocationChange> {
    const [before, now] = [older.#rows, this.#rows];
    const found = { added: [] as string[], changed: [] as string[], lifted: [] as string[] };
    const earlier = new RowsById(before);
    for (let row = 0; row < before.size; row++) {
      earlier.add(row);
      if (row % STEP === 0) yield;
    }
    const kept = new Uint8Array(before.size);
    for (let row = 0; row < now.size; row++) {
      const was = earlier.find(now.id(row), now.subject(row));
      if (was === null) found.added.push(now.id(row));
      else {
        kept[was] = 1;
        if (before.untilMs(was) !== now.untilMs(row) || before.issuedUpToMs(was) !== now.issuedUpToMs(row))
          found.changed.push(now.id(row));
      }
      if (row % STEP === 0) yield;
    }
    for (let row = 0; row < before.size; row++) {
      const gone = kept[row] === 0 && earlier.find(before.id(row), before.subject(row)) === row;
      if (gone && nowMs < before.untilMs(row)) found.lifted.push(before.id(row));
      if (row % STEP === 0) yield;
    }
    return found;
  }

  /** How many have not ended. `nowMs` in milliseconds since the epoch. */
  inForce(nowMs: number): number {
    let count = 0;
    for (let row = 0; row < this.#rows.size; row++) if (nowMs < this.#rows.untilMs(row)) count++;
    return count;
  }
}

function* rowsOf(all: Iterable<Revocation>): Steps<RevocationRows> {
  const rows = new ColumnsBuilder();
  for (const revocation of all) rows.add(revocation);
  return yield* RevocationRows.of(yield* rows.table());
}
