import { EventEmitter } from 'node:events';
import { messageOf } from '../../base/fault.ts';
import { FolderLooks } from '../../source/folder-looks.ts';
import { formatProblem, type Problem, problemAtStart } from '../../source/problem.ts';
import { Emergency, type EmergencyPolicy, type EmergencySchema } from '../decide/emergency.ts';
import type { Engine } from '../decide/engine.ts';
import type { SourceFile } from '../text/source-file.ts';
import {
  type EmergencyVerdict,
  MAX_EMERGENCY_BYTES,
  MAX_EMERGENCY_POLICIES,
  TOO_LARGE,
  TOO_MANY,
} from './emergency.ts';
import { judgeEmergencyApart } from './load.ts';
import { EMERGENCY_FOLDER, readEmergency } from './read.ts';

export interface EmergencyOptions {
  /** That of the policies. Absolute. */
  readonly folder: string;
  readonly engine: Engine;
  /** Milliseconds since the epoch: decides which have ended. */
  readonly clock: () => number;
  /** Milliseconds between two looks at the files where no watcher reports; default 1 s. */
  readonly pollMs?: number;
}

/** What is in force, and what of the files is not. */
export interface EmergencyStatus {
  readonly policies: readonly Pick<EmergencyPolicy, 'id' | 'file' | 'untilMs'>[];
  readonly problems: readonly Problem[];
}

export interface EmergencyEvents {
  /** Others are in force from now on; `ended`: those among the ones before whose time is over. */
  changed: [policies: readonly EmergencyPolicy[], ended: readonly EmergencyPolicy[]];
  /** Told once of each policy, a day before its end. */
  ending: [policy: EmergencyPolicy];
  /** Something of the files is not in force as it stands there. Told where that is something else than before. */
  refused: [problems: readonly Problem[]];
}

const POLL_MS = 1000;
const LEAST_MS = 100;
const WARNED_MS = 86_400_000;

interface Good {
  readonly text: string;
  readonly policies: readonly EmergencyPolicy[];
}

/**
 * Keeps the forbids of the folder `emergency/`: reads and judges it by itself, each file apart, beside whatever happens to the
 * other policies. Of a file that does not pass, what it held before stays in force; of one that is removed, nothing does.
 */
export class EmergencyHolder {
  readonly events = new EventEmitter<EmergencyEvents>();
  readonly #options: EmergencyOptions;
  readonly #looks: FolderLooks;
  /** What each file held when it last passed. */
  #good: ReadonlyMap<string, Good> = new Map();
  /** What was said of each text that was judged. */
  #judged = new Map<string, { readonly text: string; readonly verdict: EmergencyVerdict }>();
  #schema: EmergencySchema | null = null;
  #problems: readonly Problem[] = [];
  #inForce: Emergency | null = null;
  /** When the first of those in force ends, in milliseconds since the epoch. */
  #endsMs = Number.POSITIVE_INFINITY;
  #sound = false;
  #closed = false;
  readonly #warned = new Set<string>();

  private constructor(options: EmergencyOptions) {
    this.#options = options;
    const pollMs = options.pollMs ?? POLL_MS;
    this.#looks = new FolderLooks({ look: () => this.#look(), pollMs, leastMs: LEAST_MS });
  }

  /** Resolves after the first look; `sound` tells whether all that was there is in force. */
  static async open(options: EmergencyOptions): Promise<EmergencyHolder> {
    const holder = new EmergencyHolder(options);
    await holder.refresh();
    return holder;
  }

