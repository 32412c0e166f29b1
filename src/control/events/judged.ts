import { Remembered } from '../../base/remembered.ts';
import type { ControlDecision } from '../../policy/control/decide.ts';

/** What was judged is judged again after so long, since policies may look at the time. */
const JUDGED_MS = 60_000;
/** What is remembered of one viewer, in bytes, and of how many. */
const BYTES = 2 ** 19;
const MOST = 50;
const DECISION_BYTES = 200;

/** What one viewer may see, by the resource. */
export type KnownVerdicts = Pick<Remembered<ControlDecision>, 'get' | 'set'>;

/**
 * What was judged lately for viewers of streams, each of whose verdicts is a call of Cedar: the streams of one viewer share it,
 * and so does the one with which it comes back.
 */
export class JudgedLately {
  readonly #of = new Map<string, { readonly judged: KnownVerdicts; readonly sinceMs: number }>();

  /** That of a viewer. `key`: all that verdicts rest on beside the resource and the time. */
  of(key: string): KnownVerdicts {
    const known = this.#of.get(key);
    const nowMs = performance.now();
    if (known !== undefined && nowMs - known.sinceMs < JUDGED_MS) return known.judged;
    const judged = new Remembered<ControlDecision>(BYTES, () => DECISION_BYTES);
    this.#of.delete(key);
    this.#of.set(key, { judged, sinceMs: nowMs });
    const [oldest] = this.#of.keys();
    if (this.#of.size > MOST) this.#of.delete(oldest!);
    return judged;
  }
}
