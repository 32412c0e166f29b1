import { BoundedMemory } from '../base/bounded-memory.ts';

interface Window {
  readonly sinceMs: number;
  left: number;
}

/** Callers that are remembered, and what one of them counts as. */
const [CALLERS, ENTRY_BYTES] = [10_000, 512];

/** How often each caller may cause some work, in windows of one length. */
export class CallerRate {
  readonly #most: number;
  readonly #windowMs: number;
  readonly #windows = new BoundedMemory<Window>(CALLERS * ENTRY_BYTES, CALLERS);

  constructor(most: number, windowMs: number) {
    this.#most = most;
    this.#windowMs = windowMs;
  }

  /** Whether the caller may once more, which counts. A clock that goes back begins a new window. */
  admits(caller: string, nowMs: number): boolean {
    const known = this.#windows.get(caller);
    const age = nowMs - (known?.sinceMs ?? 0);
    if (known === undefined || age < 0 || age >= this.#windowMs) {
      this.#windows.set(caller, { sinceMs: nowMs, left: this.#most - 1 }, ENTRY_BYTES);
      return true;
    }
    if (known.left === 0) return false;
    known.left--;
    return true;
  }
}
