import { place } from './baseline.ts';
import type { Assessment, SignalKind, SignalReason } from './signals.ts';
import type { KnownWorkload } from './workload-book.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** The first one; each further one takes twice as long, a day at most, until there was none for a week. */
const [FIRST_MS, LONGEST_MS, FORGOTTEN_MS] = [15 * MINUTE_MS, DAY_MS, 7 * DAY_MS];
/** So many new ones in an hour, and of all workloads at once: beyond, what is usual is wrong, and must not stop everything. */
const [IN_AN_HOUR, SHARE] = [5, 0.02];

/** One workload that is refused for a time. Times are milliseconds since the epoch. */
export interface Quarantine {
  readonly workload: string;
  readonly beganMs: number;
  readonly untilMs: number;
  readonly reason: string;
}

/** Whom what was noticed holds back, and how long. */
export class Quarantines {
  readonly #isShadow: boolean;
  readonly #running = new Map<string, Quarantine>();
  #begunMs: number[] = [];

  /** `isShadow`: nobody is held back, so no baseline is to remember it, and each is as long as the first. */
  constructor(isShadow = false) {
    this.#isShadow = isShadow;
  }

  /** Those that have not ended. */
  running(nowMs: number): readonly Quarantine[] {
    for (const [workload, { untilMs }] of this.#running) if (untilMs <= nowMs) this.#running.delete(workload);
    return [...this.#running.values()];
  }

  /** The one of a workload that has not ended. */
  of({ id }: KnownWorkload, nowMs: number): Quarantine | null {
    const known = this.#running.get(id);
    return known !== undefined && known.untilMs > nowMs ? known : null;
  }

  /** Begins one for a workload that has none, of so many workloads; null: there are too many already. */
  begin(known: KnownWorkload, found: Assessment, workloads: number, nowMs: number): Quarantine | null {
    this.#begunMs = this.#begunMs.filter((beganMs) => Math.abs(nowMs - beganMs) < HOUR_MS);
    const most = Math.max(1, Math.floor(workloads * SHARE));
    if (known.baseline === null || this.#begunMs.length >= IN_AN_HOUR || this.running(nowMs).length >= most)
      return null;
    const { baseline } = known;
    const isLate = this.#isShadow || nowMs - baseline.get(place.quarantinedUntilMs) > FORGOTTEN_MS;
    const before = isLate ? 0 : baseline.get(place.quarantines);
    const untilMs = nowMs + Math.min(LONGEST_MS, FIRST_MS * 2 ** before);
    if (!this.#isShadow) {
      baseline.set(place.quarantines, before + 1);
      baseline.set(place.quarantinedUntilMs, untilMs);
    }
    this.#begunMs.push(nowMs);
    return this.#run({ workload: known.id, beganMs: nowMs, untilMs, reason: reasonOf(found) });
  }

  /** Goes on with one that began before a start; null: there is none. */
  resume({ id, baseline }: KnownWorkload, nowMs: number): Quarantine | null {
    const untilMs = baseline?.get(place.quarantinedUntilMs) ?? 0;
    if (untilMs <= nowMs || untilMs > nowMs + LONGEST_MS) return null;
    return this.#run({ workload: id, beganMs: nowMs, untilMs, reason: 'behaviour: from before the start' });
  }

  /** A person ended one: what led to it is normal from now on. */
  lifted(known: KnownWorkload): void {
    this.#running.delete(known.id);
    known.baseline?.acceptNoted();
    known.baseline?.set(place.quarantines, 0);
    known.baseline?.set(place.quarantinedUntilMs, 0);
  }

  #run(quarantine: Quarantine): Quarantine {
    this.#running.set(quarantine.workload, quarantine);
    return quarantine;
  }
}

/** What was noticed, in words: `behaviour: novel-endpoint 80 (22 in 24 requests), rate 16 (90 in 10 s)`. */
function reasonOf({ why }: Assessment): string {
  const parts = Object.entries(why) as [SignalKind, SignalReason][];
  const texts = parts.map(([kind, { points, now, seconds, requests }]) => {
    const within = seconds === undefined ? `${requests} requests` : `${seconds} s`;
    return seconds === undefined && requests === undefined
      ? `${kind} ${points}`
      : `${kind} ${points} (${now} in ${within})`;
  });
  return `behaviour: ${texts.join(', ')}`;
}
