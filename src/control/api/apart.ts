import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { within } from '../../base/within.ts';
import type { Scenario } from '../../policy/load/scenario.ts';
import type { Sources } from '../../policy/text/sources.ts';
import type { Apart } from '../http/parts.ts';
import { ApiProblem } from '../http/problem.ts';

/** What the worker is asked. */
export type WorkerQuestion = { readonly explain: Scenario } | { readonly reach: string };

/** What it tells: JSON, or why it cannot, in words for whoever asked. */
export type WorkerAnswer = { readonly json: string } | { readonly fault: string };

/** Calls that may wait for the worker. */
const MAX_WAITING = 8;
/** Within which the worker must have read the policies, and must have told one thing. */
const OPEN_MS = 60_000;
const TELL_MS = 10_000;
/** After so long without a question the worker and its memory are given back. */
const IDLE_MS = 60_000;
/** Characters of one result: it is read on the thread that answers checks. */
const MAX_RESULT = 256 * 1024;
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './apart-worker.ts' : './apart-worker.js', import.meta.url);

interface Running {
  readonly worker: Worker;
  readonly sources: Sources;
}

/**
 * Asks a worker thread what takes long: one thing after the other, with bounds on the time, the memory, the result and on
 * how many wait. It holds the policies that are in force; with others, another worker is begun.
 */
export class WorkerApart implements Apart {
  readonly #sources: () => Sources | null;
  #running: Running | null = null;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #idle: NodeJS.Timeout | null = null;

  /** `sources`: of the policies in force. */
  constructor(sources: () => Sources | null) {
    this.#sources = sources;
  }

  explain(scenario: Scenario): Promise<unknown> {
    return this.#queued({ explain: scenario });
  }

  reach(caller: string): Promise<unknown> {
    return this.#queued({ reach: caller });
  }

  async stop(): Promise<void> {
    if (this.#idle !== null) clearTimeout(this.#idle);
    const running = this.#running;
    this.#running = null;
    await running?.worker.terminate();
  }

  async #queued(asked: WorkerQuestion): Promise<unknown> {
    if (this.#waiting >= MAX_WAITING)
      return ApiProblem.of('overloaded', 'too many wait for an explanation', { headers: [['retry-after', '5']] });
    this.#waiting++;
    const asking = this.#last.then(() => this.#ask(asked));
    this.#last = asking;
    try {
      return await asking;
    } finally {
      this.#waiting--;
    }
  }

  /** Never rejects: what comes after it in the queue goes on. */
  async #ask(asked: WorkerQuestion): Promise<unknown> {
    const sources = this.#sources();
    if (sources === null) return ApiProblem.of('policy_unavailable');
    if (this.#idle !== null) clearTimeout(this.#idle);
    try {
      const fresh = this.#running?.sources !== sources;
      if (fresh) await this.#begin(sources);
      const told = await this.#told(asked, fresh ? OPEN_MS : TELL_MS);
      if ('fault' in told) return ApiProblem.of('body_invalid', told.fault.slice(0, 1024));
      if (told.json.length > MAX_RESULT) return ApiProblem.of('overloaded', 'the result is too large');
      return JSON.parse(told.json) as unknown;
    } catch {
      await this.stop();
      return ApiProblem.of('overloaded', 'it takes too long, or too much memory, to tell');
    } finally {
      this.#idle = setTimeout(() => void this.stop(), IDLE_MS).unref();
    }
  }

  async #begin(sources: Sources): Promise<void> {
    await this.stop();
    const worker = new Worker(WORKER, {
      workerData: sources,
      resourceLimits: { maxOldGenerationSizeMb: 1024, stackSizeMb: 1 },
    });
    worker.unref();
    this.#running = { worker, sources };
  }

  async #told(asked: WorkerQuestion, limitMs: number): Promise<WorkerAnswer> {
    const worker = this.#running!.worker;
    const over = new AbortController();
    const { signal } = over;
    const ended = once(worker, 'exit', { signal }).then(() => {
      throw new Error('the worker ended');
    });
    const answer = once(worker, 'message', { signal }).then(([told]) => told as WorkerAnswer);
    worker.postMessage(asked);
    try {
      return await within(Promise.race([answer, ended]), limitMs, () => {
        throw new Error('the worker took too long');
      });
    } finally {
      over.abort();
      await Promise.allSettled([answer, ended]);
    }
  }
}
