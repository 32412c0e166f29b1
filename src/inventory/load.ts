import { createHash } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson, jsonOf } from '../base/json.ts';
import { Refusal } from '../base/outcome.ts';
import { SpiffeId } from '../base/spiffe-id.ts';
import { signalKinds } from '../behaviour/signals.ts';
import { shapeProblems, withPath } from '../source/explain.ts';
import { MAX_PROBLEMS, type Problem, sortProblems } from '../source/problem.ts';
import type { Report } from '../source/problem-at-path.ts';
import { readYaml } from '../source/yaml.ts';
import { rank } from './apis.ts';
import { addEntry, checkEntries, type EntryReport } from './entry-rules.ts';
import { compileHost, type HostRoutes } from './host.ts';
import { Inventory, type InventoryContent, type InventoryParts, type KnownNames } from './inventory.ts';
import { type EntryLines, readEntryLines } from './lines.ts';
import { compilePurposes } from './purposes.ts';
import {
  type HostEntry,
  hostSchema,
  type InventoryFile,
  inventorySchema,
  type WorkloadEntry,
  workloadSchema,
} from './schema.ts';
import { EntryTable, EntryTableBuilder, type EntryTableData } from './table/entry-table.ts';
import { Workloads } from './workloads.ts';

export interface LoadOptions {
  /** Trust domains whose bundle the config marks `local`: a workload of any other is external, whatever the file says. */
  readonly ownTrustDomains: ReadonlySet<string>;
  /** `workloads.jsonl` beside the inventory, where it is there. */
  readonly lines?: EntryLines | undefined;
}

/**
 * The inventory that the text of an inventory file states, or every problem of it with its place and what to do. Strict:
 * unknown and repeated keys, names that are nowhere listed and contradictions are problems. Never throws. `file` is only
 * shown.
 */
export function loadInventory(text: string, file: string, options: LoadOptions): Inventory | Problem[] {
  const yaml = readYaml(text, file, 'state at least teams, workloads and resources');
  if (Array.isArray(yaml)) return yaml;
  const problems: Problem[] = [];
  const report: Report = (path, message) => {
    if (problems.length < MAX_PROBLEMS) problems.push(yaml.problem(path, withPath(path, message)));
  };
  const { ownTrustDomains: own, lines } = options;
  const shape = inventorySchema.safeParse(yaml.value, { reportInput: true });
  if (!shape.success) problems.push(...shapeProblems(shape.error, yaml));
  const estate = shape.success ? wholeEstate(shape.data) : readableEstate(yaml.value);
  if (shape.success) reportLines(shape.data, lines, report);
  for (const team of shape.success ? Object.keys(shape.data.dualControl ?? {}) : [])
    if (!shape.data!.teams.includes(team))
      report(['dualControl', team], `no team is called '${team}'; list it under teams, or correct it`);
  const read = lines === undefined ? null : readEntryLines(lines);
  const inFile: EntryReport = (index, path, message) => report(['workloads', index, ...path], message);
  const stated = new EntryTableBuilder();
  for (const { index, entry } of estate.workloads) {
    addEntry(entry, index, stated, (path, message) => inFile(index, path, message));
  }
  const tables = read === null ? [stated.build()] : [stated.build(), read.table];
  const workloads = workloadsOf(tables, own);
  const hostNames = new Set(estate.hosts.map(({ entry }) => entry.host));
  const notes = checkEntries(workloads, estate.teams, hostNames, [inFile, ...(read === null ? [] : [read.report])]);
  const parts = compile(estate, report);
  problems.push(...(read?.problems ?? []), ...(read?.placed() ?? []));
  if (problems.length > 0 || !shape.success) return sortProblems(problems).slice(0, MAX_PROBLEMS);
  if (shape.data.unlisted?.sensitivity === 'public') notes.push(UNLISTED_IS_PUBLIC);
  return inventoryOf(parts, workloads, { file: { ...shape.data, workloads: [] }, own: [...own].toSorted(), notes });
}

