import { setImmediate } from 'node:timers/promises';
import { ENTRY_BYTES, encodeSummary } from './entry.ts';
import { keptSince } from './following.ts';
import {
  type Activity,
  type ActivityLimits,
  BAD_CURSOR,
  type BadCursor,
  type DecisionFilter,
  type DecisionPlaces,
  type DecisionSummary,
  type LastUse,
  MAX_WORKLOADS,
  type UsesPage,
} from './model.ts';
import { nameIn, namesFor, pageOfUses } from './names.ts';
import { type DecisionLists, pageOf, type Source } from './paging.ts';
import { Recorder, type RecorderOptions } from './recorder.ts';
import { Ring } from './ring.ts';
import type { ActivityCounts } from './size.ts';
import type { KnownUse } from './uses.ts';

export interface MemoryActivityOptions {
  readonly limits: ActivityLimits;
  readonly onOmitted: RecorderOptions['onOmitted'];
  /** Gives milliseconds since the epoch. */
  readonly now: () => number;
}

/** What this process decided lately and whom it saw. It ends with the process. */
export class MemoryActivity implements Activity {
  readonly covers = 'this process';
  readonly recorder: Recorder;
  readonly #rings: { readonly [K in DecisionSummary['result']]: Ring };
  readonly #now: () => number;
  #kept = 0;

  constructor({ limits, onOmitted, now }: MemoryActivityOptions) {
    this.recorder = new Recorder({ limits, onOmitted });
    const ring = (entries: number) => new Ring(entries, entries * ENTRY_BYTES);
    this.#rings = { deny: ring(limits.denials), allow: ring(limits.allows) };
    this.#now = now;
  }

  /** How many are kept. */
  get counts(): ActivityCounts {
    const { deny, allow } = this.#rings;
    return { denials: deny.size, allows: allow.size, workloads: this.recorder.uses.size };
  }

  keep(summary: DecisionSummary): void {
    this.#rings[summary.result].add(++this.#kept, encodeSummary(summary));
  }

  decisions(filter: DecisionFilter, limit: number, cursor: string | null): ReturnType<Activity['decisions']> {
    return pageOf(this.#lists, filter, limit, cursor);
  }

  since(places: DecisionPlaces | null): ReturnType<Activity['since']> {
    return keptSince(this.#lists, places);
  }

  get #lists(): DecisionLists {
    const source = (ring: Ring): Source => ({
      // A page may need several reads: others run between them.
      read: async (before, count) => {
        await setImmediate();
        return ring.read(before, count);
      },
    });
    return { deny: source(this.#rings.deny), allow: source(this.#rings.allow) };
  }

  async lastUses(workloads: readonly string[]): Promise<ReadonlyMap<string, LastUse>> {
    return this.#usesOf(workloads.slice(0, MAX_WORKLOADS));
  }

  async allLastUses(limit: number, cursor: string | null, skip = 0): Promise<UsesPage | BadCursor> {
    const name = nameIn(cursor);
    if (name === BAD_CURSOR) return BAD_CURSOR;
    const names = (await this.recorder.uses.namesBehind(name, skip + namesFor(limit))).slice(skip);
    return pageOfUses(names, this.#usesOf(names), limit);
  }

  #usesOf(workloads: readonly string[]): ReadonlyMap<string, LastUse> {
    const found = new Map<string, LastUse>();
    for (const workload of workloads) {
      const use = this.recorder.uses.get(workload);
      if (use !== null) found.set(workload, this.#shown(use));
    }
    return found;
  }

  #shown({ workload, owner, lastMs, credentials, tasks }: KnownUse): LastUse {
    const now = this.#now();
    return {
      workload,
      owner,
      lastMs,
      credentials: [...credentials],
      tasks: tasks.filter(({ untilMs }) => untilMs > now),
    };
  }
}
