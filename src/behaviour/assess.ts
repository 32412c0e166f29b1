import { type Baseline, FAN_BITS, FAN_OUT, place, scales, sets, sumPlans, WEEK_HOURS } from './baseline.ts';
import { addToBloom, mayHold } from './bloom.ts';
import { beyondAlarm, countHit, hitNumbers, learnHit } from './cusum.ts';
import { countDistinct, DISTINCT_WORDS, distinct } from './distinct.ts';
import {
  type Assessment,
  assessmentOf,
  CALM_BEHAVIOUR,
  CALM_BELOW,
  type SignalKind,
  type SignalReason,
  UNKNOWN_BEHAVIOUR,
} from './signals.ts';
import { addToSketch, fadeSketch, greatest, SKETCH_BUCKETS } from './sketch.ts';
import { advance, COUNTER_NUMBERS, countOne } from './sliding-counter.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** What has to be known before anything is remarkable; less where the group of the workload was known. */
const LEARNED = { ms: 7 * DAY, requests: 2000 };
const LEARNED_IN_GROUP = { ms: DAY, requests: 200 };
/** A clock that was set, and a night without requests, count as so much time at most. */
export const LONGEST_GAP_MS = HOUR;
/** What was not used for one such time, or for two, is new again. */
const REMEMBERED_MS = 30 * DAY;
const NEW_NETWORK_MS = 10 * MINUTE;
const FADES_BY = 0.9;
/** The ceiling is the most that came, for so long: what is left of one after 28 days. */
const LEFT = 0.05;
const FAN_FLOOR = 8;
const HOURS_LEARNED_MS = 14 * DAY;
/** An hour of the week is odd if less than this share of all requests came in it, and in the hours around it. */
const ODD_SHARE = 0.0002;

/** One request of a workload, by the hashes of what is counted. */
export interface Observation {
  /** The name that the inventory has for what is asked for. */
  readonly api: number;
  /** How much a new api counts: 1, or less where something else explains it. */
  readonly weight: number;
  readonly writes: boolean;
  /** The network of the client; null where it is not known. */
  readonly network: number | null;
}

/** How it was answered: refused for a reason that thieves cause, for another one, or not. */
export type TaughtBy = 'allowed' | 'refused' | 'refused-as-a-thief';

/**
 * What is remarkable about the workload with this request counted in, whatever it will be answered. `nowMs`: milliseconds since
 * the epoch. Constant work.
 */
export function assess(baseline: Baseline, seen: Observation, nowMs: number): Assessment {
  const { numbers, bits } = baseline.slab;
  const ownMs = tick(baseline, nowMs);
  countRates(baseline, ownMs);
  const fan = countFan(baseline, seen.api, ownMs);
  if (isNovel(baseline, seen.api)) {
    // What was noted once is not counted again, as new or as known.
    if (!mayHold(bits, baseline.bit, sets.noted, seen.api)) {
      addToBloom(bits, baseline.bit, sets.noted, seen.api);
      countHit(numbers, baseline.number, sumPlans.novel, true, seen.weight);
    }
  } else countHit(numbers, baseline.number, sumPlans.novel, false);
  countHit(numbers, baseline.number, sumPlans.writes, seen.writes);
  if (seen.network !== null && !mayHold(bits, baseline.bit, sets.networks, seen.network))
    baseline.set(place.networkUntilMs, ownMs + NEW_NETWORK_MS);
  if (!isKnown(baseline)) return UNKNOWN_BEHAVIOUR;
  return judged(baseline, fan, ownMs, nowMs);
}

