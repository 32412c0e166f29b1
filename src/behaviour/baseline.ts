import type { BloomPlace } from './bloom.ts';
import { CUSUM_NUMBERS, type CusumPlan } from './cusum.ts';
import { DISTINCT_WORDS } from './distinct.ts';
import { SKETCH_BUCKETS } from './sketch.ts';
import { COUNTER_NUMBERS } from './sliding-counter.ts';

/** How fast requests come is looked at by these widths, each with the rate below which nothing is remarkable. */
export const scales = [
  { widthMs: 1000, floor: 10 },
  { widthMs: 10_000, floor: 20 },
  { widthMs: 60_000, floor: 60 },
] as const;
/** Ceilings: one for each scale, and that of distinct apis. */
export const CEILINGS = scales.length + 1;
/** The place of distinct apis among ceilings and sketches. */
export const FAN_OUT = scales.length;

/** Hours of a week, in UTC. */
export const WEEK_HOURS = 168;

const counters = 11;
const sums = counters + scales.length * COUNTER_NUMBERS + 1;
const ceilings = sums + 3 * CUSUM_NUMBERS;

/** Where each number of a baseline is. Times are milliseconds: by the wall, or of the workload's own time, which never jumps. */
export const place = {
  /** When the last request came, by the wall. */
  wallMs: 0,
  /** The workload's own time: each request adds what passed since the one before, an hour at most. */
  ownMs: 1,
  requests: 2,
  /** When ceilings last faded, and since when apis are remembered: own time. */
  fadedMs: 3,
  turnedMs: 4,
  /** Until when a network counts as new: own time. */
  networkUntilMs: 5,
  /** Whether what comes teaches. */
  calm: 6,
  /** Whether it began with what its group knew. */
  fromGroup: 7,
  /** Requests by the hour of the week, all together. */
  inHours: 8,
  /** Quarantines in a row, and when the last one ends or ended, by the wall. */
  quarantines: 9,
  quarantinedUntilMs: 10,
  counters,
  /** The minute in which distinct apis are counted. */
  minute: counters + scales.length * COUNTER_NUMBERS,
  /** What is usual, and what was when a day began: it at most doubles in one. */
  ceilings,
  ceilingsBefore: ceilings + CEILINGS,
} as const;

/** Requests to apis that were never used before; refusals that a thief gets; writes. */
export const sumPlans = {
  novel: { at: sums, usual: [0.05, 0.1], wanted: 0.3, cap: 3 },
  refused: { at: sums + CUSUM_NUMBERS, usual: [0.1, 0.15], wanted: 0.4, cap: 2 },
  writes: { at: sums + 2 * CUSUM_NUMBERS, usual: [0.02, 0.4], wanted: 0.6, cap: 2 },
} as const satisfies Readonly<Record<string, CusumPlan>>;

/** Apis that were used, in this month and the one before; those that were used and not learned; refused ones; networks. */
export const sets = {
  trusted: { at: 0, words: 128, hashes: 4 },
  trustedBefore: { at: 128, words: 128, hashes: 4 },
  noted: { at: 256, words: 128, hashes: 4 },
  refused: { at: 384, words: 64, hashes: 4 },
  networks: { at: 448, words: 16, hashes: 3 },
} as const satisfies Readonly<Record<string, BloomPlace>>;
/** Where the bits of distinct apis are. */
export const FAN_BITS = 464;

const NUMBERS = place.ceilingsBefore + CEILINGS;
const SKETCHES = CEILINGS * SKETCH_BUCKETS;
const WORDS = FAN_BITS + DISTINCT_WORDS;

/** Bytes of one baseline, whatever its workload does. */
export const BASELINE_BYTES = NUMBERS * 8 + SKETCHES * 4 + WORDS * 4 + WEEK_HOURS * 2;

/** How many baselines are made at once: one by one their buffers would take more than they hold. */
const SLAB = 64;

interface Slab {
  readonly numbers: Float64Array;
  readonly sketches: Float32Array;
  readonly bits: Uint32Array;
  readonly hours: Uint16Array;
}

/** What is known of one workload: a slot in a slab. */
export class Baseline {
  readonly slab: Slab;
  readonly slot: number;
  /** Where it begins in each array of the slab. */
  readonly number: number;
  readonly sketch: number;
  readonly bit: number;
  readonly hour: number;

