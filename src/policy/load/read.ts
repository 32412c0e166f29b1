import { constants } from 'node:fs';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Problem, problemAtStart } from '../../source/problem.ts';
import { stampOf } from '../../source/stamp.ts';
import { byName, type SourceFile } from '../text/source-file.ts';
import type { PolicySettings, Sources, WorkloadsFile } from '../text/sources.ts';
import { passedOver } from './passed-over.ts';

/** Where the sources stand. Absolute paths. */
export interface PolicyPaths {
  /** The operators' policies, schemas and tests. */
  readonly folder: string;
  readonly inventory: string;
  /** Default: those that come with this release. */
  readonly guardrails?: string | undefined;
}

/** What was read. */
export interface Reading {
  /** Without anything of the teams in `unread`. */
  readonly sources: Sources | Problem[];
  /** Teams of whose folder something cannot be read, with what that is. */
  readonly unread: ReadonlyMap<string, readonly Problem[]>;
  /** Files that look as if they should be read, and are not. */
  readonly notes: readonly Problem[];
  /** When each file was last written: two readings with one stamp and one content are of files that nobody wrote between. */
  readonly stamp: string;
  /** Every directory that was looked into: what a watcher has to watch. */
  readonly directories: readonly string[];
}

const SHIPPED = join(import.meta.dirname, '..', '..', '..', 'cedar');

/** Beside the inventory. */
export const WORKLOADS = 'workloads.jsonl';

/** The folder of emergency forbids, below that of the policies. */
export const EMERGENCY_FOLDER = 'emergency';

const MAX_FILES = 10_000;
const MAX_FOLDERS = 2000;
const MAX_FILE_BYTES = 4 * 1024 * 1024;
const MAX_TOTAL_BYTES = 64 * 1024 * 1024;
const MAX_WORKLOADS_BYTES = 1024 * 1024 * 1024;
const MAX_DEPTH = 8;
const CHUNK = 64 * 1024;
const MAX_NOTES = 100;

/**
 * Reads all sources of a snapshot, each team's folder by itself: what cannot be read of one team is not a problem of the
 * others. Files whose name begins with a dot are left out (a ConfigMap's `..data`, editors' drafts); symlinks are followed.
 * Torn UTF-8, policy files without a policy, what is no regular file (a pipe would be waited for, a device has no end) and
 * sizes beyond all use are problems. Never throws.
 */
export async function readParts(paths: PolicyPaths, settings: PolicySettings): Promise<Reading> {
  const found = new Folder(paths.inventory);
  const directories = new Set([dirname(paths.inventory)]);
  const teams: Level[] = [];
  const [shipped, guardrailNotes] = [
    await found.list(paths.guardrails ?? join(SHIPPED, 'guardrails'), directories),
    found.notes.splice(0).map((note) => ({ ...note, file: `guardrails/${note.file}` })),
  ];
  const [own, inventory, schema] = [
    await found.list(paths.folder, directories, teams),
    await found.read(paths.inventory, 'inventory.yaml'),
    await found.read(join(SHIPPED, 'schema.cedarschema'), 'schema.cedarschema'),
  ];
  const workloads = await found.large(join(dirname(paths.inventory), WORKLOADS), WORKLOADS);
  const { problems } = found;
  const unread = new Map<string, readonly Problem[]>();
  for (const team of teams) {
    found.problems = [];
    const files = await found.list(team, directories);
    if (found.problems.length > 0) unread.set(basename(team.name), found.problems);
    else own.push(...files);
  }
  const notes = [...guardrailNotes, ...found.notes];
  const files = own.toSorted(byName);
  const [control, policies] = apart(files);
  if (policies.length === 0 && unread.size === 0) {
    const message = 'no policy (*.cedar) is here, so nothing would be permitted; write one';
    problems.push(problemAtStart(paths.folder, message));
  }
  const controlSchema =
    control.length === 0 ? null : await found.read(join(SHIPPED, 'control.cedarschema'), 'control.cedarschema');
  const [controlGuardrails, guardrails] = apart(shipped);
  const rest = { unread, notes, stamp: found.stamps.join('\n'), directories: [...directories] };
  if (inventory === null || schema === null || problems.length > 0) return { sources: problems, ...rest };
  const sources: Sources = {
    schema,
    guardrails: guardrails.map(asGuardrail),
    schemas: files.filter(({ file }) => file.endsWith('.cedarschema')),
    policies,
    tests: files.filter(({ file }) => isTest(file)),
    inventory,
    ...(workloads === null ? {} : { workloads }),
    settings,
    ...(controlSchema === null
      ? {}
      : { control: { schema: controlSchema, guardrails: controlGuardrails.map(asGuardrail), policies: control } }),
  };
  return { sources, ...rest };
}

