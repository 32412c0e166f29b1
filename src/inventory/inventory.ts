import { Refusal } from '../base/outcome.ts';
import { Remembered } from '../base/remembered.ts';
import type { SpiffeId } from '../base/spiffe-id.ts';
import type { Access, HostRoutes } from './host.ts';
import type { Target, Workload } from './model.ts';
import type { Purposes } from './purposes.ts';
import type { EntryScope, EntryTableData, LegacyKind } from './table/entry-table.ts';
import { type Vouched, vouch } from './vouch.ts';
import type { EntryListing, LegacyAccount, Workloads } from './workloads.ts';

/** Every name that a policy may use as a literal. Hosts and `host/name` of apis included; all closed lists. */
export interface KnownNames {
  readonly teams: ReadonlySet<string>;
  readonly groups: ReadonlySet<string>;
  readonly purposes: ReadonlySet<string>;
  readonly approvals: ReadonlySet<string>;
  readonly signals: ReadonlySet<string>;
  readonly scopes: ReadonlySet<string>;
  readonly hosts: ReadonlySet<string>;
  readonly apis: ReadonlySet<string>;
  readonly workloadLabels: ReadonlySet<string>;
  /** Labels of hosts and apis, and the parameters of templates as `param.NAME`. */
  readonly resourceLabels: ReadonlySet<string>;
  /** Trust domains of workload entries. */
  readonly trustDomains: ReadonlySet<string>;
  /** Issuers of credentials. */
  readonly issuers: ReadonlySet<string>;
}

/** Bytes of targets that are remembered, and the longest path of one, in characters. */
const REMEMBERED_BYTES = 4 * 2 ** 20;
const REMEMBERED_PATH = 512;
/** What a target takes besides its key, about, and what is kept of it elsewhere. */
const TARGET_BYTES = 1500;

/** What `locate` reads of a request; a CheckInput has it all. */
export type Located = Access & Vouched;

/** What decides, as plain data that threads hand to each other. */
export interface InventoryContent {
  /** All but the workloads, as canonical JSON. */
  readonly text: string;
  /** The workload entries of each file. */
  readonly tables: readonly EntryTableData[];
  /** Of both: two inventories with one digest judge alike. */
  readonly digest: string;
}

export interface InventoryParts {
  readonly workloads: Workloads;
  readonly hosts: ReadonlyMap<string, HostRoutes>;
  readonly purposes: Purposes;
  readonly known: KnownNames;
  readonly dualControl: ReadonlyMap<string, readonly string[]>;
  readonly content: InventoryContent;
  readonly notes: readonly string[];
}

/**
 * Which workloads exist, who owns each, and what each resource is. Immutable: part of a snapshot, and swapped with it.
 * Only loadInventory makes one, from a file without a problem.
 */
export class Inventory {
  readonly known: KnownNames;
  /** Teams whose members grant nothing to workloads of the team, and the provider's groups whose members are in it. */
  readonly dualControl: ReadonlyMap<string, readonly string[]>;
  readonly content: InventoryContent;
  readonly hosts: ReadonlyMap<string, HostRoutes>;
  /** What works and is wider than anybody is likely to mean, one line each. */
  readonly notes: readonly string[];
  readonly #workloads: Workloads;
  readonly #purposes: Purposes;
  /** Which target a request names depends on nothing but the request and this inventory. */
  readonly #targets = new Remembered<Target>(REMEMBERED_BYTES, () => TARGET_BYTES);
  readonly #servedBy: ReadonlyMap<string, readonly string[]>;

  private constructor(parts: InventoryParts) {
    this.known = parts.known;
    this.dualControl = parts.dualControl;
    this.content = parts.content;
    this.hosts = parts.hosts;
    this.notes = parts.notes;
    this.#workloads = parts.workloads;
    this.#purposes = parts.purposes;
    this.#servedBy = servedBy(parts.hosts);
    Object.freeze(this);
  }

  /** Only from checked parts: inventory/load.ts is the one caller. */
  static loaded(parts: InventoryParts): Inventory {
    return new Inventory(parts);
  }

  /** What the longest entry that holds says of the workload; `caller_unregistered` where none holds. */
  workload(id: SpiffeId): Workload | Refusal {
    return this.#workloads.find(id);
  }

  /** All entries, one after the other: there may be a million. */
  entries(): Generator<EntryListing, void> {
    return this.#workloads.listing();
  }

  /** Entries of one kind behind a text, in the order of their texts; null: all of the kind. */
  entriesAfter(scope: EntryScope, after: string | null): Generator<EntryListing, void> {
    return this.#workloads.listingAfter(scope, after);
  }

  /** Whether some entry is for `text`, or for something below it by whole segments. */
  lists(text: string): boolean {
    return this.#workloads.lists(text);
  }

  /** The workload that a verified token of this issuer with this subject is; null where no entry names the two. */
  credential(issuer: string, subject: string): SpiffeId | null {
    return this.#workloads.credential(issuer, subject);
  }

  /** The account with this legacy credential: a key by the hex digits of its SHA-256. Null where none has it. */
  legacy(kind: LegacyKind, value: string): LegacyAccount | null {
    return this.#workloads.legacy(kind, value);
  }

  /** Every account with legacy credentials of the kind, once for each of them. */
  legacyAccounts(kind: LegacyKind): Generator<LegacyAccount, void> {
    return this.#workloads.legacyAccounts(kind);
  }

  /** All wider purposes that this one belongs to, without itself; null when it is no purpose of the inventory. */
  widerPurposes(purpose: string): readonly string[] | null {
    return this.#purposes.get(purpose) ?? null;
  }

  /**
   * The resource and the action of a request whose host somebody vouches for. `hosts` is the list of the
   * configuration. Refusals: those of `vouch` and of `target`.
   */
  locate(input: Located, options: { readonly hosts: readonly string[] }): Target | Refusal {
    const refusal = vouch(input, { hosts: options.hosts, servedBy: this.#servedBy });
    return refusal ?? this.target(input);
  }

  /**
   * The resource and the action, whoever vouches for the host: for policy tests and tools. Refusals: `request_host_unknown`
   * (the inventory does not list the host), `request_method_not_allowed`, `request_path_ambiguous`, `request_malformed`.
   */
  target(access: Access): Target | Refusal {
    const host = this.hosts.get(access.host);
    if (host === undefined) return new Refusal('request_host_unknown', 'the inventory lists no such host');
    const { method, upgrade, grpc, path } = access;
    if (path.length > REMEMBERED_PATH || !path.isWellFormed()) return host.target(access);
    const key = `${host.host.name} ${method} ${upgrade} ${grpc} ${path}`;
    const known = this.#targets.get(key);
    if (known !== undefined) return known;
    // A text of its own: a part of a message would keep all of that in memory.
    const target = host.target({ ...access, path: Buffer.from(path).toString() });
    if (!(target instanceof Refusal)) this.#targets.set(key, target);
    return target;
  }
}

function servedBy(hosts: ReadonlyMap<string, HostRoutes>): ReadonlyMap<string, readonly string[]> {
  const pairs = [...hosts].flatMap(([name, { servedBy: ids }]) => [...ids].map((id) => ({ id, name })));
  const byId = Map.groupBy(pairs, ({ id }) => id);
  return new Map([...byId].map(([id, served]) => [id, served.map(({ name }) => name)]));
}