const UNLISTED_IS_PUBLIC =
  'unlisted is public: a host that states no sensitivity is open to the weakest proof; leave it at restricted';

/** A file of entries that is missing would loosen what it states, and one that is not read would do so without a word. */
function reportLines({ workloadsFile }: InventoryFile, lines: EntryLines | undefined, report: Report): void {
  if (workloadsFile !== undefined && lines === undefined) {
    report(['workloadsFile'], `no ${workloadsFile} stands beside this file; put it there, or remove the key`);
  } else if (workloadsFile === undefined && lines !== undefined) {
    report(
      [],
      `${lines.file} stands beside this file and is not read; add 'workloadsFile: ${lines.file}', or move it away`,
    );
  }
}

/**
 * The inventory again from the `content` of one that was loaded, without reading YAML: a worker judges a file, and the
 * thread that serves is not held up by reading it once more. Null when the text is no such content.
 */
export function restoreInventory({ text, tables, digest }: InventoryContent): Inventory | null {
  const restored = contentSchema.safeParse(jsonOf(text));
  if (!restored.success) return null;
  let sound = true;
  const parts = compile(wholeEstate(restored.data.file), () => {
    sound = false;
  });
  return sound ? inventoryOf(parts, workloadsOf(tables, new Set(restored.data.own)), restored.data, digest) : null;
}

const workloadsOf = (tables: readonly EntryTableData[], own: ReadonlySet<string>): Workloads =>
  new Workloads(
    tables.map((table) => new EntryTable(table)),
    own,
  );

/** All but the workloads, which are in tables. */
const contentSchema = z.strictObject({ file: inventorySchema, own: z.array(z.string()), notes: z.array(z.string()) });

type Compiled = Pick<InventoryParts, 'hosts' | 'purposes'>;

function compile(estate: Estate, report: Report): Compiled {
  const purposes = compilePurposes(estate.purposes, report);
  const hosts = compileHosts(estate, report);
  checkOwners(estate, report);
  return { purposes, hosts };
}

function inventoryOf(
  parts: Compiled,
  workloads: Workloads,
  content: z.infer<typeof contentSchema>,
  digest: string | null = null,
): Inventory {
  const tables = workloads.tables.map(({ data }) => data);
  const text = canonicalJson(content);
  return Inventory.loaded({
    ...parts,
    workloads,
    known: knownNames(content.file, parts.hosts, tables),
    dualControl: new Map(Object.entries(content.file.dualControl ?? {})),
    content: { text, tables, digest: digest ?? digestOf(text, tables) },
    notes: Object.freeze(content.notes),
  });
}

function digestOf(text: string, tables: readonly EntryTableData[]): string {
  const hash = createHash('sha256').update(text);
  for (const { ids, unders, credentials, profiles } of tables) {
    for (const { bytes, ends } of [ids, unders, credentials, profiles]) hash.update(bytes).update(ends);
    for (const { numbers } of [ids, unders, credentials]) hash.update(numbers);
  }
  return hash.digest('base64url');
}

/** An entry of the file, together with its position there. */
interface Placed<T> {
  readonly index: number;
  readonly entry: T;
}

/** What could be read of the file, so that one report names all problems and not only those of its shape. */
interface Estate {
  readonly teams: ReadonlySet<string> | null;
  readonly purposes: NonNullable<InventoryFile['purposes']>;
  readonly unlisted: NonNullable<InventoryFile['unlisted']>;
  readonly workloads: readonly Placed<WorkloadEntry>[];
  readonly hosts: readonly Placed<HostEntry>[];
}

const DEFAULT_UNLISTED = { sensitivity: 'restricted' } as const;

function wholeEstate(file: InventoryFile): Estate {
  return {
    teams: new Set(file.teams),
    purposes: file.purposes ?? {},
    unlisted: file.unlisted ?? DEFAULT_UNLISTED,
    workloads: file.workloads.map((entry, index) => ({ index, entry })),
    hosts: file.resources.map((entry, index) => ({ index, entry })),
  };
}