/** As `readParts`, where what cannot be read of a team is a problem like any other: for whoever judges a folder as a whole. */
export async function readSources(paths: PolicyPaths, settings: PolicySettings): Promise<Reading> {
  const reading = await readParts(paths, settings);
  if (reading.unread.size === 0) return reading;
  const others = Array.isArray(reading.sources) ? reading.sources : [];
  return { ...reading, sources: [...others, ...[...reading.unread.values()].flat()] };
}

/** The file of workloads beside an inventory; null where there is none, or none that can be read. */
export async function workloadsBeside(inventory: string): Promise<WorkloadsFile | null> {
  return new Folder(inventory).large(join(dirname(inventory), WORKLOADS), WORKLOADS);
}

/**
 * The files of emergency forbids below a folder of policies: none where it has no such folder. A problem of the folder's own
 * name is about all of it. Never throws.
 */
export async function readEmergency(folder: string) {
  const found = new Folder('');
  const directories = new Set([folder]);
  const entries = await readdir(folder).catch((error: unknown) =>
    found.problem(EMERGENCY_FOLDER, `the folder around it cannot be read (${messageOf(error)}); is it there?`),
  );
  const level = { path: join(folder, EMERGENCY_FOLDER), name: EMERGENCY_FOLDER, depth: 1 };
  const listed = entries?.includes(EMERGENCY_FOLDER) === true ? await found.list(level, directories) : [];
  const files = listed.filter(({ file }) => file.endsWith('.cedar'));
  // It is looked every second: where there is nothing to judge, that is one listing of a folder.
  const schema =
    files.length === 0 ? null : await found.read(join(SHIPPED, 'schema.cedarschema'), 'schema.cedarschema');
  return { files, problems: found.problems, directories: [...directories], schema };
}

/** The policies among files: those of the folder `control`, and all others. */
function apart(files: readonly SourceFile[]): readonly [control: SourceFile[], others: SourceFile[]] {
  const policies = files.filter(({ file }) => file.endsWith('.cedar'));
  const isControl = ({ file }: SourceFile): boolean => file.startsWith('control/');
  return [policies.filter(isControl), policies.filter((file) => !isControl(file))];
}

const asGuardrail = ({ file, text }: SourceFile): SourceFile => ({ file: `guardrails/${file}`, text });

/** Every YAML file below a folder `tests`, at any depth. */
const isTest = (file: string): boolean => /(?:^|\/)tests\//.test(file) && /\.ya?ml$/.test(file);
const POLICY = /\.(cedar|cedarschema)$/;

const TEAM = /^teams\/[^/]+$/;

/** A folder below a root: its name is relative to it. */
interface Level {
  readonly path: string;
  readonly name: string;
  readonly depth: number;
}

/** Reads files and folders within bounds, and keeps what was wrong. */
class Folder {
  problems: Problem[] = [];
  readonly notes: Problem[] = [];
  readonly stamps: string[] = [];
  readonly #inventory: string;
  #files = 0;
  #folders = 0;
  #bytes = 0;

  constructor(inventory: string) {
    this.#inventory = inventory;
  }

  problem(file: string, message: string): null {
    this.problems.push(problemAtStart(file, message));
    return null;
  }

