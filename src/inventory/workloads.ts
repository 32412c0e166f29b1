import { Refusal } from '../base/outcome.ts';
import { SpiffeId } from '../base/spiffe-id.ts';
import type { LegacyEntry } from './legacy/schema.ts';
import type { Kind, Workload } from './model.ts';
import type { WorkloadEntry } from './schema.ts';
import type { EntryScope, EntryTable, LegacyKind, TableEntry } from './table/entry-table.ts';

/** What an entry states beside whom it is for. Many entries state the same. */
export type Profile = Omit<WorkloadEntry, 'id' | 'under' | 'credentials'>;

/** What an entry says after it took from shorter ones what it does not state itself. Undefined: no entry stated it. */
export interface Resolved {
  readonly text: string;
  readonly owner: string;
  readonly kind: Kind | undefined;
  readonly external: boolean | undefined;
  readonly relay: boolean | undefined;
  readonly groups: readonly string[];
  readonly labels: ReadonlyMap<string, string>;
  readonly networks: readonly string[] | null;
  readonly reviewed: string | null;
}

/** One entry of the file with what it takes from shorter ones. */
export interface EntryListing {
  readonly entry: string;
  /** The entry holds for one workload, or for all below a prefix. */
  readonly scope: EntryScope;
  readonly owner: string;
  readonly kind: Kind;
  /** The day of the last review (2026-11-01), null where none is stated. */
  readonly reviewed: string | null;
}

/** An account with legacy credentials, and what its entry says of them. */
export interface LegacyAccount {
  readonly id: SpiffeId;
  readonly stated: LegacyEntry;
}

/** Workloads that are kept once they were found, and entries with what they take from shorter ones. */
const KEPT = 8192;

/**
 * The workloads of one inventory: what its entries state, found when it is asked for. Only of entries that were checked
 * (`checkEntries`).
 */
export class Workloads {
  readonly tables: readonly EntryTable<Profile>[];
  readonly #own: ReadonlySet<string>;
  readonly #lengths: ReadonlySet<number>;
  readonly #found = new Map<string, Workload>();
  readonly #unders = new Map<string, Resolved>();

  constructor(tables: readonly EntryTable<Profile>[], own: ReadonlySet<string>) {
    this.tables = tables;
    this.#own = own;
    this.#lengths = new Set(tables.flatMap((table) => [...table.underLengths()]));
  }

