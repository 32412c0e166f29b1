import { assess, isKnown, isNovel, learn, type Observation, type TaughtBy } from './assess.ts';
import { BASELINE_BYTES, type Baseline, BaselineMemory, place } from './baseline.ts';
import { seededHash } from './hash.ts';
import { networkOf } from './network.ts';
import { type Assessment, UNKNOWN_BEHAVIOUR } from './signals.ts';
import { teach } from './teach.ts';

/** The proven caller of a request. */
export interface SeenWorkload {
  /** Its SPIFFE ID, and the trust domain in it. */
  readonly id: string;
  readonly trustDomain: string;
  readonly groups: readonly string[];
}

/** What it asks for, by names of the inventory. */
export interface SeenRequest {
  readonly api: string;
  /** The api is not older than a day in the inventory. */
  readonly isNewApi: boolean;
  readonly writes: boolean;
  /** The address of the client; null where it is not known. */
  readonly client: string | null;
}

/** One request that was assessed, and that is learned from when it is answered. */
export interface Assessed {
  readonly found: Assessment;
  readonly known: KnownWorkload;
  readonly observation: Observation;
}

/** One workload as it is kept. */
export interface StoredBaseline extends SeenWorkload {
  readonly bytes: Uint8Array;
}

/** A new api counts so much where something else than the workload explains it. */
const EXPLAINED_WEIGHT = 0.25;
/** So many workloads of a group that begin to use an api within an hour are a deployment; so many of these are looked at. */
const [DEPLOYED_BY, DEPLOYED_MS, DEPLOYMENTS] = [3, 3_600_000, 512];
/** Of the workloads of a group so many teach a new one. */
const TEACHERS = 16;
/** How often the order of the workloads is brought up to date. */
const MOVES_MS = 60_000;

/** One workload of the book. */
export interface KnownWorkload {
  readonly id: string;
  readonly trustDomain: string;
  groups: readonly string[];
  /** Null once it made room for another one. */
  baseline: Baseline | null;
  /** When it was moved to the end of the order, by the wall. */
  movedMs: number;
}

/**
 * What is usual for each workload, of so many workloads: those that were seen last. Whoever has to make room is of the trust
 * domain that has most, so that nobody who can name new workloads pushes out those of others.
 */
export class WorkloadBook {
  readonly #limit: number;
  readonly seed: number;
  readonly #memory = new BaselineMemory();
  /** By trust domain and id; in the order in which they were last seen, to the minute. */
  readonly #domains = new Map<string, Map<string, KnownWorkload>>();
  readonly #groups = new Map<string, Set<KnownWorkload>>();
  readonly #deployments = new Map<string, { readonly sinceMs: number; readonly by: Set<string> }>();
  #size = 0;

  /** `seed`: 32 bits that nobody knows who chooses names. */
  constructor(limit: number, seed: number) {
    this.#limit = limit;
    this.seed = seed;
  }

