import { hash } from 'node:crypto';
import { BoundedMemory } from '../../base/bounded-memory.ts';
import type { ApiProblem } from './problem.ts';
import type { ApiReply } from './route.ts';

interface Done {
  /** Of what was asked. */
  readonly digest: string;
  readonly answer: Promise<ApiReply | ApiProblem>;
  readonly endsAtMs: number;
}

/** How long the answer to a key is remembered. */
const KEPT_MS = 24 * 3_600_000;
/** What one entry counts as: answers are short. */
const ENTRY_BYTES = 8192;
const BYTES = 32 * 2 ** 20;

/**
 * What was answered to calls with an idempotency key: the same call again, or meanwhile, gets the same answer, and is
 * carried out once. Bounded: the oldest are forgotten first; what they did has an id that is made of the key, so that it
 * is not done twice even then.
 */
export class Idempotency {
  readonly #done = new BoundedMemory<Done>(BYTES);

  /** Whether the key stands for something else than what is asked now. */
  isOther(scope: string, digest: string, nowMs: number): boolean {
    const known = this.#known(scope, nowMs);
    return known !== null && known.digest !== digest;
  }

  /** What was answered, or will be; null: the key is new. */
  answerOf(scope: string, nowMs: number): Promise<ApiReply | ApiProblem> | null {
    return this.#known(scope, nowMs)?.answer ?? null;
  }

  /** Runs it once for all calls of this scope; what failed without an answer is tried anew. */
  once(
    scope: string,
    digest: string,
    nowMs: number,
    run: () => Promise<ApiReply | ApiProblem>,
  ): Promise<ApiReply | ApiProblem> {
    const known = this.#known(scope, nowMs);
    if (known !== null) return known.answer;
    const answer = run();
    const entry = { digest, answer, endsAtMs: nowMs + KEPT_MS };
    this.#done.set(scope, entry, ENTRY_BYTES);
    const forget = () => {
      if (this.#done.get(scope) === entry) this.#done.delete(scope);
    };
    answer.then((given) => ('title' in given && given.status >= 500 ? forget() : undefined), forget);
    return answer;
  }

  #known(scope: string, nowMs: number): Done | null {
    const known = this.#done.get(scope);
    return known === undefined || known.endsAtMs <= nowMs ? null : known;
  }
}

/** A digest that keeps its parts apart. */
export const digestOf = (...parts: readonly unknown[]): string => hash('sha256', JSON.stringify(parts), 'base64url');