  find(id: SpiffeId): Workload | Refusal {
    const known = this.#found.get(id.text);
    if (known !== undefined) return known;
    const stated = this.#stated('id', id.text);
    const entry = stated === undefined ? this.nearest(id.text) : resolve(id.text, stated, this.nearest(id.text));
    if (entry === undefined) {
      return new Refusal('caller_unregistered', `no workload entry of the inventory holds for ${id.text}`);
    }
    const workload = describe(id, entry, this.#own);
    keep(this.#found, id.text, workload);
    return workload;
  }

  credential(issuer: string, subject: string): SpiffeId | null {
    for (const table of this.tables) {
      const text = table.credential(issuer, subject);
      const id = text === null ? null : SpiffeId.parse(text);
      if (id instanceof SpiffeId) return id;
    }
    return null;
  }

  /** The account with this legacy credential, and what its entry says of those; null where none has it. */
  legacy(kind: LegacyKind, value: string): LegacyAccount | null {
    for (const table of this.tables) {
      const text = table.legacy(kind, value);
      if (text !== null) return this.#account(text);
    }
    return null;
  }

  /** Every account with legacy credentials of the kind, once for each of them. */
  *legacyAccounts(kind: LegacyKind): Generator<LegacyAccount, void> {
    for (const table of this.tables)
      for (const text of table.legacyAccounts(kind)) {
        const account = this.#account(text);
        if (account !== null) yield account;
      }
  }

  #account(text: string): LegacyAccount | null {
    const id = SpiffeId.parse(text);
    const stated = this.#stated('id', text)?.legacy;
    return id instanceof Refusal || stated === undefined ? null : { id, stated };
  }

  /** Whether some entry is for `text`, or for something below it by whole segments. */
  lists(text: string): boolean {
    return this.tables.some((table) => table.lists(text));
  }

  /** All entries, one after the other: there may be a million. */
  *listing(): Generator<EntryListing, void> {
    for (const table of this.tables) for (const entry of table.entries()) yield this.#listed(table, entry);
  }

  /** Those of one kind behind a text, in the order of their texts; null: all. */
  *listingAfter(scope: EntryScope, after: string | null): Generator<EntryListing, void> {
    const streams = this.tables.map((table) => {
      const entries = table.entriesAfter(scope, after);
      return { table, entries, next: entries.next().value };
    });
    for (;;) {
      let first = streams[0];
      for (const stream of streams)
        if (stream.next !== undefined && (first?.next === undefined || stream.next.text < first.next.text))
          first = stream;
      if (first?.next === undefined) return;
      yield this.#listed(first.table, first.next);
      first.next = first.entries.next().value;
    }
  }

  /** The longest `under` entry that holds for `text`: strictly below it, by whole segments. */
  nearest(text: string): Resolved | undefined {
    const root = 'spiffe://'.length;
    for (let slash = text.lastIndexOf('/'); slash > root; slash = text.lastIndexOf('/', slash - 1)) {
      if (!this.#lengths.has(slash)) continue;
      const prefix = text.slice(0, slash);
      const known = this.#unders.get(prefix);
      if (known !== undefined) return known;
      const stated = this.#stated('under', prefix);
      if (stated === undefined) continue;
      const resolved = resolve(prefix, stated, this.nearest(prefix));
      keep(this.#unders, prefix, resolved);
      return resolved;
    }
    return undefined;
  }

  #listed(table: EntryTable<Profile>, { scope, text: entry, profile }: TableEntry): EntryListing {
    const resolved = resolve(entry, table.profile(profile), this.nearest(entry));
    const { owner, reviewed } = resolved;
    return Object.freeze({ entry, scope, owner, kind: withDefaults(resolved).kind, reviewed });
  }

  #stated(scope: EntryScope, text: string): Profile | undefined {
    for (const table of this.tables) {
      const found = table.find(scope, text);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

function keep<T>(memory: Map<string, T>, key: string, value: T): void {
  const [oldest] = memory.keys();
  if (memory.size >= KEPT && oldest !== undefined) memory.delete(oldest);
  memory.set(key, value);
}

/** An entry with what it takes from the next shorter one. */
function resolve(text: string, stated: Profile, shorter: Resolved | undefined): Resolved {
  return {
    text,
    owner: stated.owner ?? shorter?.owner ?? '',
    kind: stated.kind ?? shorter?.kind,
    external: stated.external ?? shorter?.external,
    relay: stated.relay ?? shorter?.relay,
    groups: Object.freeze([...new Set(stated.groups ?? [])].toSorted()),
    labels: new Map([...(shorter?.labels ?? []), ...Object.entries(stated.labels ?? {})]),
    networks: stated.networks === undefined ? (shorter?.networks ?? null) : Object.freeze([...stated.networks]),
    reviewed: stated.reviewed ?? null,
  };
}

/** Defaults come last: not stated by any entry, a workload is an agent, and an agent takes input from outside. */
export function withDefaults(entry: Resolved): { readonly kind: Kind; readonly external: boolean } {
  const kind = entry.kind ?? 'agent';
  return { kind, external: entry.external ?? kind === 'agent' };
}

function describe(id: SpiffeId, entry: Resolved, own: ReadonlySet<string>): Workload {
  const { owner, groups, labels, networks, text, relay = false } = entry;
  const { kind, external: stated } = withDefaults(entry);
  const external = !own.has(id.trustDomain) || stated;
  return Object.freeze({ id, owner, kind, external, relay, groups, labels, networks, entry: text });
}
