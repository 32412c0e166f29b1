import { hash } from 'node:crypto';

/** The longest record or mark that is read. */
export const MAX_RECORD_BYTES = 64 * 1024;

/** What a store holds in one place: a record as text, and what marks it. Empty: too long to be read. */
export interface Held {
  readonly record: string | null;
  readonly mark: string | null;
}

/** What was learned, by ids. */
export type LearnedIds<Kind extends string> = Readonly<Record<Kind, readonly string[]>>;

/** The records of one kind in a store, as far as they were seen. A feed fills it. `Lost`: what a store lacks of them. */
export interface StoreMirror<Lost, Kind extends string> {
  readonly size: number;
  /** A full read begins. */
  beginPass(): void;
  /** Takes what the store holds. `lost`: gets what the store lacks of it. Never rejects. */
  take(held: readonly Held[], lost: Lost[]): Promise<LearnedIds<Kind>>;
  /** The full read is over: gives what the store lacks of what is known here. */
  endPass(nowMs: number): readonly Lost[];
  /** Forgets what ended before `beforeMs`. */
  dropEnded(beforeMs: number): void;
}

/** Rejected texts that are remembered, so that each is told once. */
const MAX_REJECTED = 1000;

/** What of a store is not believed: a bounded memory of what was told of it. */
export class RejectedTexts {
  readonly #digests = new Set<string>();

  /** Whether this text is to be told; then it counts as told. */
  isNew(text: string): boolean {
    const digest = hash('sha256', text, 'base64url');
    if (this.#digests.has(digest)) return false;
    if (this.#digests.size >= MAX_REJECTED) this.#digests.clear();
    this.#digests.add(digest);
    return true;
  }
}
