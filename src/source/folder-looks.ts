import { systemClock } from '../base/clock.ts';
import { Refresher } from './refresher.ts';
import { Watch } from './watch.ts';

export interface FolderLooksOptions {
  /** One look at the files; it never overlaps another. Never rejects. */
  readonly look: () => Promise<void>;
  /** Milliseconds between two looks where no watcher reports. */
  readonly pollMs: number;
  /** Milliseconds that lie at least between two looks. */
  readonly leastMs: number;
  /** Whether the change of a file of this name asks for a look; every one does where it is left out. */
  readonly concerns?: (name: string) => boolean;
}

/** Looks at the files of some folders: when it is asked, when something of them changes, and from time to time. */
export class FolderLooks {
  readonly #watch: Watch;
  readonly #looks: Refresher<void>;

  constructor({ look, pollMs, leastMs, concerns = () => true }: FolderLooksOptions) {
    this.#watch = new Watch((name) => {
      if (name === null || concerns(name)) this.#looks.refreshSoon();
    });
    this.#looks = new Refresher<void>({
      clock: systemClock,
      read: look,
      onRead: () => {},
      refreshMs: () => pollMs,
      maxStaleMs: Number.POSITIVE_INFINITY,
      leastMs,
    });
  }

  /** Watches these folders, and no others any more. */
  follow(directories: readonly string[]): void {
    this.#watch.follow(directories);
  }

  /** Looks now. Resolves after the look. */
  async refresh(): Promise<void> {
    await this.#looks.refresh();
  }

  /** Ends the watching; resolves when no look is under way. */
  async close(): Promise<void> {
    this.#watch.close();
    await this.#looks.stop();
  }
}