  /** Those that hold now; null where none does. */
  current(): Emergency | null {
    if (this.#options.clock() >= this.#endsMs) this.#putInForce();
    return this.#inForce;
  }

  /**
   * Whether all that the files held was in force at some look since the start. Before that, nobody knows what a file forbids that
   * cannot be read.
   */
  get sound(): boolean {
    return this.#sound;
  }

  status(): EmergencyStatus {
    return { policies: this.current()?.policies ?? [], problems: this.#problems };
  }

  /** Looks at the files now; resolves when what they hold is in force or refused. */
  async refresh(): Promise<void> {
    await this.#looks.refresh();
  }

  /** Ends the watching. What is in force stays so. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#looks.close();
  }

  async #look(): Promise<void> {
    const problems: Problem[] = [];
    try {
      await this.#readFiles(problems);
    } catch (error) {
      // Nothing throws here but a bug, and a bug must not end the process: what is in force stays so.
      problems.push(problemAtStart(EMERGENCY_FOLDER, `could not be loaded: ${messageOf(error)}`));
    }
    if (this.#closed) return;
    this.remind();
    if (problems.length === 0) this.#sound = true;
    const said = problems.map(formatProblem).join('\n');
    const before = this.#problems.map(formatProblem).join('\n');
    this.#problems = problems;
    if (said !== before && problems.length > 0) this.events.emit('refused', problems);
  }

  async #readFiles(problems: Problem[]): Promise<void> {
    const { files, problems: unread, directories, schema } = await readEmergency(this.#options.folder);
    if (this.#closed) return;
    this.#looks.follow(directories);
    problems.push(...unread);
    if (files.length === 0) this.#judged.clear();
    else if (schema === null) return;
    const judged = schema === null ? new Map<string, EmergencyVerdict>() : await this.#judge(files, schema);
    if (this.#closed) return;
    const found = new Map(files.map(({ file, text }) => [file, this.#wanted(file, text, judged, problems)]));
    for (const [file, before] of this.#good) if (mayBeThere(file, unread)) found.set(file, found.get(file) ?? before);
    this.#good = this.#withinLimits(found, problems);
    this.#putInForce(problems);
  }

  /** What a file holds now, where that passed; else what it held before. */
  #wanted(
    file: string,
    text: string,
    judged: ReadonlyMap<string, EmergencyVerdict>,
    problems: Problem[],
  ): Good | undefined {
    const verdict = judged.get(file) ?? { problems: [] };
    if (!('problems' in verdict)) return { text, policies: verdict };
    problems.push(...verdict.problems);
    return this.#good.get(file);
  }

  /** What is said of each file. Only what is new is judged, in a worker of its own. */
  async #judge(files: readonly SourceFile[], schema: SourceFile): Promise<ReadonlyMap<string, EmergencyVerdict>> {
    const known = new Map<string, EmergencyVerdict>();
    const fresh: SourceFile[] = [];
    for (const file of files) {
      const before = this.#judged.get(file.file);
      if (before?.text === file.text) known.set(file.file, before.verdict);
      else if (Buffer.byteLength(file.text) <= MAX_EMERGENCY_BYTES) fresh.push(file);
      else known.set(file.file, { problems: [problemAtStart(file.file, TOO_LARGE)] });
    }
    for (const [{ file, text }, verdict] of await this.#judgeFresh(fresh, schema)) {
      known.set(file, verdict ?? { problems: [problemAtStart(file, UNJUDGED)] });
      // Whether time or memory will do the next time, nobody knows.
      if (verdict !== null) this.#judged.set(file, { text, verdict });
    }
    for (const file of this.#judged.keys()) if (!known.has(file)) this.#judged.delete(file);
    return known;
  }

  /** All together, and each by itself where that fails: one that kills its worker (null) takes no other with it. */
  async #judgeFresh(
    files: readonly SourceFile[],
    schema: SourceFile,
  ): Promise<readonly (readonly [SourceFile, EmergencyVerdict | null])[]> {
    if (files.length === 0) return [];
    const answer = await judgeEmergencyApart({ files, schema, nowMs: this.#options.clock() });
    if (answer !== null) this.#schema = answer.schema;
    if (answer !== null || files.length === 1) return files.map((file) => [file, answer?.files.get(file.file) ?? null]);
    const each = [];
    for (const file of files) each.push(...(await this.#judgeFresh([file], schema)));
    return each;
  }

  /**
   * The files without what would be too much, or has an id that another has. What was in force before comes first: no new file
   * drives it out.
   */
  #withinLimits(files: ReadonlyMap<string, Good | undefined>, problems: Problem[]): ReadonlyMap<string, Good> {
    const taken = new Map<string, string>();
    const kept = new Map<string, Good>();
    let bytes = 0;
    const faultOf = ({ text, policies }: Good): string | null => {
      const twice = policies.find(({ id }) => taken.has(id));
      if (twice !== undefined) return `the id ${twice.id} is taken by ${taken.get(twice.id)}; choose another`;
      if (taken.size + policies.length > MAX_EMERGENCY_POLICIES) return TOO_MANY;
      return bytes + Buffer.byteLength(text) > MAX_EMERGENCY_BYTES ? TOO_LARGE : null;
    };
    const inOrder = [...files].toSorted(([a], [b]) => Number(this.#good.has(b)) - Number(this.#good.has(a)));
    for (const [file, now] of inOrder) {
      for (const one of [now, this.#good.get(file)]) {
        if (one === undefined || kept.has(file)) continue;
        const fault = faultOf(one);
        if (fault !== null) {
          problems.push(problemAtStart(file, fault));
          continue;
        }
        kept.set(file, one);
        bytes += Buffer.byteLength(one.text);
        for (const { id } of one.policies) taken.set(id, file);
      }
    }
    return kept;
  }

  /** Those whose time is not over hold from now on. */
  #putInForce(problems: Problem[] = []): void {
    const now = this.#options.clock();
    const all = [...this.#good.values()].flatMap(({ policies }) => policies);
    const policies = all.filter(({ untilMs }) => now < untilMs);
    this.#endsMs = Math.min(Number.POSITIVE_INFINITY, ...policies.map(({ untilMs }) => untilMs));
    const before = this.#inForce?.policies ?? [];
    if (isSame(policies, before)) return;
    const next =
      policies.length === 0 || this.#schema === null
        ? null
        : new Emergency(policies, this.#schema, this.#options.engine);
    // The engine is being replaced; each check parses what it lacks then.
    for (const fault of next?.prepare() ?? [])
      if (fault !== null) problems.push(problemAtStart(EMERGENCY_FOLDER, fault));
    this.#inForce = next;
    const ended = before.filter(({ id, untilMs }) => untilMs <= now && !policies.some((one) => one.id === id));
    this.events.emit('changed', policies, ended);
  }

  /** Tells of each policy that ends within a day, once there is somebody to be told. */
  remind(): void {
    if (this.events.listenerCount('ending') === 0) return;
    const now = this.#options.clock();
    for (const policy of this.current()?.policies ?? []) {
      const key = `${policy.id} ${policy.untilMs}`;
      if (policy.untilMs - now > WARNED_MS || this.#warned.has(key)) continue;
      this.#warned.add(key);
      this.events.emit('ending', policy);
    }
  }
}

const UNJUDGED =
  'could not be judged: its policies crash the Cedar engine, or take too long; make them smaller or simpler';

const isSame = (a: readonly EmergencyPolicy[], b: readonly EmergencyPolicy[]): boolean =>
  a.length === b.length &&
  a.every(({ id, text, file }, at) => b[at]?.id === id && b[at].text === text && b[at].file === file);

/** Whether a file that was not read may hold what it held before: it cannot be read, or a folder around it cannot. */
const mayBeThere = (file: string, unread: readonly Problem[]): boolean =>
  unread.some((problem) => problem.file === file || !problem.file.startsWith(`${EMERGENCY_FOLDER}/`));