/** Learns from a request that was assessed, once it is answered: what is remarkable teaches nothing. */
export function learn(
  baseline: Baseline,
  seen: Observation,
  found: Assessment,
  answered: TaughtBy,
  nowMs: number,
): void {
  const { numbers, bits, hours } = baseline.slab;
  const isCalm = found.risk === null || found.risk < CALM_BELOW;
  const isNew = isNovel(baseline, seen.api);
  const isRefused = answered === 'refused-as-a-thief' && !mayHold(bits, baseline.bit, sets.refused, seen.api);
  // A refusal that was counted is not counted again; neither one of another cause: nobody knows whether a thief was refused.
  if (isRefused) addToBloom(bits, baseline.bit, sets.refused, seen.api);
  if (isRefused || answered === 'allowed') countHit(numbers, baseline.number, sumPlans.refused, isRefused);
  baseline.set(place.calm, Number(isCalm));
  if (!isCalm) return;
  learnHit(numbers, baseline.number, sumPlans.novel, isNew);
  learnHit(numbers, baseline.number, sumPlans.writes, seen.writes);
  if (answered !== 'refused') learnHit(numbers, baseline.number, sumPlans.refused, isRefused);
  addToBloom(bits, baseline.bit, sets.trusted, seen.api);
  if (seen.network !== null) addToBloom(bits, baseline.bit, sets.networks, seen.network);
  const hour = baseline.hour + hourOf(nowMs);
  if (hours[hour] === 0xffff) halveHours(baseline);
  hours[hour] = hours[hour]! + 1;
  baseline.set(place.inHours, baseline.get(place.inHours) + 1);
}

function halveHours(baseline: Baseline): void {
  const { hours } = baseline.slab;
  let all = 0;
  for (let at = baseline.hour; at < baseline.hour + WEEK_HOURS; at++) {
    hours[at] = hours[at]! >>> 1;
    all += hours[at]!;
  }
  baseline.set(place.inHours, all);
}

/** Whether the workload never used the api, as far as that is remembered. */
export const isNovel = ({ slab: { bits }, bit }: Baseline, api: number): boolean =>
  !mayHold(bits, bit, sets.trusted, api) && !mayHold(bits, bit, sets.trustedBefore, api);

/** Goes on to `nowMs` by the workload's own time, which it returns. */
function tick(baseline: Baseline, nowMs: number): number {
  const { sketches, bits } = baseline.slab;
  const gap = baseline.get(place.requests) === 0 ? 0 : nowMs - baseline.get(place.wallMs);
  const ownMs = baseline.get(place.ownMs) + Math.min(LONGEST_GAP_MS, Math.max(0, gap));
  baseline.set(place.wallMs, Math.max(0, nowMs));
  baseline.set(place.ownMs, ownMs);
  baseline.set(place.requests, baseline.get(place.requests) + 1);
  if (ownMs - baseline.get(place.fadedMs) > DAY) {
    baseline.set(place.fadedMs, ownMs);
    for (let at = 0; at <= FAN_OUT; at++) {
      fadeSketch(sketches, baseline.sketch + at * SKETCH_BUCKETS, FADES_BY);
      baseline.set(place.ceilingsBefore + at, baseline.get(place.ceilings + at));
    }
  }
  if (ownMs - baseline.get(place.turnedMs) > REMEMBERED_MS) {
    baseline.set(place.turnedMs, ownMs);
    const { trusted, trustedBefore, noted, refused } = sets;
    bits.copyWithin(
      baseline.bit + trustedBefore.at,
      baseline.bit + trusted.at,
      baseline.bit + trusted.at + trusted.words,
    );
    for (const { at, words } of [trusted, noted, refused]) bits.fill(0, baseline.bit + at, baseline.bit + at + words);
  }
  return ownMs;
}

/** Estimates at each scale of the request that is assessed: one at a time is. */
const rates = new Float64Array(scales.length);

/** Counts the request at each scale, and leaves the estimates in `rates`. */
function countRates(baseline: Baseline, ownMs: number): void {
  const { numbers } = baseline.slab;
  for (let at = 0; at < scales.length; at++) {
    const { widthMs } = scales[at]!;
    const counter = baseline.number + place.counters + at * COUNTER_NUMBERS;
    noteCeiling(baseline, at, advance(numbers, counter, ownMs, widthMs));
    rates[at] = countOne(numbers, counter, ownMs, widthMs);
  }
}

/** Counts the api among those of this minute. */
function countFan(baseline: Baseline, api: number, ownMs: number): number {
  const { bits } = baseline.slab;
  const at = baseline.bit + FAN_BITS;
  const minute = Math.floor(ownMs / MINUTE);
  if (minute !== baseline.get(place.minute)) {
    noteCeiling(baseline, FAN_OUT, distinct(bits, at));
    bits.fill(0, at, at + DISTINCT_WORDS);
    baseline.set(place.minute, minute);
  }
  return countDistinct(bits, at, api);
}