  constructor(slab: Slab, slot: number) {
    this.slab = slab;
    this.slot = slot;
    this.number = slot * NUMBERS;
    this.sketch = slot * SKETCHES;
    this.bit = slot * WORDS;
    this.hour = slot * WEEK_HOURS;
  }

  /** A number of `place`. */
  get(at: number): number {
    return this.slab.numbers[this.number + at]!;
  }

  set(at: number, value: number): void {
    this.slab.numbers[this.number + at] = value;
  }

  /** Forgets all. */
  clear(): void {
    for (const [all, at, size] of this.#parts()) all.fill(0, at, at + size);
  }

  /** Forgets all but quarantines: who was held back is not spared the next time by that. */
  forget(): void {
    const [before, untilMs] = [this.get(place.quarantines), this.get(place.quarantinedUntilMs)];
    this.clear();
    this.set(place.quarantines, before);
    this.set(place.quarantinedUntilMs, untilMs);
  }

  /** All that was used and not learned is usual from now on, and nothing is remarkable. */
  acceptNoted(): void {
    const { bits, numbers } = this.slab;
    for (let word = 0; word < sets.trusted.words; word++) {
      const to = this.bit + sets.trusted.at + word;
      bits[to] = bits[to]! | bits[this.bit + sets.noted.at + word]!;
    }
    for (const { at } of Object.values(sumPlans))
      numbers.fill(0, this.number + at + 1, this.number + at + CUSUM_NUMBERS);
  }

  /** Begins to count anew what is going on now: after a start nobody knows what came just before. */
  countAnew(): void {
    this.slab.numbers.fill(0, this.number + place.counters, this.number + place.minute + 1);
    this.slab.bits.fill(0, this.bit + FAN_BITS, this.bit + FAN_BITS + DISTINCT_WORDS);
  }

  /** A copy of all that is known, in one form on every machine. */
  toBytes(): Uint8Array {
    const bytes = Buffer.alloc(BASELINE_BYTES);
    let offset = 0;
    for (const [all, at, size, form] of this.#parts())
      for (let n = 0; n < size; n++) offset = bytes[`write${form}`](all[at + n]!, offset);
    return bytes;
  }

  /** Takes over what `toBytes` gave. False, with nothing changed, where it cannot be that: no number is below 0 or unbounded. */
  fromBytes(from: Uint8Array): boolean {
    if (from.length !== BASELINE_BYTES) return false;
    const bytes = Buffer.from(from.buffer, from.byteOffset, from.length);
    const parts = this.#parts();
    for (const take of [false, true]) {
      let offset = 0;
      for (const [all, at, size, form] of parts) {
        for (let n = 0; n < size; n++, offset += all.BYTES_PER_ELEMENT) {
          const value = bytes[`read${form}`](offset);
          if (take) all[at + n] = value;
          else if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) return false;
        }
      }
    }
    return true;
  }

  #parts(): readonly Part[] {
    const { numbers, sketches, bits, hours } = this.slab;
    return [
      [numbers, this.number, NUMBERS, 'DoubleLE'],
      [sketches, this.sketch, SKETCHES, 'FloatLE'],
      [bits, this.bit, WORDS, 'UInt32LE'],
      [hours, this.hour, WEEK_HOURS, 'UInt16LE'],
    ];
  }
}

/** An array of a slab, where a baseline is in it, and the form that its numbers have as bytes. */
type Part = readonly [
  all: Float64Array | Float32Array | Uint32Array | Uint16Array,
  at: number,
  size: number,
  form: 'DoubleLE' | 'FloatLE' | 'UInt32LE' | 'UInt16LE',
];

/** Gives out baselines that know nothing. */
export class BaselineMemory {
  readonly #free: Baseline[] = [];

  take(): Baseline {
    if (this.#free.length === 0) {
      const slab: Slab = {
        numbers: new Float64Array(SLAB * NUMBERS),
        sketches: new Float32Array(SLAB * SKETCHES),
        bits: new Uint32Array(SLAB * WORDS),
        hours: new Uint16Array(SLAB * WEEK_HOURS),
      };
      for (let slot = SLAB - 1; slot >= 0; slot--) this.#free.push(new Baseline(slab, slot));
    }
    return this.#free.pop()!;
  }

  /** Takes one back, which nobody uses any more: what is there is another baseline from now on. */
  giveBack({ slab, slot }: Baseline): void {
    const fresh = new Baseline(slab, slot);
    fresh.clear();
    this.#free.push(fresh);
  }
}
