import { Refusal } from '../base/outcome.ts';
import { SpiffeId } from '../base/spiffe-id.ts';
import type { Report } from '../source/problem-at-path.ts';
import type { Kind, Workload } from './model.ts';
import { covers } from './networks.ts';
import type { WorkloadEntry } from './schema.ts';

/** A workload entry of the file, together with its position there. */
export interface Placed<T> {
  readonly index: number;
  readonly entry: T;
}

/** What an entry says after it took from shorter ones what it does not state itself. Undefined: no entry stated it. */
interface Resolved {
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
  readonly scope: 'id' | 'under';
  readonly owner: string;
  readonly kind: Kind;
  /** The day of the last review (2026-11-01), null where none is stated. */
  readonly reviewed: string | null;
}

/** Workloads of `under` entries that are kept once they were asked for: one id is then always the same object. */
const KEPT = 4096;

/** The workloads of one inventory. */
export interface Workloads {
  readonly listing: readonly EntryListing[];
  find(id: SpiffeId): Workload | Refusal;
  /** The workload that a verified token of this issuer with this subject is; null where no entry names the two. */
  credential(issuer: string, subject: string): SpiffeId | null;
}

/**
 * Resolves the entries, shorter ones first, and reports what contradicts: a bad id, an entry stated twice, no owner, a
 * service that does not state `relay`, a credential that names two workloads, and whatever an entry loosens of a shorter
 * one without `loosens: true`.
 */
export function compileWorkloads(
  entries: readonly Placed<WorkloadEntry>[],
  own: ReadonlySet<string>,
  report: Report,
): Workloads {
  const exact = new Map<string, Workload>();
  const under = new Map<string, Resolved>();
  const credentials = new Map<string, SpiffeId>();
  const listing: { index: number; row: EntryListing }[] = [];
  const byLength = entries.toSorted((a, b) => textOf(a.entry).length - textOf(b.entry).length);
  for (const { index, entry } of byLength) {
    const at: Report = (path, message) => report(['workloads', index, ...path], message);
    const id = readId(entry, at);
    if (id === null) continue;
    const resolved = resolve(entry, id, nearest(id.text, under), at);
    const scope = entry.id === undefined ? 'under' : 'id';
    if ((scope === 'id' ? exact : under).has(id.text)) at([scope], `${id.text} has an entry already; keep one`);
    const workload = describe(id, resolved, own);
    if (scope === 'id') exact.set(id.text, workload);
    else under.set(id.text, resolved);
    for (const [position, { issuer, subject }] of (entry.credentials ?? []).entries()) {
      const key = credentialKey(issuer, subject);
      const other = credentials.get(key)?.text;
      const message = `this issuer and subject is ${other} already; one credential names one workload`;
      if (other !== undefined) at(['credentials', position], message);
      credentials.set(key, id);
    }
    const { owner, reviewed } = resolved;
    listing.push({ index, row: Object.freeze({ entry: id.text, scope, owner, kind: workload.kind, reviewed }) });
  }
  const rows = listing.toSorted((a, b) => a.index - b.index).map(({ row }) => row);
  const kept = new Map<string, Workload>();
  return {
    listing: Object.freeze(rows),
    credential: (issuer, subject) => credentials.get(credentialKey(issuer, subject)) ?? null,
    find(id) {
      const found = exact.get(id.text) ?? kept.get(id.text);
      if (found !== undefined) return found;
      const entry = nearest(id.text, under);
      if (entry === undefined)
        return new Refusal('caller_unregistered', `no workload entry of the inventory holds for ${id.text}`);
      const workload = describe(id, entry, own);
      const [oldest] = kept.keys();
      if (kept.size >= KEPT && oldest !== undefined) kept.delete(oldest);
      kept.set(id.text, workload);
      return workload;
    },
  };
}

function textOf(entry: WorkloadEntry): string {
  return entry.id ?? entry.under ?? '';
}

function readId(entry: WorkloadEntry, report: Report): SpiffeId | null {
  if ((entry.id === undefined) === (entry.under === undefined)) {
    report([], "an entry states either 'id' (one workload) or 'under' (all below); state one of them");
    return null;
  }
  const key = entry.id === undefined ? 'under' : 'id';
  const id = SpiffeId.parse(textOf(entry));
  if (id instanceof Refusal) {
    report([key], `not a SPIFFE ID: ${id.detail}; write spiffe://trust-domain/path`);
    return null;
  }
  if (key === 'id' && id.path === '') {
    report([key], 'the id of a trust domain is no workload; add a path');
    return null;
  }
  if (key === 'under') {
    for (const forbidden of ['groups', 'credentials'] as const) {
      if (entry[forbidden] !== undefined)
        report([forbidden], `an 'under' entry carries no ${forbidden}; name the workload by 'id'`);
    }
  }
  return id;
}

