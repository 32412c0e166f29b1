import type { Steps } from '../../base/slices.ts';
import { type PackedTexts, startAt } from '../../inventory/table/sorted-texts.ts';
import type { Revocation } from '../revocation.ts';

/** Rows that are looked at in one step. */
export const STEP = 64;

/** Revocations in rows, in memory that threads share. */
export interface RevocationColumns {
  readonly ids: PackedTexts;
  readonly subjects: PackedTexts;
  /** Reasons and people, each once; `reasons` and `by` are positions in it. */
  readonly texts: PackedTexts;
  readonly reasons: Uint32Array;
  readonly by: Uint32Array;
  /** Two of each row, in milliseconds since the epoch: `untilMs`, and `issuedUpToMs`, infinite where that is null. */
  readonly times: Float64Array;
}

/** What of rows says where a revocation stands. */
export interface NamedRows {
  id(row: number): string;
  subject(row: number): string;
}

/** Collects revocations, each in a row of its own. */
export class ColumnsBuilder implements NamedRows {
  readonly #ids: string[] = [];
  readonly #subjects: string[] = [];
  readonly #reasons: number[] = [];
  readonly #by: number[] = [];
  readonly #times: number[] = [];
  readonly #texts = new Map<string, number>();

  get size(): number {
    return this.#ids.length;
  }

  /** Gives its row. */
  add({ id, subject, issuedUpToMs, untilMs, reason, by }: Revocation): number {
    const row = this.size;
    this.#ids.push(id);
    this.#subjects.push(subject);
    this.#reasons.push(this.#numberOf(reason));
    this.#by.push(this.#numberOf(by));
    this.#times.push(untilMs, issuedUpToMs ?? Number.POSITIVE_INFINITY);
    return row;
  }

  /** Of two readings of one entry, what either refuses. */
  tighten(row: number, { issuedUpToMs, untilMs, reason, by }: Revocation): void {
    const [until = 0, upTo = 0] = this.#times.slice(row * 2, row * 2 + 2);
    this.#times[row * 2] = Math.max(until, untilMs);
    this.#times[row * 2 + 1] = Math.max(upTo, issuedUpToMs ?? Number.POSITIVE_INFINITY);
    this.#reasons[row] = this.#numberOf(reason);
    this.#by[row] = this.#numberOf(by);
  }

  id(row: number): string {
    return this.#ids[row]!;
  }

  subject(row: number): string {
    return this.#subjects[row]!;
  }

  *table(): Steps<RevocationColumns> {
    const table = {
      ids: yield* packed(this.#ids),
      subjects: yield* packed(this.#subjects),
      texts: yield* packed([...this.#texts.keys()]),
      reasons: new Uint32Array(new SharedArrayBuffer(this.size * 4)),
      by: new Uint32Array(new SharedArrayBuffer(this.size * 4)),
      times: new Float64Array(new SharedArrayBuffer(this.size * 16)),
    };
    table.reasons.set(this.#reasons);
    table.by.set(this.#by);
    table.times.set(this.#times);
    return table;
  }

  #numberOf(text: string): number {
    const known = this.#texts.get(text) ?? this.#texts.size;
    if (known === this.#texts.size) this.#texts.set(text, known);
    return known;
  }
}

/** In memory of just the right size: what a growing buffer leaves behind is not given back to the system. */
function* packed(texts: readonly string[]): Steps<PackedTexts> {
  const ends = new Uint32Array(new SharedArrayBuffer(texts.length * 4));
  let length = 0;
  for (const [at, text] of texts.entries()) {
    length += Buffer.byteLength(text);
    ends[at] = length;
    if (at % STEP === 0) yield;
  }
  const bytes = Buffer.from(new SharedArrayBuffer(length));
  for (const [at, text] of texts.entries()) {
    bytes.write(text, startAt(ends, at));
    if (at % STEP === 0) yield;
  }
  return { bytes: new Uint8Array(bytes.buffer), ends };
}
