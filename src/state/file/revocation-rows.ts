import type { Steps } from '../../base/slices.ts';
import { textAt } from '../../inventory/table/sorted-texts.ts';
import { bucketHash, HashChains } from '../hash-chains.ts';
import { kindOf, type Revocation } from '../revocation.ts';
import { type NamedRows, type RevocationColumns, STEP } from './revocation-columns.ts';
import { addToFront, decisiveRow, type TimesOfRows } from './revocation-front.ts';

/**
 * The revocations of a table, found by their subject with one look into a Map. A hundred thousand of them take less than
 * 20 MB, most of it for the texts of their subjects.
 */
export class RevocationRows implements NamedRows, TimesOfRows {
  readonly #table: Omit<RevocationColumns, 'subjects'>;
  readonly #subjects: readonly string[];
  /** The row of each subject; of several, those that decide anything. */
  readonly #of = new Map<string, number | number[]>();

  /** The first row of each id. */
  readonly #byId = new HashChains();

  private constructor(table: Omit<RevocationColumns, 'subjects'>, subjects: readonly string[]) {
    this.#table = table;
    this.#subjects = subjects;
  }

  static *of({ subjects: packed, ...table }: RevocationColumns): Steps<RevocationRows> {
    const subjects = new Array<string>(packed.ends.length);
    const rows = new RevocationRows(table, subjects);
    for (let row = 0; row < subjects.length; row++) {
      const subject = textAt(packed, row);
      const known = rows.#of.get(subject);
      if (known === undefined) {
        subjects[row] = subject;
        rows.#of.set(subject, row);
      } else {
        const front = typeof known === 'number' ? [known] : known;
        subjects[row] = subjects[front[0]!]!;
        addToFront(front, row, rows);
        rows.#of.set(subject, front);
      }
      const id = rows.id(row);
      if (rows.rowOf(id) === -1) rows.#byId.add(bucketHash(id), row);
      if (row % STEP === 0) yield;
    }
    return rows;
  }

  get size(): number {
    return this.#subjects.length;
  }

  /** The revocation in a row. */
  at(row: number): Revocation {
    const { texts, reasons, by } = this.#table;
    const subject = this.subject(row);
    return {
      id: this.id(row),
      kind: kindOf(subject),
      subject,
      ...this.timesOf(row),
      reason: textAt(texts, reasons[row]!),
      by: textAt(texts, by[row]!),
    };
  }

  id(row: number): string {
    return textAt(this.#table.ids, row);
  }

  /** The first row of an id; -1 where there is none. */
  rowOf(id: string): number {
    const hash = bucketHash(id);
    let row = this.#byId.after(hash);
    while (row !== -1 && this.id(row) !== id) row = this.#byId.after(hash, row);
    return row;
  }

  subject(row: number): string {
    return this.#subjects[row]!;
  }

  timesOf(row: number): Pick<Revocation, 'untilMs' | 'issuedUpToMs'> {
    const issuedUpToMs = this.issuedUpToMs(row);
    return {
      untilMs: this.untilMs(row),
      issuedUpToMs: issuedUpToMs === Number.POSITIVE_INFINITY ? null : issuedUpToMs,
    };
  }

  untilMs(row: number): number {
    return this.#table.times[row * 2]!;
  }

  /** Infinity where it hits all, whenever they were issued. */
  issuedUpToMs(row: number): number {
    return this.#table.times[row * 2 + 1]!;
  }

  /** The row of a subject that hits whatever any row of it hits at `nowMs`; -1 where there is none. */
  decisive(subject: string, nowMs: number): number {
    const rows = this.#of.get(subject) ?? -1;
    return typeof rows === 'number' ? rows : decisiveRow(rows, nowMs, this);
  }
}

/**
 * Where revocations stand by id and subject: while a file is faulty, what an id named before counts beside what it names now.
 */
export class RowsById {
  readonly #of: NamedRows;
  /** Nearly every id names one subject. */
  readonly #rows = new Map<string, number | Map<string, number>>();

  constructor(of: NamedRows) {
    this.#of = of;
  }

  /** Notes a row, unless one of the same id and subject is noted. */
  add(row: number): void {
    const id = this.#of.id(row);
    const known = this.#rows.get(id);
    if (known === undefined) this.#rows.set(id, row);
    else if (typeof known !== 'number') this.#note(known, row);
    else {
      const several = new Map([[this.#of.subject(known), known]]);
      this.#note(several, row);
      if (several.size > 1) this.#rows.set(id, several);
    }
  }

  /** The row that was noted first; null where there is none. */
  find(id: string, subject: string): number | null {
    const known = this.#rows.get(id);
    if (typeof known === 'number') return this.#of.subject(known) === subject ? known : null;
    return known?.get(subject) ?? null;
  }

  #note(several: Map<string, number>, row: number): void {
    const subject = this.#of.subject(row);
    if (!several.has(subject)) several.set(subject, row);
  }
}