function resolve(entry: WorkloadEntry, id: SpiffeId, shorter: Resolved | undefined, report: Report): Resolved {
  const kind = entry.kind ?? shorter?.kind;
  const relay = entry.relay ?? shorter?.relay;
  if (entry.owner === undefined && shorter === undefined) report([], "nobody owns this entry; state 'owner'");
  if (kind === 'service' && relay === undefined) {
    report([], "a service states whether it acts for others; add 'relay: true' or 'relay: false'");
  }
  if (shorter !== undefined) reportLoosening(entry, shorter, report);
  else if (entry.loosens) report(['loosens'], "no shorter entry holds here, so nothing is loosened; remove 'loosens'");
  return {
    text: id.text,
    owner: entry.owner ?? shorter?.owner ?? '',
    kind,
    external: entry.external ?? shorter?.external,
    relay,
    groups: Object.freeze([...new Set(entry.groups ?? [])].toSorted()),
    labels: new Map([...(shorter?.labels ?? []), ...Object.entries(entry.labels ?? {})]),
    networks: entry.networks === undefined ? (shorter?.networks ?? null) : Object.freeze([...entry.networks]),
    reviewed: entry.reviewed ?? null,
  };
}

function reportLoosening(entry: WorkloadEntry, shorter: Resolved, report: Report): void {
  const loosened: [key: keyof WorkloadEntry, what: string][] = [];
  // What no entry states is loosened like what one states: by default a workload is an agent that is external.
  const { kind: outerKind, external: outerExternal } = withDefaults(shorter);
  const byDefault = (stated: unknown): string => (stated === undefined ? ', the default' : '');
  // An agent is judged most strictly of all; a legacy account is held to its networks, age and signals.
  if (entry.kind !== undefined && entry.kind !== outerKind && (outerKind === 'agent' || outerKind === 'legacy')) {
    loosened.push(['kind', `kind: ${outerKind}${byDefault(shorter.kind)}`]);
  }
  if (entry.external === false && outerExternal) {
    loosened.push(['external', `external: true${byDefault(shorter.external)}`]);
  }
  if (entry.relay === false && shorter.relay === true) loosened.push(['relay', 'relay: true']);
  const outer = shorter.networks;
  if (outer !== null && entry.networks !== undefined && !covers(outer, entry.networks)) {
    loosened.push(['networks', `networks: [${outer.join(', ')}]`]);
  }
  if (entry.loosens && loosened.length === 0) {
    report(['loosens'], `nothing of the entry ${shorter.text} is loosened; remove 'loosens'`);
  }
  if (entry.loosens) return;
  const cure = "correct it, or add 'loosens: true' if that is meant";
  for (const [key, what] of loosened) report([key], `loosens '${what}' of the entry ${shorter.text}; ${cure}`);
}

/** Defaults come last: not stated by any entry, a workload is an agent, and an agent takes input from outside. */
function withDefaults(entry: Resolved): { readonly kind: Kind; readonly external: boolean } {
  const kind = entry.kind ?? 'agent';
  return { kind, external: entry.external ?? kind === 'agent' };
}

function describe(id: SpiffeId, entry: Resolved, own: ReadonlySet<string>): Workload {
  const { owner, groups, labels, networks, text, relay = false } = entry;
  const { kind, external: stated } = withDefaults(entry);
  const external = !own.has(id.trustDomain) || stated;
  return Object.freeze({ id, owner, kind, external, relay, groups, labels, networks, entry: text });
}

/** The longest `under` entry that holds for `text`: strictly below it, by whole segments. */
function nearest(text: string, under: ReadonlyMap<string, Resolved>): Resolved | undefined {
  const root = 'spiffe://'.length;
  for (let slash = text.lastIndexOf('/'); slash > root; slash = text.lastIndexOf('/', slash - 1)) {
    const found = under.get(text.slice(0, slash));
    if (found !== undefined) return found;
  }
  return undefined;
}

function credentialKey(issuer: string, subject: string): string {
  return JSON.stringify([issuer, subject]);
}
