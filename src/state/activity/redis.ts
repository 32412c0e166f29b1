import { Fault } from '../../base/fault.ts';
import type { Reply } from '../redis/link.ts';
import { MAX_SKEW_MS } from '../redis/options.ts';
import type { Script } from '../redis/scripts.ts';
import { decodeSummary, encodeSummary, workloadText } from './entry.ts';
import { keptSince } from './following.ts';
import {
  type Activity,
  BAD_CURSOR,
  type BadCursor,
  type DecisionFilter,
  type DecisionPlaces,
  type DecisionSummary,
  type LastUse,
  type ListPlace,
  MAX_WORKLOADS,
  type UsesPage,
} from './model.ts';
import { nameIn, namesFor, pageOfUses } from './names.ts';
import { type DecisionLists, type Kept, pageOf } from './paging.ts';
import { Recorder, type RecorderOptions } from './recorder.ts';
import { LIST, NAMES, USES } from './scripts.ts';
import { decodeUse } from './stored-use.ts';
import { ActivityWriter, type WriterOptions } from './writer.ts';

/** How long one read may take. */
const READ_MS = 2000;
/** Last uses that are read at once. */
const USES_AT_ONCE = 100;

export interface RedisActivityOptions extends WriterOptions {
  readonly onOmitted: RecorderOptions['onOmitted'];
}

const OTHER = new Fault('the store answered with something else than it was asked for');

/**
 * What all sidecars of a store decided lately, and whom they saw. Whoever has the password of the store can write to these
 * lists: they inform, and nothing is decided by them.
 */
export class RedisActivity implements Activity {
  readonly covers = 'all sidecars of the store';
  readonly recorder: Recorder;
  readonly writer: ActivityWriter;
  readonly #options: RedisActivityOptions;

  constructor(options: RedisActivityOptions) {
    const { limits, onOmitted } = options;
    this.#options = options;
    this.writer = new ActivityWriter(options, (nowMs) => this.recorder.uses.sweep(nowMs));
    this.recorder = new Recorder({ limits, onOmitted, onUse: (use) => this.writer.addUse(use) });
  }

  keep(summary: DecisionSummary): void {
    this.writer.add(summary.result, encodeSummary(summary));
  }

  decisions(filter: DecisionFilter, limit: number, cursor: string | null): ReturnType<Activity['decisions']> {
    return pageOf(this.#lists(filter.sinceMs ?? null), filter, limit, cursor);
  }

  since(places: DecisionPlaces | null): ReturnType<Activity['since']> {
    return keptSince(this.#lists(null), places);
  }

  async lastUses(workloads: readonly string[]): Promise<ReadonlyMap<string, LastUse> | Fault> {
    const found = new Map<string, LastUse>();
    const wanted = workloads.slice(0, MAX_WORKLOADS);
    for (let at = 0; at < wanted.length; at += USES_AT_ONCE) {
      const some = wanted.slice(at, at + USES_AT_ONCE);
      const texts = await this.#ask(USES, 'uses', some.map(workloadText));
      if (texts instanceof Fault) return texts;
      const now = this.#options.clock.now();
      for (const [n, workload] of some.entries()) {
        const use = decodeUse(workload, String(texts[n]), now);
        if (use !== null) found.set(workload, use);
      }
    }
    return found;
  }

  async allLastUses(limit: number, cursor: string | null, skip = 0): Promise<UsesPage | BadCursor | Fault> {
    const name = nameIn(cursor);
    if (name === BAD_CURSOR) return BAD_CURSOR;
    const range = [name === '' ? '-' : `(${name}`, String(skip), String(namesFor(limit))];
    const names = await this.#ask(NAMES, 'uses:names', range);
    if (names instanceof Fault) return names;
    const texts = names.map(String);
    const uses = await this.lastUses(texts);
    return uses instanceof Fault ? uses : pageOfUses(texts, uses, limit);
  }

  #lists(sinceMs: number | null): DecisionLists {
    const source = (name: string) => ({
      read: (before: ListPlace | null, count: number) => this.#read(name, before, count, sinceMs),
    });
    return { deny: source('denials'), allow: source('allows') };
  }

  /** So many entries of a list before this place, the newest first. */
  async #read(
    list: string,
    before: ListPlace | null,
    count: number,
    sinceMs: number | null,
  ): Promise<readonly Kept[] | Fault> {
    const end = before === null ? '+' : `(${before.join('-')}`;
    // An entry is written after its check began; the clock of the server may run behind by so much.
    const start = sinceMs === null ? '-' : String(Math.max(0, Math.floor(sinceMs) - MAX_SKEW_MS));
    const reply = await this.#ask(LIST, list, [end, start, String(count)]);
    if (reply instanceof Fault) return reply;
    const read: Kept[] = [];
    for (let at = 0; at + 1 < reply.length; at += 2) {
      const place = placeOf(String(reply[at]));
      if (place === null) return OTHER;
      read.push({ place, summary: decodeSummary(String(reply[at + 1])) });
    }
    return read;
  }

  /** Runs a script that reads one key. */
  async #ask(script: Script, name: string, args: readonly string[]): Promise<readonly Reply[] | Fault> {
    const { store } = this.#options;
    if (store.link === null) return new Fault('the store is not reached');
    const reply = await store.link.run(script, [store.key(name)], args, READ_MS);
    if (reply instanceof Fault) return reply;
    return Array.isArray(reply) ? (reply as readonly Reply[]) : OTHER;
  }
}

/** The place that an id of a stream names; null where it is none of ours. */
function placeOf(id: string): ListPlace | null {
  const [, ms, number] = /^(\d{1,15})-(\d{1,15})$/.exec(id) ?? [];
  return ms === undefined || number === undefined ? null : [Number(ms), Number(number)];
}
