import {
  closeSync,
  fstatSync,
  globSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { readSources } from '../../../src/policy/load/read.ts';
import { SETTLE_MS } from '../../../src/policy/load/settled.ts';
import { revisionOf } from '../../../src/policy/text/sources.ts';
import type { SidecarEstate } from '../../support/estate.ts';
import { settings as policySettings } from '../../support/policy.ts';
import { Random } from '../../support/tools/random.ts';
import { until } from '../../support/until.ts';
import { answers, drawSet, drawSteps, type FileSet, readSet, writeSet } from './scripts.ts';

const settings = { ...policySettings, headers: [], trustDomains: ['prod.example'] };
/** The longest state that must never be served. A timer may be early by one millisecond, and clocks tick. */
const SHORT_MS = SETTLE_MS - 5;
const LONG_MS = 400;
/** A reading of all files takes less, on a machine on which it can be seen when something else was installed. */
const READ_MS = 50;

/** Pauses of a writer: none, shorter than the files must rest, or longer; or all files at once by a symlink. */
export const KINDS = ['at once', 'short pauses', 'long pauses', 'symlink'] as const;
export type Kind = (typeof KINDS)[number];

/** Requests that run all the while. */
export interface Running {
  /** Resolves when so many rounds of them were answered that began after this call. */
  rounds(count: number): Promise<void>;
}

/** What is written, and what was served meanwhile. */
export class Writer {
  readonly #estate: SidecarEstate;
  readonly #random: Random;
  readonly #shipped: FileSet;
  #set: FileSet = new Map();
  #revision = '';
  #read = 0;
  /** How far the audit was looked through for what is installed, and what that is. */
  #scanned = 0;
  #loaded = '';
  #linked: string | null = null;

  constructor(estate: SidecarEstate, seed: number) {
    this.#estate = estate;
    this.#random = new Random(seed);
    const files = globSync('*.cedar', { cwd: join(estate.dir, 'guardrails') }).map((file) => `guardrails/${file}`);
    this.#shipped = readSet(estate.dir, [...files, 'inventory.yaml']);
  }

  async begin(): Promise<void> {
    const { dir } = this.#estate;
    rmSync(join(dir, 'policies'), { recursive: true });
    this.#set = drawSet(this.#random, this.#shipped);
    writeSet(dir, this.#set);
    this.#revision = await this.#revisionAt(dir);
    await this.#served(this.#revision);
    this.#lines();
  }

  /** One script from the set that is served to another. `strict`: no state between the two was there for too long. */
  async play(n: number, kind: Kind, checks: Running): Promise<{ readonly strict: boolean; readonly found: string[] }> {
    const [old, before] = [this.#set, this.#revision];
    if (kind === 'symlink' && this.#linked === null) await this.#relink(old);
    const from = kind === 'symlink' ? this.#revision : before;
    const next = await this.#next(kind);
    const did: string[] = [];
    const longest = kind === 'symlink' ? this.#swap(next.set) : await this.#write(next.set, kind, did);
    const whole = await this.#wholeFrom();
    const strict = kind !== 'long pauses' && longest < SHORT_MS;
    const where = `script ${n} (${kind}, longest state ${longest.toFixed(0)} ms): ${did.join('; ')}`;
    const found: string[] = [];
    try {
      await this.#served(next.revision);
    } catch (error) {
      const { policy } = (await (await this.#estate.sidecar.status('/status')).json()) as { policy: unknown };
      return { strict, found: [`${where}: ${String(error)}; ${JSON.stringify(policy)}`] };
    }
    this.#set = next.set;
    this.#revision = next.revision;
    // Two rounds of checks that began after it was served.
    await checks.rounds(2);
    found.push(
      ...this.#judge(strict ? [from, next.revision] : null, whole, old, next.set).map((fault) => `${where}: ${fault}`),
    );
    return { strict, found };
  }

  async #next(kind: Kind): Promise<{ readonly set: FileSet; readonly revision: string }> {
    const staging = join(this.#estate.dir, 'staging');
    for (;;) {
      const drawn = drawSet(this.#random, this.#shipped);
      // A symlink swaps the folder of policies alone.
      const kept = kind === 'symlink' ? [...this.#set].filter(([file]) => !file.startsWith('policies/')) : [];
      const set = new Map([...drawn, ...kept]);
      rmSync(staging, { recursive: true, force: true });
      if (kind === 'symlink') {
        writeSet(staging, new Map(kept));
        linkable(join(staging, 'policies'), set);
      } else writeSet(staging, set);
      const revision = await this.#revisionAt(staging);
      if (revision !== this.#revision) return { set, revision };
    }
  }

  /** Writes the set in steps; the longest time for which a state between the two may have been there. */
  async #write(set: FileSet, kind: Kind, did: string[]): Promise<number> {
    let longest = 0;
    let began = performance.now();
    for (const [at, step] of drawSteps(this.#random, this.#set, set).entries()) {
      if (at > 0 && kind !== 'at once') {
        const ms = this.#random.below(kind === 'short pauses' ? SETTLE_MS / 2 : LONG_MS);
        did.push(`${ms} ms`);
        await pause(ms);
      }
      const now = performance.now();
      step.run(this.#estate.dir);
      did.push(step.what);
      if (at > 0) longest = Math.max(longest, performance.now() - began);
      began = now;
    }
    return longest;
  }

  /**
   * When what is written now must have been seen by whoever installs: a reading that began before has ended by then. Never
   * on a machine where that may take any time.
   */
  async #wholeFrom(): Promise<number> {
    const [now, began] = [Date.now(), performance.now()];
    await this.#revisionAt(this.#estate.dir);
    return performance.now() - began < READ_MS ? now + 5 * READ_MS : Number.POSITIVE_INFINITY;
  }

  /** From plain files to the layout of a ConfigMap. */
  async #relink(set: FileSet): Promise<void> {
    const { policies, dir } = this.#estate;
    const next = join(dir, 'linked');
    mkdirSync(next);
    linkable(join(next, '..0'), set);
    symlinkSync('..0', join(next, '..data'));
    for (const name of LINKS) symlinkSync(join('..data', name), join(next, name));
    renameSync(policies, join(dir, 'plain'));
    renameSync(next, policies);
    this.#linked = '..0';
    this.#revision = await this.#revisionAt(dir);
    await this.#served(this.#revision);
    this.#lines();
  }

  #swap(set: FileSet): number {
    const { policies } = this.#estate;
    const name = `..${Number(this.#linked!.slice(2)) + 1}`;
    linkable(join(policies, name), set);
    symlinkSync(name, join(policies, '..data_tmp'));
    renameSync(join(policies, '..data_tmp'), join(policies, '..data'));
    rmSync(join(policies, this.#linked!), { recursive: true });
    this.#linked = name;
    return 0;
  }

  async #revisionAt(root: string): Promise<string> {
    const paths = {
      folder: join(root, 'policies'),
      inventory: join(root, 'inventory.yaml'),
      guardrails: join(root, 'guardrails'),
    };
    const { sources } = await readSources(paths, settings);
    if (Array.isArray(sources)) throw new Error(sources.map(({ file, message }) => `${file}: ${message}`).join('\n'));
    return revisionOf(sources);
  }

  /** Resolves when the last set that was installed is this one, by the audit. */
  #served(revision: string): Promise<true> {
    return until(`revision ${revision.slice(0, 19)}`, () => {
      const { lines, end } = wholeLines(this.#estate.sidecar.auditFile, this.#scanned);
      this.#scanned = end;
      const loaded = lines.findLast((line) => line.includes('"policy-loaded"'));
      if (loaded !== undefined) this.#loaded = (JSON.parse(loaded) as { readonly revision: string }).revision;
      return this.#loaded === revision ? true : null;
    });
  }

  /** The whole lines of the audit since the last time. */
  #lines(): readonly string[] {
    const { lines, end } = wholeLines(this.#estate.sidecar.auditFile, this.#read);
    this.#read = end;
    return lines;
  }

  /**
   * What the lines since the last time show that is wrong. `revisions`: those that alone may have decided. `whole`: from when
   * on nothing but the new set may be installed.
   */
  #judge(revisions: readonly string[] | null, whole: number, old: FileSet, next: FileSet): string[] {
    const fresh = this.#lines();
    const found: string[] = [];
    for (const text of fresh) {
      const line = JSON.parse(text) as {
        event?: string;
        time: string;
        revision?: string;
        result?: string;
        reason?: string;
        policy?: { revision: string } | null;
        request?: { id: string };
      };
      const late = Date.parse(line.time) - whole;
      if (line.event === 'policy-loaded' && line.revision !== this.#revision) {
        if (late > 0)
          found.push(`${line.revision} was installed ${late + 5 * READ_MS} ms after the files held the new set`);
        else if (revisions !== null)
          found.push(`${line.revision} was installed, which is neither the old nor the new set`);
      }
      if (line.result === undefined) continue;
      const [caller, n] = line.request!.id.split(' ') as ['ledger' | 'reader' | 'agent', string];
      const revision = line.policy?.revision ?? 'none';
      const allowed = line.result === 'allow';
      if (caller === 'agent') {
        if (allowed) found.push(`a guardrail was gone under ${revision}`);
      } else if (revision === this.#revision) {
        if (allowed !== answers(next, caller, Number(n)))
          found.push(`${caller} ${n}: ${line.reason} under the new set`);
      } else if (revisions !== null && !revisions.includes(revision)) {
        found.push(`${caller} ${n}: ${line.reason} by ${revision}, which is neither the old nor the new set`);
      } else if (revisions !== null && allowed !== answers(old, caller, Number(n))) {
        found.push(`${caller} ${n}: ${line.reason} under the old set`);
      }
    }
    const last = fresh.findLast((text) => text.includes('"revision"'));
    if (last?.includes(this.#revision) !== true) found.push('the last check was not by the new set');
    return [...new Set(found)].slice(0, 5);
  }
}

/** The whole lines of a file from an offset on, and where they end. */
function wholeLines(file: string, start: number): { readonly lines: readonly string[]; readonly end: number } {
  const handle = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(fstatSync(handle).size - start);
    const read = bytes.subarray(0, readSync(handle, bytes, 0, bytes.length, start));
    const whole = read.subarray(0, read.lastIndexOf(0x0a) + 1);
    return { lines: whole.toString('utf8').split('\n').slice(0, -1), end: start + whole.length };
  } finally {
    closeSync(handle);
  }
}

const LINKS = ['set', 'teams', 'tests'];

/** Policies of a set below three folders that a symlink can lead to. */
function linkable(folder: string, set: FileSet): void {
  for (const name of LINKS) mkdirSync(join(folder, name), { recursive: true });
  const files = [...set].filter(([file]) => file.startsWith('policies/'));
  writeSet(
    folder,
    new Map(
      files.map(([file, text]) => [
        file.replace(/^policies\/(?!teams\/|tests\/)/, 'set/').replace(/^policies\//, ''),
        text,
      ]),
    ),
  );
}
