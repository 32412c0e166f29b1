import { setImmediate as turn } from 'node:timers/promises';

/** The longest piece of work on the thread that answers checks, in milliseconds: less than the 5 that are promised. */
const PIECE_MS = 2;

/** Cuts a long piece of work into slices, so that checks are answered between them. */
export class Slices {
  readonly #endsAt: number;
  #piece = performance.now();

  /** `limitMs`: how long all of the work may take. */
  constructor(limitMs: number) {
    this.#endsAt = performance.now() + limitMs;
  }

  /** Whether a pause is due. */
  get due(): boolean {
    return performance.now() - this.#piece > PIECE_MS;
  }

  /** Lets others run. False: the time for all of the work is over. */
  async pause(): Promise<boolean> {
    await turn();
    this.#piece = performance.now();
    return this.#piece < this.#endsAt;
  }
}
