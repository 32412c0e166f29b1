import { Refusal } from '../base/outcome.ts';
import { SpiffeId } from '../base/spiffe-id.ts';
import type { Report } from '../source/problem-at-path.ts';
import type { DataPath } from '../source/yaml.ts';
import { certificateKey, legacyFaults, legacyPath, repeatedLegacy } from './legacy/rules.ts';
import { covers } from './networks.ts';
import type { WorkloadEntry } from './schema.ts';
import {
  type EntryTable,
  type EntryTableBuilder,
  listOf,
  type TableCredential,
  type TableEntry,
} from './table/entry-table.ts';
import { type Profile, type Resolved, type Workloads, withDefaults } from './workloads.ts';

/** Where the rules for one file put what they find: the place of the entry, and the path within it. */
export type EntryReport = (place: number, path: DataPath, message: string) => void;

type Found = readonly [path: DataPath, message: string];

const NONE: readonly Found[] = [];

/**
 * Adds an entry that has the right shape to a table, and reports what is wrong with it by itself: a bad id, none or two of
 * them, keys that an `under` entry cannot have. `place` is where it stands in its file.
 */
export function addEntry(entry: WorkloadEntry, place: number, table: EntryTableBuilder, report: Report): void {
  const id = readId(entry, report);
  if (id === null) return;
  const scope = entry.id === undefined ? 'under' : 'id';
  const { owner, kind, external, relay, groups, labels, networks, legacy, reviewed, loosens } = entry;
  const sorted = labels === undefined ? undefined : Object.fromEntries(Object.entries(labels).toSorted());
  const profile = { owner, kind, external, relay, groups, labels: sorted, networks, legacy, reviewed, loosens };
  table.add(scope, id.text, JSON.stringify(profile), place);
  table.name(id.trustDomain, groups, labels === undefined ? undefined : Object.keys(labels));
  for (const [position, { issuer, subject }] of (entry.credentials ?? []).entries()) {
    table.credential(issuer, subject, id.text, position, place);
  }
  for (const [position, { sha256 }] of (legacy?.keys ?? []).entries())
    table.legacy('key', sha256, id.text, position, place);
  for (const [position, named] of (legacy?.certificates ?? []).entries())
    table.legacy(...certificateKey(named), id.text, position, place);
}

function readId(entry: WorkloadEntry, report: Report): SpiffeId | null {
  if ((entry.id === undefined) === (entry.under === undefined)) {
    report([], "an entry states either 'id' (one workload) or 'under' (all below); state one of them");
    return null;
  }
  const key = entry.id === undefined ? 'under' : 'id';
  const id = SpiffeId.parse(entry.id ?? entry.under ?? '');
  if (id instanceof Refusal) {
    report([key], `not a SPIFFE ID: ${id.detail}; write spiffe://trust-domain/path`);
    return null;
  }
  if (key === 'id' && id.path === '') {
    report([key], 'the id of a trust domain is no workload; add a path');
    return null;
  }
  if (key === 'under') {
    for (const forbidden of ['groups', 'credentials', 'legacy'] as const) {
      if (entry[forbidden] !== undefined)
        report([forbidden], `an 'under' entry carries no ${forbidden}; name the workload by 'id'`);
    }
  }
  return id;
}

/** Lines of notes that are written at most. */
const MAX_NOTES = 100;

/** Every address of a family: a network of no bits. */
const EVERYWHERE = /\/0+$/;

/**
 * Reports what contradicts among the entries of all files: an entry stated twice, no owner, an owner that is no team, a
 * service that does not state `relay`, a credential that names two workloads, a legacy account that could never be held to
 * its bounds, and whatever an entry loosens of a shorter one without `loosens: true`. `hosts` are those of the inventory, `reports` are those of the tables. Of entries that state the same below the same shorter
 * entry one is judged for all. The answer is notes on networks that hold every address.
 */
export function checkEntries(
  workloads: Workloads,
  teams: ReadonlySet<string> | null,
  hosts: ReadonlySet<string>,
  reports: readonly EntryReport[],
): string[] {
  const notes: string[] = [];
  for (const [number, table] of workloads.tables.entries()) {
    const report = reports[number] ?? (() => {});
    const judged = new Map<string | undefined, Map<number, readonly Found[]>>();
    let before: TableEntry | null = null;
    for (const entry of table.entries()) {
      const stated = table.profile(entry.profile);
      const shorter = workloads.nearest(entry.text);
      const known = judged.get(shorter?.text) ?? new Map<number, readonly Found[]>();
      judged.set(shorter?.text, known);
      const found = known.get(entry.profile) ?? judge(stated, shorter, teams, hosts);
      known.set(entry.profile, found);
      for (const [path, message] of found) report(entry.place, path, message);
      if (before?.text === entry.text && before.scope === entry.scope) report(entry.place, ...again(entry));
      if (notes.length < MAX_NOTES) notes.push(...wideNetworks(entry.text, stated));
      before = entry;
    }
    const earlier = workloads.tables.slice(0, number);
    reportCredentials(table, earlier, report);
    for (const other of earlier) reportShared(other, table, report);
  }
  return notes;
}

