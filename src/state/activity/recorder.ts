import type { ActivityLimits } from './model.ts';
import { Shares } from './shares.ts';
import { type KnownUse, type SeenTask, Uses } from './uses.ts';

/** What of a proven caller is noted. */
interface SeenCaller {
  readonly workload: { readonly id: { readonly text: string }; readonly owner: string };
  readonly credential: string;
}

export interface RecorderOptions {
  readonly limits: ActivityLimits;
  /** Called for each use that is new in some way, and for others once a minute. */
  readonly onUse?: (use: KnownUse) => void;
  /** Called where something is left out because too much of it came. */
  readonly onOmitted: (what: 'denial' | 'task') => void;
}

/**
 * Notes who was seen, and says which decisions are kept: denials as far as the caller's share goes, the first allow of each
 * workload and then one in so many. It takes constant time, and makes nothing for an allow that is not kept.
 */
export class Recorder {
  readonly uses: Uses;
  readonly #limits: ActivityLimits;
  readonly #shares: Shares;
  readonly #onOmitted: RecorderOptions['onOmitted'];

  constructor({ limits, onUse, onOmitted }: RecorderOptions) {
    const { workloads, oneAllowIn } = limits;
    this.#limits = limits;
    this.uses = new Uses({ workloads, oneAllowIn, onUse, onTaskOmitted: () => onOmitted('task') });
    this.#shares = new Shares(limits.denials);
    this.#onOmitted = onOmitted;
  }

  /** A request of this caller, in this task, was permitted. Whether the decision is kept. `nowMs`: since the epoch. */
  allow(caller: SeenCaller, task: SeenTask | null, nowMs: number): boolean {
    if (this.#limits.workloads === 0) return false;
    const { workload, credential } = caller;
    const use = this.uses.seen(workload.id.text, workload.owner, credential, nowMs);
    if (task !== null) this.uses.noteTask(use, task);
    return this.#limits.allows > 0 && this.uses.keepsAllow(use);
  }

  /**
   * A request was denied, of this caller where one was proven. How many denials were left out before it in the same share;
   * null where it is left out too.
   */
  deny(caller: SeenCaller | null, share: string, nowMs: number): number | null {
    if (caller !== null && this.#limits.workloads > 0)
      this.uses.seen(caller.workload.id.text, caller.workload.owner, caller.credential, nowMs);
    if (this.#limits.denials === 0) return null;
    const omitted = this.#shares.take(share, nowMs);
    if (omitted === null) this.#onOmitted('denial');
    return omitted;
  }
}