  /** How full it is. */
  get load(): { readonly entries: number; readonly limit: number; readonly bytes: number; readonly byteLimit: number } {
    const [entries, limit] = [this.#size, this.#limit];
    return { entries, limit, bytes: entries * BASELINE_BYTES, byteLimit: limit * BASELINE_BYTES };
  }

  /** Assesses a request before it is judged, with this request counted in. `nowMs`: milliseconds since the epoch. */
  assess(workload: SeenWorkload, request: SeenRequest, nowMs: number): Assessed {
    const known = this.#find(workload, nowMs);
    const baseline = known.baseline!;
    const api = seededHash(request.api, this.seed);
    const network = request.client === null ? null : networkOf(request.client);
    const observation = {
      api,
      weight: isNovel(baseline, api) ? this.#weight(known, request, api, nowMs) : 1,
      writes: request.writes,
      network: network === null ? null : seededHash(network, this.seed),
    };
    return { found: assess(baseline, observation, nowMs), known, observation };
  }

  /** Learns from a request, once it is answered; from all of them where `always`, else only in calm. */
  learn({ found, known, observation }: Assessed, answered: TaughtBy, nowMs: number, always = false): void {
    if (known.baseline !== null)
      learn(known.baseline, observation, always ? UNKNOWN_BEHAVIOUR : found, answered, nowMs);
  }

  /** All that is known, one workload after the other: what may be kept, and given to `restore` of a book with the same seed. */
  *all(): Generator<StoredBaseline, void> {
    for (const domain of this.#domains.values())
      for (const { id, trustDomain, groups, baseline } of domain.values())
        yield { id, trustDomain, groups, bytes: baseline!.toBytes() };
  }

  /** Goes on with what was known of a workload, as if it were seen now. False where it is no baseline. */
  restore({ id, trustDomain, groups, bytes }: StoredBaseline): boolean {
    const before = this.#domains.get(trustDomain)?.get(id);
    const known = before ?? this.#begin(id, trustDomain, []);
    if (!known.baseline!.fromBytes(bytes)) {
      if (before === undefined) this.#forget(known);
      return false;
    }
    known.baseline!.countAnew();
    this.#regroup(known, groups);
    return true;
  }

  /** Puts back what was known of a workload in place of what is; quarantines stay as they are. False where it is no baseline. */
  putBack(id: string, trustDomain: string, bytes: Uint8Array): boolean {
    const known = this.get(id, trustDomain);
    const { baseline = null, groups = [] } = known ?? {};
    const untilMs = baseline?.get(place.quarantinedUntilMs) ?? 0;
    const quarantines = baseline?.get(place.quarantines) ?? 0;
    if (!this.restore({ id, trustDomain, groups, bytes })) return false;
    const { baseline: after } = this.get(id, trustDomain)!;
    after?.set(place.quarantines, quarantines);
    after?.set(place.quarantinedUntilMs, untilMs);
    return true;
  }

  /** All workloads: iterate, do not hold. */
  *workloads(): Generator<KnownWorkload, void> {
    for (const domain of this.#domains.values()) yield* domain.values();
  }

  /** A workload that is known; null where none is. */
  get(id: string, trustDomain: string): KnownWorkload | null {
    return this.#domains.get(trustDomain)?.get(id) ?? null;
  }

  #find({ id, trustDomain, groups }: SeenWorkload, nowMs: number): KnownWorkload {
    const domain = this.#domains.get(trustDomain);
    const known = domain?.get(id) ?? this.#begin(id, trustDomain, groups);
    if (known.groups !== groups) this.#regroup(known, groups);
    if (Math.abs(nowMs - known.movedMs) >= MOVES_MS) {
      known.movedMs = nowMs;
      const own = this.#domains.get(trustDomain)!;
      own.delete(id);
      own.set(known.id, known);
    }
    return known;
  }

  #begin(name: string, trustDomain: string, groups: readonly string[]): KnownWorkload {
    // In memory of its own: a part of a long text keeps all of it alive.
    const id = Buffer.from(name).toString();
    if (this.#size >= this.#limit) this.#makeRoom();
    const baseline = this.#memory.take();
    const known: KnownWorkload = { id, trustDomain, groups: [], baseline, movedMs: Number.NEGATIVE_INFINITY };
    const teachers: Baseline[] = [];
    for (const group of groups) {
      for (const other of this.#groups.get(group) ?? []) {
        if (teachers.length === TEACHERS) break;
        if (isKnown(other.baseline!)) teachers.push(other.baseline!);
      }
    }
    if (teachers.length > 0) teach(baseline, teachers);
    let domain = this.#domains.get(trustDomain);
    if (domain === undefined) {
      domain = new Map();
      this.#domains.set(trustDomain, domain);
    }
    domain.set(id, known);
    this.#size++;
    return known;
  }

  #regroup(known: KnownWorkload, groups: readonly string[]): void {
    for (const group of known.groups) {
      const members = this.#groups.get(group);
      members?.delete(known);
      if (members?.size === 0) this.#groups.delete(group);
    }
    known.groups = groups;
    for (const group of groups) {
      const members = this.#groups.get(group);
      if (members === undefined) this.#groups.set(group, new Set([known]));
      else members.add(known);
    }
  }

  #makeRoom(): void {
    let largest: Map<string, KnownWorkload> | null = null;
    for (const domain of this.#domains.values()) if (domain.size > (largest?.size ?? 0)) largest = domain;
    for (const oldest of largest?.values() ?? []) {
      this.#forget(oldest);
      return;
    }
  }

  #forget(known: KnownWorkload): void {
    const { id, trustDomain, baseline } = known;
    this.#regroup(known, []);
    const domain = this.#domains.get(trustDomain);
    domain?.delete(id);
    if (domain?.size === 0) this.#domains.delete(trustDomain);
    known.baseline = null;
    if (baseline !== null) this.#memory.giveBack(baseline);
    this.#size--;
  }

  /** What a new api counts: less where the inventory has it since today, or others of the group begin with it too. */
  #weight({ id, groups }: KnownWorkload, { isNewApi }: SeenRequest, api: number, nowMs: number): number {
    let isDeployed = false;
    for (const group of groups) {
      const key = `${api} ${group}`;
      let deployment = this.#deployments.get(key);
      if (deployment === undefined || Math.abs(nowMs - deployment.sinceMs) > DEPLOYED_MS) {
        this.#deployments.delete(key);
        const [oldest] = this.#deployments.keys();
        if (this.#deployments.size >= DEPLOYMENTS && oldest !== undefined) this.#deployments.delete(oldest);
        deployment = { sinceMs: nowMs, by: new Set() };
        this.#deployments.set(key, deployment);
      }
      if (deployment.by.size < DEPLOYED_BY) deployment.by.add(id);
      if (deployment.by.size >= DEPLOYED_BY) isDeployed = true;
    }
    return isNewApi || isDeployed ? EXPLAINED_WEIGHT : 1;
  }
}
