import { decodeSummary } from './entry.ts';
import type { ListPlace } from './model.ts';
import type { Kept } from './paging.ts';

/** What an entry counts as besides its text, in bytes. */
const SLOT_BYTES = 64;

interface Slot {
  readonly number: number;
  readonly text: string;
}

/** The last texts, bounded in number and in bytes: the oldest makes room for the newest. */
export class Ring {
  readonly #limit: number;
  readonly #byteLimit: number;
  readonly #slots: (Slot | undefined)[] = [];
  /** Counted from the start: of so many `#limit` at most are there, from `#first` on. */
  #first = 0;
  #next = 0;
  #bytes = 0;

  constructor(limit: number, byteLimit: number) {
    this.#limit = limit;
    this.#byteLimit = byteLimit;
  }

  get size(): number {
    return this.#next - this.#first;
  }

  /** `number` is larger than that of any entry before. */
  add(number: number, text: string): void {
    if (this.#limit === 0) return;
    while (this.#next > this.#first && (this.#next - this.#first >= this.#limit || this.#bytes > this.#byteLimit))
      this.#drop();
    this.#slots[this.#next++ % this.#limit] = { number, text };
    this.#bytes += bytesOf(text);
  }

  read(before: ListPlace | null, count: number): readonly Kept[] {
    const read: Kept[] = [];
    for (let at = this.#end(before) - 1; at >= this.#first && read.length < count; at--) {
      const { number, text } = this.#slots[at % this.#limit]!;
      // Who looks for where it goes on reads more entries than it is after.
      read.push({
        place: [number, 0],
        get summary() {
          return decodeSummary(text);
        },
      });
    }
    return read;
  }

  /** Behind the last entry before this place. */
  #end(before: ListPlace | null): number {
    let [low, high] = [this.#first, this.#next];
    if (before === null) return high;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.#slots[middle % this.#limit]!.number < before[0]) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #drop(): void {
    const at = this.#first++ % this.#limit;
    this.#bytes -= bytesOf(this.#slots[at]!.text);
    this.#slots[at] = undefined;
  }
}

/** A text takes two bytes a unit where it holds anything but Latin-1. */
const bytesOf = (text: string): number => 2 * text.length + SLOT_BYTES;
