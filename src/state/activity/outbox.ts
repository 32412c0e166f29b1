import type { DecisionSummary } from './model.ts';
import type { KnownUse } from './uses.ts';

/** Decisions that may wait to be written. */
export const MAX_WAITING_DECISIONS = 2000;
const MAX_WAITING_BYTES = 2 * 2 ** 20;
/** Last uses that may wait: one that finds no room is reported again a minute later. */
const MAX_USES = 10_000;
/** What one write takes: it must hold up neither the server nor the claims behind it. */
const BATCH = 200;
const BATCH_BYTES = 64 * 1024;
const BATCH_USES = 50;

interface Waiting {
  readonly result: DecisionSummary['result'];
  readonly text: string;
}

export interface Batch {
  readonly denials: readonly string[];
  readonly allows: readonly string[];
  readonly uses: readonly KnownUse[];
}

/** What waits to be written, bounded in number and bytes: where it is full, the oldest decision is dropped. */
export class Outbox {
  #decisions: Waiting[] = [];
  /** What was taken from the front, or dropped. */
  #from = 0;
  #bytes = 0;
  readonly #uses = new Set<KnownUse>();
  readonly #onDropped: (decisions: number) => void;

  constructor(onDropped: (decisions: number) => void) {
    this.#onDropped = onDropped;
  }

  /** Decisions that wait. */
  get size(): number {
    return this.#decisions.length - this.#from;
  }

  get isEmpty(): boolean {
    return this.size === 0 && this.#uses.size === 0;
  }

  /** Whether there is enough for a write of its own. */
  get isLarge(): boolean {
    return this.size >= BATCH || this.#bytes >= BATCH_BYTES;
  }

  add(result: DecisionSummary['result'], text: string): void {
    while (this.size > 0 && (this.size >= MAX_WAITING_DECISIONS || this.#bytes > MAX_WAITING_BYTES)) {
      this.#take();
      this.#onDropped(1);
    }
    this.#decisions.push({ result, text });
    this.#bytes += text.length;
  }

  /** A use is written as it is when its turn comes, and once. */
  addUse(use: KnownUse): void {
    if (this.#uses.size < MAX_USES) this.#uses.add(use);
  }

  take(): Batch {
    const [denials, allows]: [string[], string[]] = [[], []];
    for (let bytes = 0; this.size > 0 && denials.length + allows.length < BATCH && bytes < BATCH_BYTES; ) {
      const { result, text } = this.#take();
      (result === 'deny' ? denials : allows).push(text);
      bytes += text.length;
    }
    const uses: KnownUse[] = [];
    for (const use of this.#uses) {
      if (uses.length >= BATCH_USES) break;
      this.#uses.delete(use);
      uses.push(use);
    }
    return { denials, allows, uses };
  }

  #take(): Waiting {
    const first = this.#decisions[this.#from++]!;
    this.#bytes -= first.text.length;
    if (this.#from >= MAX_WAITING_DECISIONS) {
      this.#decisions = this.#decisions.slice(this.#from);
      this.#from = 0;
    }
    return first;
  }
}