/** A count that ended raises, or lowers, what is usual: in calm alone, and at most to the double in a day. */
function noteCeiling(baseline: Baseline, at: number, ended: number): void {
  if (ended < 1 || baseline.get(place.calm) === 0) return;
  const { sketches } = baseline.slab;
  const sketch = baseline.sketch + at * SKETCH_BUCKETS;
  addToSketch(sketches, sketch, ended);
  const usual = greatest(sketches, sketch, LEFT);
  const before = baseline.get(place.ceilingsBefore + at);
  baseline.set(place.ceilings + at, before === 0 ? usual : Math.min(usual, 2 * Math.max(before, floorOf(at))));
}

const floorOf = (at: number): number => scales[at]?.floor ?? FAN_FLOOR;

/** The most that is usual at a scale, or of apis: what was learned, or the floor. */
export const usualOf = (baseline: Baseline, at: number): number =>
  Math.max(baseline.get(place.ceilings + at), floorOf(at));

/** Whether enough is known of the workload to tell what is remarkable. */
export function isKnown(baseline: Baseline): boolean {
  const ownMs = baseline.get(place.ownMs);
  const { ms, requests } = baseline.get(place.fromGroup) === 1 ? LEARNED_IN_GROUP : LEARNED;
  return ownMs > ms && baseline.get(place.requests) > requests;
}

function judged(baseline: Baseline, fan: number, ownMs: number, nowMs: number): Assessment {
  const {
    slab: { numbers },
    number,
  } = baseline;
  let why: Partial<Record<SignalKind, SignalReason>> | null = null;
  const tell = (kind: SignalKind, points: number, more: Omit<SignalReason, 'points'>): void => {
    const whole = Math.round(points);
    if (whole <= 0) return;
    why ??= {};
    why[kind] = { points: whole, ...more };
  };
  let fastest = 0;
  for (let at = 1; at < rates.length; at++)
    if (rates[at]! / usualOf(baseline, at) > rates[fastest]! / usualOf(baseline, fastest)) fastest = at;
  const usualRate = usualOf(baseline, fastest);
  const rate = rates[fastest]!;
  if (rate > 2 * usualRate)
    tell('rate', Math.min(25, 16 * Math.log2(rate / (2 * usualRate))), {
      now: Math.round(rate),
      seconds: scales[fastest]!.widthMs / 1000,
      usual: Math.round(usualRate),
    });
  const usualFan = usualOf(baseline, FAN_OUT);
  if (fan > 1.5 * usualFan)
    tell('fan-out', Math.min(20, 15 * Math.log2(fan / (1.5 * usualFan))), {
      now: Math.round(fan),
      seconds: 60,
      usual: Math.round(usualFan),
    });
  for (const [kind, plan, most] of SUMS) {
    const beyond = beyondAlarm(numbers, number, plan);
    if (beyond === 0) continue;
    const { hits, requests, usual } = hitNumbers(numbers, number, plan);
    tell(kind, most * Math.min(plan.cap - 1, beyond), { now: hits, requests, usual: Number(usual.toPrecision(2)) });
  }
  if (ownMs < baseline.get(place.networkUntilMs)) tell('new-network', 10, { now: 1, usual: 0 });
  const odd = oddShare(baseline, ownMs, nowMs);
  if (odd !== null) tell('odd-hour', 5, { now: 1, usual: odd });
  return why === null ? CALM_BEHAVIOUR : assessmentOf(why);
}

const SUMS = [
  ['novel-endpoint', sumPlans.novel, 45],
  ['refusals', sumPlans.refused, 20],
  ['write-shift', sumPlans.writes, 15],
] as const;

const hourOf = (nowMs: number): number => (Math.floor(nowMs / HOUR) + WEEK_HOURS) % WEEK_HOURS;

/** The share of requests in this hour of the week and those around it, where that is odd; null where it is not. */
function oddShare(baseline: Baseline, ownMs: number, nowMs: number): number | null {
  if (ownMs < HOURS_LEARNED_MS) return null;
  const { hours } = baseline.slab;
  const hour = hourOf(nowMs);
  let near = 0;
  for (const by of [-1, 0, 1]) near += hours[baseline.hour + ((hour + by + WEEK_HOURS) % WEEK_HOURS)]!;
  const share = near / baseline.get(place.inHours);
  return share < ODD_SHARE ? share : null;
}