  /**
   * The wanted files below a folder, by their names relative to the root, sorted. With `teams`, the folders of teams are not
   * looked into, and put there.
   */
  async list(from: string | Level, directories: Set<string>, teams?: Level[]): Promise<SourceFile[]> {
    const files: SourceFile[] = [];
    const start = typeof from === 'string' ? { path: from, name: '', depth: 0 } : from;
    const unread = [start];
    for (let next = unread.pop(); next !== undefined; next = unread.pop()) {
      if (++this.#folders > MAX_FOLDERS) {
        this.problem(start.path, `more than ${MAX_FOLDERS} folders; is it the folder of the policies alone?`);
        break;
      }
      directories.add(next.path);
      const folder = next.path;
      const entries = await readdir(folder).catch((error: unknown) =>
        this.problem(folder, `the folder cannot be read (${messageOf(error)}); is it there?`),
      );
      for (const entry of entries ?? []) {
        if (entry.startsWith('.') || this.problems.length > 100) continue;
        const path = join(next.path, entry);
        const name = next.name === '' ? entry : `${next.name}/${entry}`;
        const stats = await stat(path).catch((error: unknown) =>
          this.problem(name, `cannot be read (${messageOf(error)})`),
        );
        if (stats?.isDirectory()) {
          // They are read and judged by themselves, whatever becomes of the rest.
          if (teams !== undefined && name === EMERGENCY_FOLDER) continue;
          const level = { path, name, depth: next.depth + 1 };
          if (teams !== undefined && TEAM.test(name)) teams.push(level);
          else if (next.depth < MAX_DEPTH) unread.push(level);
          else this.problem(name, `nested deeper than ${MAX_DEPTH} folders; move it up`);
        } else if (POLICY.test(name) || isTest(name)) {
          const file = await this.read(path, name);
          if (file === null) continue;
          if (name.endsWith('.cedar') && isBlank(file.text))
            this.problem(name, 'the file is empty or all comment; write a policy, or remove it');
          files.push(file);
        } else if (POLICY.test(name.toLowerCase())) {
          this.problem(name, 'would not be read; write the end of its name in lower case');
        } else if (path !== this.#inventory && this.notes.length < MAX_NOTES) {
          const message = await passedOver(name, () => beginningOf(path));
          if (message !== null) this.notes.push(problemAtStart(name, message));
        }
      }
    }
    return files.toSorted(byName);
  }

  async read(path: string, name: string): Promise<SourceFile | null> {
    let handle: FileHandle | null = null;
    try {
      handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
      const stats = await handle.stat({ bigint: true });
      if (!stats.isFile()) return this.problem(name, 'is no regular file; remove it');
      this.stamps.push(`${name} ${stats.mtimeNs} ${stats.ctimeNs} ${stats.size}`);
      if (++this.#files > MAX_FILES) return this.problem(name, `more than ${MAX_FILES} files; put policies together`);
      const bytes = await beginning(handle, MAX_FILE_BYTES + 1);
      if (bytes.length > MAX_FILE_BYTES) return this.problem(name, `larger than ${MAX_FILE_BYTES} bytes; split it`);
      this.#bytes += bytes.length;
      if (this.#bytes > MAX_TOTAL_BYTES) return this.problem(name, `more than ${MAX_TOTAL_BYTES} bytes in all`);
      return { file: name, text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes) };
    } catch (error) {
      return this.problem(name, `cannot be read (${messageOf(error)}); is it there, readable, and UTF-8?`);
    } finally {
      await handle?.close();
    }
  }

  /** When a file that a worker reads was last written; null where it is not there. */
  async large(path: string, name: string): Promise<WorkloadsFile | null> {
    try {
      const stats = await stat(path, { bigint: true });
      if (!stats.isFile()) return this.problem(name, 'is no regular file; remove it');
      if (stats.size > MAX_WORKLOADS_BYTES)
        return this.problem(name, `larger than ${MAX_WORKLOADS_BYTES} bytes; split the estate`);
      const stamp = stampOf(stats);
      this.stamps.push(`${name} ${stamp}`);
      return { file: name, path, stamp };
    } catch (error) {
      return messageOf(error) === 'ENOENT' ? null : this.problem(name, `cannot be read (${messageOf(error)})`);
    }
  }
}

/** At most so many bytes from the file's begin: its stated size is not relied upon, it may grow meanwhile. */
async function beginning(handle: FileHandle, most: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  while (length < most) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(Math.min(CHUNK, most - length)));
    if (bytesRead === 0) break;
    chunks.push(buffer.subarray(0, bytesRead));
    length += bytesRead;
  }
  return Buffer.concat(chunks);
}

/** The first bytes of a file that may be anything; nothing where they cannot be read. */
async function beginningOf(path: string): Promise<string> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(() => null);
  try {
    if (handle === null || !(await handle.stat()).isFile()) return '';
    return (await beginning(handle, CHUNK)).toString('latin1');
  } catch {
    return '';
  } finally {
    await handle?.close();
  }
}

/** Whether Cedar text holds nothing but blanks and comments. */
function isBlank(text: string): boolean {
  return text.split(/[\n\r]/).every((line) => /^\s*(?:$|\/\/)/.test(line));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : String(error);
}
