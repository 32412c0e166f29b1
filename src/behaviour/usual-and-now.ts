import { isKnown, LONGEST_GAP_MS, usualOf } from './assess.ts';
import { type Baseline, FAN_BITS, FAN_OUT, place, scales, sumPlans } from './baseline.ts';
import { hitNumbers } from './cusum.ts';
import { distinct } from './distinct.ts';
import { COUNTER_NUMBERS, estimate } from './sliding-counter.ts';

/** A count of a time, and the most that is usual. */
export interface CountNow {
  readonly seconds: number;
  readonly now: number;
  readonly usual: number;
}

/** How many of the last requests were hits, and the share that is usual. */
export interface ShareNow {
  readonly now: number;
  readonly requests: number;
  readonly usual: number;
}

/** What is usual for a workload, and what is now, side by side. */
export interface UsualAndNow {
  /** Whether enough is known of it for a risk. */
  readonly known: boolean;
  readonly requests: number;
  /** For how long it was seen, in days of its own time. */
  readonly days: number;
  /** When it was last seen: milliseconds since the epoch. */
  readonly lastMs: number;
  readonly rates: readonly CountNow[];
  readonly apis: CountNow;
  readonly novel: ShareNow;
  readonly refused: ShareNow;
  readonly writes: ShareNow;
}

/** Reads a baseline, and changes nothing in it. `nowMs`: milliseconds since the epoch. */
export function usualAndNow(baseline: Baseline, nowMs: number): UsualAndNow {
  const { numbers, bits } = baseline.slab;
  const gap = Math.min(LONGEST_GAP_MS, Math.max(0, nowMs - baseline.get(place.wallMs)));
  const ownMs = baseline.get(place.ownMs) + gap;
  const share = (plan: (typeof sumPlans)[keyof typeof sumPlans]): ShareNow => {
    const { hits, requests, usual } = hitNumbers(numbers, baseline.number, plan);
    return { now: hits, requests, usual };
  };
  const isMinute = Math.floor(ownMs / 60_000) === baseline.get(place.minute);
  return {
    known: isKnown(baseline),
    requests: baseline.get(place.requests),
    days: baseline.get(place.ownMs) / 86_400_000,
    lastMs: baseline.get(place.wallMs),
    rates: scales.map(({ widthMs }, at) => ({
      seconds: widthMs / 1000,
      now: estimate(numbers, baseline.number + place.counters + at * COUNTER_NUMBERS, ownMs, widthMs),
      usual: usualOf(baseline, at),
    })),
    apis: {
      seconds: 60,
      now: isMinute ? distinct(bits, baseline.bit + FAN_BITS) : 0,
      usual: usualOf(baseline, FAN_OUT),
    },
    novel: share(sumPlans.novel),
    refused: share(sumPlans.refused),
    writes: share(sumPlans.writes),
  };
}
