import { access, readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { loadInventory } from '../inventory/load.ts';
import { Engine } from '../policy/decide/engine.ts';
import type { ValidatedPolicies } from '../policy/decide/validated.ts';
import { install, type Loaded, validateApart } from '../policy/load/load.ts';
import { EMERGENCY_FOLDER, readSources, WORKLOADS, workloadsBeside } from '../policy/load/read.ts';
import { WorkloadLines, WorkloadsUnread } from '../policy/load/workload-lines.ts';
import { CONTROL_GUARDRAILS, RELEASE_GUARDRAILS } from '../policy/text/guardrails.ts';
import { type PolicySettings, policySettings, type Sources, settingsAt } from '../policy/text/sources.ts';
import { formatProblem, type Problem, sortProblems } from '../source/problem.ts';
import type { CommandLine } from './commands.ts';
import { readConfig } from './config.ts';
import { FAILED, type Io, UNREAD, unread } from './io.ts';

/** What every command about a policy folder takes. */
export const FOLDER_OPTIONS = {
  inventory: { type: 'string' },
  config: { type: 'string' },
  local: { type: 'string', multiple: true },
} as const;

export const FOLDER_USAGE = `  --inventory FILE   default: inventory.yaml beside FOLDER
  --config FILE      the sidecar's configuration: headers, trust domains, disabled guardrails, paths
  --local NAME       without --config: a local trust domain; needed if the inventory has workloads of several
`;

/** The line of a command that takes them. */
type FolderLine = CommandLine<typeof FOLDER_OPTIONS>;

/** A policy folder that passed everything but its own tests. */
export interface Opened {
  readonly sources: Sources;
  readonly validated: ValidatedPolicies;
  readonly engine: Engine;
  readonly loaded: Loaded;
  /** Absolute. */
  readonly folder: string;
  /** The path of a file of the snapshot as the user would write it, not its name inside the folder. */
  readonly path: (file: string) => string;
  /** Files that look as if they should be read, and are not, at such paths. */
  readonly notes: readonly Problem[];
  /** A problem at such a path. */
  readonly place: (problem: Problem) => string;
}

/**
 * Opens the policy folder as the sidecar would, or gives the exit code after everything that is wrong with it was printed:
 * UNREAD where it is not there, `faulty` where it would not be served. Its own tests are left to the command.
 */
export async function openFolder(
  line: FolderLine,
  io: Io,
  folders: readonly string[] = line.positionals,
  faulty = UNREAD,
): Promise<Opened | number> {
  const [folder, ...more] = folders;
  if (more.length > 0) return line.misuse(`one folder at a time; ${more.join(' ')} is too much`);
  const where = await locate(folder, line, io);
  if (typeof where === 'number') return where;
  const { guardrails, settings, shown } = where;
  const paths = { folder: resolve(shown.folder), inventory: resolve(shown.inventory), guardrails };
  try {
    await access(paths.folder);
  } catch (error) {
    return unread(shown.folder, error, io);
  }
  const reading = await readSources(paths, settings);
  const { sources } = reading;
  const path = (file: string): string => shownFile(file, shown, Array.isArray(sources) ? null : sources);
  const place = (problem: Problem): string => formatProblem({ ...problem, file: path(problem.file) });
  if (Array.isArray(sources)) return report(sources, place, io, faulty);
  const validated = await validateApart({ ...sources, tests: [] });
  if ('problems' in validated) return report(validated.problems, place, io, faulty);
  const engine = new Engine();
  const loaded = install(engine, sources, validated);
  if ('problems' in loaded) return report(loaded.problems, place, io, faulty);
  const notes = reading.notes.map((note) => ({
    ...note,
    file: note.file.startsWith('guardrails/') ? note.file : join(shown.folder, note.file),
  }));
  return { sources, validated, engine, loaded, folder: paths.folder, path, notes, place };
}

/** Prints problems, each at its place, and gives the exit code. */
export function report(problems: readonly Problem[], place: Opened['place'], io: Io, code = FAILED): number {
  for (const problem of sortProblems(problems)) io.err(`${place(problem)}\n`);
  return code;
}

/** Folder and inventory as the user writes them. */
interface Shown {
  readonly folder: string;
  readonly inventory: string;
}

interface Where {
  readonly shown: Shown;
  readonly guardrails: string | undefined;
  readonly settings: PolicySettings;
}

async function locate(folder: string | undefined, { values, misuse }: FolderLine, io: Io): Promise<Where | number> {
  if (values.config !== undefined) {
    if (values.local !== undefined) return misuse('--config names the local trust domains; leave out --local');
    const config = await readConfig(values.config, io);
    if (typeof config === 'number') return config;
    const { policy } = config;
    const shown = { folder: folder ?? policy.folder, inventory: values.inventory ?? policy.inventory };
    const settings = settingsAt(policySettings(config), systemClock.now());
    return { shown, guardrails: policy.guardrails.folder, settings };
  }
  if (folder === undefined) return misuse('name the folder of policies, or --config FILE');
  const shown = { folder, inventory: values.inventory ?? join(folder, '..', 'inventory.yaml') };
  const domains = await trustDomains(shown.inventory);
  const local = values.local ?? (domains.length === 1 ? domains : null);
  if (local === null && domains.length > 1) {
    return misuse(`the inventory lists workloads of ${domains.join(', ')}; name the local ones: --local NAME`);
  }
  const settings = {
    headers: [],
    disabledGuardrails: [],
    requiredGuardrails: [...RELEASE_GUARDRAILS, ...CONTROL_GUARDRAILS],
    trustDomains: [...new Set([...domains, ...(local ?? [])])],
    ownTrustDomains: local ?? [],
    allowWarnings: false,
  };
  return { shown, guardrails: undefined, settings };
}

/** Names inside a snapshot are relative to its folders: those of the user's own files become paths again. */
function shownFile(file: string, shown: Shown, sources: Sources | null): string {
  if (file === 'inventory.yaml') return shown.inventory;
  if (file === WORKLOADS) return join(dirname(shown.inventory), WORKLOADS);
  if (file === resolve(shown.folder)) return shown.folder;
  if (file.startsWith(`${EMERGENCY_FOLDER}/`)) return join(shown.folder, file);
  if (sources === null) {
    return /\.(cedar|cedarschema|ya?ml|json)$/.test(file) && !file.startsWith('/') ? join(shown.folder, file) : file;
  }
  const isIn = (files: Sources['policies']): boolean => files.some((own) => own.file === file);
  const { guardrails, schemas, policies, tests, control } = sources;
  return !isIn(guardrails) && [schemas, policies, tests, control?.policies ?? []].some(isIn)
    ? join(shown.folder, file)
    : file;
}

/** Trust domains of the inventory's workloads; none where it cannot be read, which the loading of it reports. */
async function trustDomains(file: string): Promise<readonly string[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const workloads = await workloadsBeside(file);
  const lines = workloads === null ? undefined : new WorkloadLines(workloads);
  try {
    const inventory = loadInventory(text, file, { ownTrustDomains: new Set(), lines });
    return Array.isArray(inventory) ? [] : [...inventory.known.trustDomains].toSorted();
  } catch (error) {
    if (error instanceof WorkloadsUnread) return [];
    throw error;
  }
}