function readableEstate(value: unknown): Estate {
  const section = (name: string): unknown =>
    typeof value === 'object' && value !== null ? Object.getOwnPropertyDescriptor(value, name)?.value : undefined;
  const { teams, purposes, unlisted } = inventorySchema.shape;
  const readableTeams = teams.safeParse(section('teams'));
  return {
    teams: readableTeams.success ? new Set(readableTeams.data) : null,
    purposes: purposes.safeParse(section('purposes')).data ?? {},
    unlisted: unlisted.safeParse(section('unlisted')).data ?? DEFAULT_UNLISTED,
    workloads: readable(section('workloads'), workloadSchema),
    hosts: readable(section('resources'), hostSchema),
  };
}

function readable<S extends z.ZodType>(list: unknown, schema: S): Placed<z.output<S>>[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: unknown, index) => {
    const parsed = schema.safeParse(item);
    return parsed.success ? [{ index, entry: parsed.data }] : [];
  });
}

function compileHosts(estate: Estate, report: Report): ReadonlyMap<string, HostRoutes> {
  const hosts = new Map<string, HostRoutes>();
  const unlisted = rank(estate.unlisted.sensitivity);
  for (const { index, entry } of estate.hosts) {
    const at: Report = (path, message) => report(['resources', index, ...path], message);
    if (hosts.has(entry.host)) at(['host'], `the host '${entry.host}' is listed already; put its apis together`);
    for (const [position, text] of (entry.servedBy ?? []).entries()) {
      const id = SpiffeId.parse(text);
      if (id instanceof Refusal)
        at(['servedBy', position], `not a SPIFFE ID: ${id.detail}; write spiffe://trust-domain/path`);
    }
    hosts.set(entry.host, compileHost(entry, unlisted, at));
  }
  return hosts;
}

function checkOwners({ teams, hosts }: Estate, report: Report): void {
  if (teams === null) return;
  const check = (owner: string | undefined, path: readonly PropertyKey[]) => {
    if (owner !== undefined && !teams.has(owner)) {
      report([...path, 'owner'], `no team is called '${owner}'; list it under teams, or correct it`);
    }
  };
  for (const { index, entry } of hosts) {
    check(entry.owner, ['resources', index]);
    for (const [position, api] of (entry.apis ?? []).entries())
      check(api.owner, ['resources', index, 'apis', position]);
  }
}

function knownNames(
  file: InventoryFile,
  hosts: ReadonlyMap<string, HostRoutes>,
  tables: readonly EntryTableData[],
): KnownNames {
  const entries = file.resources.flatMap((host) => [host, ...(host.apis ?? [])]);
  const apis = [...hosts.values()].flatMap((host) => host.apis);
  const params = apis.flatMap(({ template }) =>
    template.segments.flatMap((s) => ('param' in s ? [`param.${s.param}`] : [])),
  );
  return Object.freeze({
    teams: new Set(file.teams),
    groups: new Set(tables.flatMap(({ names }) => names.groups)),
    purposes: new Set(Object.keys(file.purposes ?? {})),
    approvals: new Set(file.approvals),
    signals: new Set([...signalKinds, ...(file.signals ?? [])]),
    scopes: new Set(entries.flatMap((entry) => entry.scopes ?? [])),
    hosts: new Set(hosts.keys()),
    apis: new Set(apis.map((api) => api.id)),
    workloadLabels: new Set(tables.flatMap(({ names }) => names.labels)),
    resourceLabels: new Set([...entries.flatMap((entry) => Object.keys(entry.labels ?? {})), ...params]),
    issuers: new Set(tables.flatMap(({ names }) => names.issuers)),
    trustDomains: new Set(tables.flatMap(({ names }) => names.trustDomains)),
  });
}