function wideNetworks(text: string, { networks = [] }: Profile): string[] {
  return networks
    .filter((network) => EVERYWHERE.test(network))
    .map(
      (network) =>
        `networks of ${text} holds ${network}, which is every address; name the networks that it calls from, or leave the key out`,
    );
}

const again = ({ scope, text }: TableEntry): Found => [[scope], `${text} has an entry already; keep one`];

/** What stands in an earlier file too. */
function reportShared(earlier: EntryTable<Profile>, table: EntryTable<Profile>, report: EntryReport): void {
  let before = '';
  for (const entry of earlier.entries()) {
    const place = before === entry.text ? undefined : table.placeOf(entry.scope, entry.text);
    if (place !== undefined) report(place, ...again(entry));
    before = entry.text;
  }
}

/** Every issuer and subject that is named again, in this file or after an earlier one. Equal ones stand side by side. */
function reportCredentials(
  table: EntryTable<Profile>,
  earlier: readonly EntryTable<Profile>[],
  report: EntryReport,
): void {
  let same: TableCredential[] = [];
  const judge = (): void => {
    const [first, ...more] = same.toSorted((a, b) => a.place - b.place || a.position - b.position);
    if (first === undefined) return;
    const other = earlier.map((one) => one.credentials(first.key).next().value).find((found) => found !== undefined);
    const repeated = other === undefined ? more : [first, ...more];
    for (const { place, position } of repeated)
      report(place, [...pathOf(first.key), position], twice(first.key, (other ?? first).id));
    same = [];
  };
  for (const one of table.credentials()) {
    if (same[0]?.key !== one.key) judge();
    same.push(one);
  }
  judge();
}

function pathOf(key: string): DataPath {
  const list = listOf(key);
  return list === 'credentials' ? [list] : legacyPath(list);
}

function twice(key: string, id: string): string {
  const list = listOf(key);
  if (list !== 'credentials') return repeatedLegacy(list, id);
  return `this issuer and subject is ${id} already; one credential names one workload`;
}

function judge(
  stated: Profile,
  shorter: Resolved | undefined,
  teams: ReadonlySet<string> | null,
  hosts: ReadonlySet<string>,
): readonly Found[] {
  const found: Found[] = [];
  const kind = stated.kind ?? shorter?.kind;
  const relay = stated.relay ?? shorter?.relay;
  if (stated.owner === undefined && shorter === undefined) found.push([[], "nobody owns this entry; state 'owner'"]);
  if (stated.owner !== undefined && teams?.has(stated.owner) === false) {
    found.push([['owner'], `no team is called '${stated.owner}'; list it under teams, or correct it`]);
  }
  if (kind === 'service' && relay === undefined) {
    found.push([[], "a service states whether it acts for others; add 'relay: true' or 'relay: false'"]);
  }
  if (stated.legacy !== undefined)
    found.push(...legacyFaults(stated.legacy, kind, stated.networks ?? shorter?.networks ?? null, hosts));
  if (shorter !== undefined) found.push(...loosening(stated, shorter));
  else if (stated.loosens) {
    found.push([['loosens'], "no shorter entry holds here, so nothing is loosened; remove 'loosens'"]);
  }
  return found.length === 0 ? NONE : found;
}

function loosening(stated: Profile, shorter: Resolved): Found[] {
  const loosened: [key: keyof Profile, what: string][] = [];
  // What no entry states is loosened like what one states: by default a workload is an agent that is external.
  const { kind: outerKind, external: outerExternal } = withDefaults(shorter);
  const byDefault = (value: unknown): string => (value === undefined ? ', the default' : '');
  // An agent is judged most strictly of all; a legacy account is held to its networks, age and signals.
  if (stated.kind !== undefined && stated.kind !== outerKind && (outerKind === 'agent' || outerKind === 'legacy')) {
    loosened.push(['kind', `kind: ${outerKind}${byDefault(shorter.kind)}`]);
  }
  if (stated.external === false && outerExternal) {
    loosened.push(['external', `external: true${byDefault(shorter.external)}`]);
  }
  if (stated.relay === false && shorter.relay === true) loosened.push(['relay', 'relay: true']);
  const outer = shorter.networks;
  if (outer !== null && stated.networks !== undefined && !covers(outer, stated.networks)) {
    loosened.push(['networks', `networks: [${outer.join(', ')}]`]);
  }
  if (stated.loosens) {
    return loosened.length > 0
      ? []
      : [[['loosens'], `nothing of the entry ${shorter.text} is loosened; remove 'loosens'`]];
  }
  const cure = "correct it, or add 'loosens: true' if that is meant";
  return loosened.map(([key, what]) => [[key], `loosens '${what}' of the entry ${shorter.text}; ${cure}`]);
}
