import { Fault } from '../../base/fault.ts';
import type { Link } from '../redis/link.ts';
import type { ActivityLimits } from './model.ts';
import { AGREE } from './scripts.ts';

/** How often it is looked whether all keep the same, and how long one look may take. */
const EVERY_MS = 30_000;
const LOOK_MS = 1000;

/**
 * Whether all processes of a store keep as much for lists: each writes how much it keeps in one place, and reads what the one
 * before it wrote there. Whose limits are lower drops what the others keep.
 */
export class Agreement {
  readonly #own: string;
  readonly #key: string;
  readonly #onChange: (warning: string) => void;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #told: string | null = null;
  #warning: string | null = null;

  /** `onChange` is told of each warning that is another one than the last. */
  constructor(limits: ActivityLimits, key: string, onChange: (warning: string) => void) {
    const { denials, allows, oneAllowIn, workloads } = limits;
    this.#own = `denials ${denials}, allows ${allows}, oneAllowIn ${oneAllowIn}, workloads ${workloads}`;
    this.#key = key;
    this.#onChange = onChange;
  }

  /** What another process keeps, as far as that is not the same; null: nobody was found that does. */
  get warning(): string | null {
    return this.#warning;
  }

  /** Looks once in a while, in the background. `nowMs`: milliseconds since the epoch. */
  look(link: Link | null, nowMs: number): void {
    if (link === null || Math.abs(nowMs - this.#lookedAtMs) < EVERY_MS) return;
    this.#lookedAtMs = nowMs;
    void link.run(AGREE, [this.#key], [this.#own], LOOK_MS).then((other) => {
      // A store that takes nothing is told of by what it does not take.
      if (other instanceof Fault) return;
      this.#warning = other === '' || other === this.#own ? null : this.#differs(String(other));
      if (this.#warning === null || this.#warning === this.#told) return;
      this.#told = this.#warning;
      this.#onChange(this.#warning);
    });
  }

  /** Whoever has the password of the store can write there. */
  #differs(other: string): string {
    const shown = /^denials \d+, allows \d+, oneAllowIn \d+, workloads \d+$/.test(other) ? other : 'something else';
    return `state.activity is not the same in all processes of the store: ${this.#own} here, ${shown} elsewhere`;
  }
}
