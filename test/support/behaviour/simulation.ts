import { looksStolen } from '../../../src/behaviour/signals.ts';
import type { Assessed, SeenWorkload, StoredBaseline } from '../../../src/behaviour/workload-book.ts';
import { WorkloadBook } from '../../../src/behaviour/workload-book.ts';
import { GuardedEstate } from './guarded.ts';
import { caught, missed, ordinary, randomOf, type SimulatedRequest, type SimulatedWorkload } from './traffic.ts';

const DAY = 86_400_000;
/** A Monday: weeks begin with it. */
const BEGINS = Date.UTC(2026, 0, 5);
export const SEED_OF_HASHES = 7919;
const GROUPS = 5;
/** So many workloads come two weeks later, into groups of which others are known. */
const [LATE, LATE_BY] = [4, 14 * DAY];
/** So soon an attack is to be found, by its own requests; and so long one that is not is tried. */
const [SOON, LONG] = [50, 200];

/** What is simulated: for each seed so many workloads with so many requests each, in one book. */
export interface SimulationSize {
  readonly seeds: number;
  readonly workloads: number;
  readonly requests: number;
}

/** What was found. */
export interface SimulationFigures {
  requests: number;
  /** Those of workloads of which enough was known. */
  judged: number;
  quarantines: number;
  /** Requests that would have been refused, were everything restricted. */
  refused: number;
  /** Days of one workload, and those of them on which it would have been stopped as a legacy account. */
  days: number;
  stopped: number;
  greatest: number;
  microseconds: number;
  attacks: number;
  caught: number;
  /** The most requests that an attack had before it was found. */
  slowest: number;
  readonly misses: Set<string>;
  readonly faults: string[];
}

const guarded = new GuardedEstate();

/** Plays ordinary traffic through the estimators of the product by a virtual clock, then attacks against what they learned. */
export function simulate(
  { seeds, workloads, requests }: SimulationSize,
  tell: (figures: SimulationFigures) => void,
): SimulationFigures {
  const figures: SimulationFigures = {
    requests: 0,
    judged: 0,
    quarantines: 0,
    refused: 0,
    days: 0,
    stopped: 0,
    greatest: 0,
    microseconds: 0,
    attacks: 0,
    caught: 0,
    slowest: 0,
    misses: new Set(),
    faults: [],
  };
  for (let seed = 1; seed <= seeds; seed++) {
    const book = new WorkloadBook(workloads, seed * SEED_OF_HASHES);
    const estate = workloadsOf(seed, { workloads, requests });
    playOrdinary(book, estate, figures);
    for (const stored of book.all()) {
      const owner = estate.find((each) => each.who.id === stored.id)!;
      attack(owner, stored, seed, figures);
    }
    tell(figures);
  }
  return figures;
}

/** The workloads of a seed, with what they send. */
export const workloadsOf = (
  seed: number,
  { workloads, requests }: Pick<SimulationSize, 'workloads' | 'requests'>,
): readonly Owner[] =>
  Array.from({ length: workloads }, (_, n): Owner => {
    const fromMs = n < workloads - LATE ? 0 : LATE_BY;
    return { ...ordinary(seed * 1000 + n, requests, fromMs), who: who(seed, n) };
  });

const who = (seed: number, n: number): SeenWorkload => ({
  id: `spiffe://prod.example/seed${seed}/workload${n}`,
  trustDomain: 'prod.example',
  groups: groups[n % GROUPS]!,
});
const groups = Array.from({ length: GROUPS }, (_, n) => [`group${n}`]);

export interface Owner extends SimulatedWorkload {
  readonly who: SeenWorkload;
}

/** All workloads side by side, in the order of time. */
export function playOrdinary(book: WorkloadBook, estate: readonly Owner[], figures: SimulationFigures | null): void {
  const next = estate.map(() => 0);
  const days = new Set<string>();
  const stopped = new Set<string>();
  const began = process.cpuUsage();
  for (;;) {
    let first = -1;
    let atMs = Number.POSITIVE_INFINITY;
    for (let n = 0; n < estate.length; n++) {
      const t = estate[n]!.requests[next[n]!]?.t;
      if (t !== undefined && t < atMs) [first, atMs] = [n, t];
    }
    if (first === -1) break;
    const { requests, who } = estate[first]!;
    const request = requests[next[first]!]!;
    next[first]!++;
    const { found } = send(book, who, request, BEGINS + atMs);
    if (figures === null) continue;
    figures.requests++;
    if (found.risk === null) continue;
    figures.judged++;
    const day = `${who.id} ${Math.floor(atMs / DAY)}`;
    days.add(day);
    if (found.risk === 0) continue;
    figures.greatest = Math.max(figures.greatest, found.risk);
    if (looksStolen(found)) figures.quarantines++;
    if (guarded.refuses('service', 3, found)) figures.refused++;
    if (guarded.refuses('legacy', 0, found)) stopped.add(day);
  }
  if (figures === null) return;
  const { user, system } = process.cpuUsage(began);
  figures.microseconds += user + system;
  figures.days += days.size;
  figures.stopped += stopped.size;
}

function send(book: WorkloadBook, who: SeenWorkload, request: SimulatedRequest, nowMs: number): Assessed {
  const assessed = book.assess(who, request, nowMs);
  book.learn(assessed, request.refused ? 'refused-as-a-thief' : 'allowed', nowMs);
  return assessed;
}

/** Each attack against a copy of what was learned, alone and among so many requests of the owner. */
function attack(owner: Owner, stored: StoredBaseline, seed: number, figures: SimulationFigures): void {
  const from = BEGINS + owner.requests.at(-1)!.t + 60_000;
  for (const among of [0, 1, 20]) {
    for (const [name, one] of Object.entries(among === 0 ? { ...caught, ...missed } : caught)) {
      const isToBeFound = among < 20 && name in caught;
      const random = randomOf(seed);
      const book = new WorkloadBook(1, seed * SEED_OF_HASHES);
      if (!book.restore(stored)) throw new Error('what was kept cannot be restored');
      let foundAt = 0;
      for (let i = 0; i < (isToBeFound ? SOON : LONG) && foundAt === 0; i++) {
        const request = { ...one(owner, i), isNewApi: false };
        for (let more = 0; more < among; more++) {
          const api = owner.apis[Math.floor(random() * owner.apis.length)]!;
          const usual = { ...request, api, writes: false, refused: false, client: owner.client };
          send(book, owner.who, usual, from + request.t);
        }
        if (looksStolen(send(book, owner.who, request, from + request.t).found)) foundAt = i + 1;
      }
      const title = among === 0 ? name : `${name}, 1 : ${among} among the owner's`;
      if (!isToBeFound) {
        if (foundAt === 0) figures.misses.add(title);
        continue;
      }
      figures.attacks++;
      if (foundAt > 0) figures.caught++;
      else figures.faults.push(`not found within ${SOON} requests: ${title}, ${stored.id}`);
      figures.slowest = Math.max(figures.slowest, foundAt);
    }
  }
}
