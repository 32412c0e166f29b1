import { constants } from 'node:fs';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Problem } from '../inventory/problem.ts';
import type { SourceFile } from './place.ts';
import type { PolicySettings, Sources } from './sources.ts';

/** Where the sources stand. Absolute paths. */
export interface PolicyPaths {
  /** The operators' policies, schemas and tests. */
  readonly folder: string;
  readonly inventory: string;
  /** Default: those that come with this release. */
  readonly guardrails?: string;
}

/** What was read, and every directory that was looked into: what a watcher has to watch. */
export interface Reading {
  readonly sources: Sources | Problem[];
  readonly directories: readonly string[];
}

const SHIPPED = join(import.meta.dirname, '..', '..', 'cedar');

const MAX_FILES = 10_000;
const MAX_FOLDERS = 2000;
const MAX_FILE_BYTES = 4 * 1024 * 1024;
const MAX_TOTAL_BYTES = 64 * 1024 * 1024;
const MAX_DEPTH = 8;
const CHUNK = 64 * 1024;

/**
 * Reads all sources of a snapshot. Files whose name begins with a dot are left out (a ConfigMap's `..data`, editors'
 * drafts); symlinks are followed. Torn UTF-8, empty policy files, what is no regular file (a pipe would be waited for, a
 * device has no end) and sizes beyond all use are problems. Never throws.
 */
export async function readSources(paths: PolicyPaths, settings: PolicySettings): Promise<Reading> {
  const found = new Folder();
  const directories = new Set([dirname(paths.inventory)]);
  const [own, shipped, inventory, schema] = [
    await found.list(paths.folder, directories),
    await found.list(paths.guardrails ?? join(SHIPPED, 'guardrails'), directories),
    await found.read(paths.inventory, 'inventory.yaml'),
    await found.read(join(SHIPPED, 'schema.cedarschema'), 'schema.cedarschema'),
  ];
  const guardrails = shipped.filter(({ file }) => file.endsWith('.cedar'));
  const policies = own.filter(({ file }) => file.endsWith('.cedar'));
  for (const { file, text } of [...guardrails, ...policies]) {
    if (text.trim() === '') found.problem(file, 'the file is empty; write a policy, or remove it');
  }
  if (policies.length === 0)
    found.problem(paths.folder, 'no policy (*.cedar) is here, so nothing would be permitted; write one');
  if (inventory === null || schema === null || found.problems.length > 0) {
    return { sources: found.problems, directories: [...directories] };
  }
  const sources: Sources = {
    schema,
    guardrails: guardrails.map(({ file, text }) => ({ file: `guardrails/${file}`, text })),
    schemas: own.filter(({ file }) => file.endsWith('.cedarschema')),
    policies,
    tests: own.filter(({ file }) => isTest(file)),
    inventory,
    settings,
  };
  return { sources, directories: [...directories] };
}

/** Every YAML file below a folder `tests`, at any depth. */
const isTest = (file: string): boolean => /(?:^|\/)tests\//.test(file) && /\.ya?ml$/.test(file);
const POLICY = /\.(cedar|cedarschema)$/;

/** Reads files and folders within bounds, and keeps what was wrong. */
class Folder {
  readonly problems: Problem[] = [];
  #files = 0;
  #folders = 0;
  #bytes = 0;

  problem(file: string, message: string): void {
    this.problems.push({ file, line: 1, column: 1, message });
  }

  /** The wanted files below a folder, by their names relative to it, sorted. */
  async list(root: string, directories: Set<string>): Promise<SourceFile[]> {
    const files: SourceFile[] = [];
    const unread = [{ path: root, name: '', depth: 0 }];
    for (let next = unread.pop(); next !== undefined; next = unread.pop()) {
      if (++this.#folders > MAX_FOLDERS) {
        this.problem(root, `more than ${MAX_FOLDERS} folders; is it the folder of the policies alone?`);
        break;
      }
      directories.add(next.path);
      for (const entry of await this.#entries(next.path)) {
        if (entry.startsWith('.') || this.problems.length > 100) continue;
        const path = join(next.path, entry);
        const name = next.name === '' ? entry : `${next.name}/${entry}`;
        if (await this.#isDirectory(path, name)) {
          if (next.depth < MAX_DEPTH) unread.push({ path, name, depth: next.depth + 1 });
          else this.problem(name, `nested deeper than ${MAX_DEPTH} folders; move it up`);
        } else if (POLICY.test(name) || isTest(name)) {
          const file = await this.read(path, name);
          if (file !== null) files.push(file);
        } else if (POLICY.test(name.toLowerCase())) {
          this.problem(name, 'would not be read; write the end of its name in lower case');
        }
      }
    }
    return files.toSorted((a, b) => (a.file < b.file ? -1 : 1));
  }

  async read(path: string, name: string): Promise<SourceFile | null> {
    let handle: FileHandle | null = null;
    try {
      handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
      if (!(await handle.stat()).isFile()) return this.#refuse(name, 'is no regular file; remove it');
      if (++this.#files > MAX_FILES) return this.#refuse(name, `more than ${MAX_FILES} files; put policies together`);
      const bytes = await beginning(handle, MAX_FILE_BYTES + 1);
      if (bytes.length > MAX_FILE_BYTES) return this.#refuse(name, `larger than ${MAX_FILE_BYTES} bytes; split it`);
      this.#bytes += bytes.length;
      if (this.#bytes > MAX_TOTAL_BYTES) return this.#refuse(name, `more than ${MAX_TOTAL_BYTES} bytes in all`);
      return { file: name, text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes) };
    } catch (error) {
      return this.#refuse(name, `cannot be read (${messageOf(error)}); is it there, readable, and UTF-8?`);
    } finally {
      await handle?.close();
    }
  }

  async #entries(path: string): Promise<string[]> {
    try {
      return await readdir(path);
    } catch (error) {
      this.problem(path, `the folder cannot be read (${messageOf(error)}); is it there?`);
      return [];
    }
  }

  async #isDirectory(path: string, name: string): Promise<boolean> {
    try {
      return (await stat(path)).isDirectory();
    } catch (error) {
      this.problem(name, `cannot be read (${messageOf(error)})`);
      return false;
    }
  }

  #refuse(file: string, message: string): null {
    this.problem(file, message);
    return null;
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

function messageOf(error: unknown): string {
  return error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : String(error);
}
