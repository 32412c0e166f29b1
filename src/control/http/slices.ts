import { Turns } from '../../base/slices.ts';

/** The longest piece of work on the thread that answers checks, in milliseconds: less than the 5 that are promised. */
const PIECE_MS = 2;

/** Cuts a long piece of work into slices, so that checks are answered between them. */
export class Slices {
  readonly #endsAt: number;
  readonly #turns = new Turns(PIECE_MS);

  /** `limitMs`: how long all of the work may take. */
  constructor(limitMs: number) {
    this.#endsAt = performance.now() + limitMs;
  }

  /** Whether a pause is due. */
  get due(): boolean {
    return this.#turns.over;
  }

  /** Lets others run. False: the time for all of the work is over. */
  async pause(): Promise<boolean> {
    await this.#turns.next();
    return performance.now() < this.#endsAt;
  }
}
