/** Many texts as one run of bytes. */
export interface PackedTexts {
  readonly bytes: Uint8Array;
  /** Where each text ends. */
  readonly ends: Uint32Array;
}

/** Texts in the order of their UTF-8 bytes, and with each two numbers that mean something to whoever put them there. */
export interface SortedTexts extends PackedTexts {
  readonly numbers: Uint32Array;
  readonly places: Uint32Array;
}

/** The text at a position. */
export function textAt({ bytes, ends }: PackedTexts, at: number): string {
  const { buffer, byteOffset } = bytes;
  const start = startAt(ends, at);
  return Buffer.from(buffer, byteOffset + start, (ends[at] ?? start) - start).toString();
}

/** Where the text begins. */
export const startAt = (ends: Uint32Array, at: number): number => (at === 0 ? 0 : (ends[at - 1] ?? 0));

/** The position of the first text that is not before `key`; after the last where none is. Logarithmic. */
function lowerBound(texts: PackedTexts, key: Buffer): number {
  const { bytes, ends } = texts;
  let [low, high] = [0, ends.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (key.compare(bytes, startAt(ends, middle), ends[middle]) > 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The position of a text; -1 where it is not there. */
export function positionOf(texts: PackedTexts, text: string): number {
  if (texts.ends.length === 0) return -1;
  const key = Buffer.from(text);
  const at = lowerBound(texts, key);
  return at < texts.ends.length && startsAt(texts, at, key, true) ? at : -1;
}

/** The position of the first text that begins with `prefix`; -1 where none does. */
export function firstBelow(texts: PackedTexts, prefix: string): number {
  const key = Buffer.from(prefix);
  const at = lowerBound(texts, key);
  return at < texts.ends.length && startsAt(texts, at, key, false) ? at : -1;
}

/** The position of the first text behind this one, whether or not it is there; after the last where none is. */
export function positionAfter(texts: PackedTexts, text: string): number {
  const key = Buffer.from(text);
  const at = lowerBound(texts, key);
  return at < texts.ends.length && startsAt(texts, at, key, true) ? at + 1 : at;
}

function startsAt({ bytes, ends }: PackedTexts, at: number, key: Buffer, whole: boolean): boolean {
  const start = startAt(ends, at);
  const end = ends[at] ?? start;
  if (whole ? end - start !== key.length : end - start < key.length) return false;
  return key.compare(bytes, start, start + key.length) === 0;
}

/** Collects texts outside of the heap, where millions of them take no more than their bytes. */
export class TextsBuilder {
  #bytes = Buffer.allocUnsafe(4096);
  #length = 0;
  readonly #ends: number[] = [];
  readonly #numbers: number[] = [];
  readonly #places: number[] = [];

  get size(): number {
    return this.#ends.length;
  }

  add(text: string, number = 0, place = 0): void {
    const most = this.#length + text.length * 3;
    if (most > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(most * 2);
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    this.#length += this.#bytes.write(text, this.#length);
    this.#ends.push(this.#length);
    this.#numbers.push(number);
    this.#places.push(place);
  }

  /** As they were added. */
  packed(): PackedTexts {
    const bytes = shared(this.#length);
    bytes.set(this.#bytes.subarray(0, this.#length));
    return { bytes, ends: sharedNumbers(this.#ends) };
  }

  /** By their bytes, equal ones by their places. */
  sorted(): SortedTexts {
    const [from, ends, places] = [this.#bytes, Uint32Array.from(this.#ends), this.#places];
    const order = this.#ends
      .map((_, at) => at)
      .sort(
        (a, b) =>
          from.compare(from, startAt(ends, b), ends[b], startAt(ends, a), ends[a]) ||
          (places[a] ?? 0) - (places[b] ?? 0),
      );
    const bytes = shared(this.#length);
    let length = 0;
    const sortedEnds = order.map((at) => {
      const text = from.subarray(startAt(ends, at), ends[at]);
      bytes.set(text, length);
      length += text.length;
      return length;
    });
    const picked = (of: readonly number[]) => sharedNumbers(order.map((at) => of[at] ?? 0));
    return { bytes, ends: sharedNumbers(sortedEnds), numbers: picked(this.#numbers), places: picked(places) };
  }
}

/** In memory that every thread reads: to hand it over copies nothing. */
const shared = (length: number): Uint8Array => new Uint8Array(new SharedArrayBuffer(length));

function sharedNumbers(numbers: readonly number[]): Uint32Array {
  const found = new Uint32Array(new SharedArrayBuffer(numbers.length * 4));
  found.set(numbers);
  return found;
}
