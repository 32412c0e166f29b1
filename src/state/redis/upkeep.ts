import { type Clock, pause } from '../../base/clock.ts';
import { PURGE } from './record-scripts.ts';
import type { Script } from './scripts.ts';
import type { StoreWriter } from './writer.ts';

/** Records that are written back at once, and how long whoever else knows them may come first. */
const RESTORED_AT_ONCE = 50;
const RESTORE_AFTER_MS = 200;
const PURGE_MS = 60_000;
const PURGED_AT_ONCE = 200;

interface UpkeepParts<Lost> {
  readonly clock: Clock;
  readonly writer: StoreWriter;
  /** The script that writes back, its limits, and what it gets for each. */
  readonly restore: Script;
  readonly limits: readonly string[];
  readonly argsOf: (lost: Lost) => readonly string[];
  /** Why a script that did not answer `done` wrote nothing. */
  readonly refused: (word: string | undefined) => string;
  readonly onRestored: (records: number) => void;
  readonly onNotRestored: (detail: string) => void;
}

/** Keeps the records of one kind in a store: writes back what it lost, and drops from it what has ended. */
export class StoreUpkeep<Lost> {
  readonly #parts: UpkeepParts<Lost>;
  #cancelPurge: () => void = () => {};

  constructor(parts: UpkeepParts<Lost>) {
    this.#parts = parts;
  }

  /** Writes back what the store lost, or as much of it as there is room for. Never rejects. */
  async restore(lost: readonly Lost[]): Promise<void> {
    const { clock, writer, limits, argsOf, refused, onRestored, onNotRestored } = this.#parts;
    await pause(clock, Math.random() * RESTORE_AFTER_MS);
    for (let at = 0; at < lost.length; at += RESTORED_AT_ONCE) {
      const some = lost.slice(at, at + RESTORED_AT_ONCE);
      const written = await writer.write(this.#parts.restore, [...limits, ...some.flatMap(argsOf)]);
      // What is missing is found again by the next full read.
      if ('result' in written) return onNotRestored(written.detail);
      if (written.words[0] !== 'done') return onNotRestored(refused(written.words[0]));
    }
    onRestored(lost.length);
  }

  /** Begins to purge from time to time. */
  start(): void {
    this.#cancelPurge = this.#parts.clock.after(PURGE_MS * (0.5 + Math.random()), () => {
      void this.#purge().then(() => this.start());
    });
  }

  stop(): void {
    this.#cancelPurge();
  }

  /** Drops what has ended from the store, a page at a time; one sidecar does it for all. */
  async #purge(): Promise<void> {
    for (const kind of ['records', 'marks']) {
      let cursor = '0';
      do {
        const written = await this.#parts.writer.write(PURGE, [kind, cursor, String(PURGED_AT_ONCE), String(PURGE_MS)]);
        if ('result' in written || written.words[0] !== 'page') return;
        cursor = written.words[1] ?? '0';
      } while (cursor !== '0');
    }
  }
}
