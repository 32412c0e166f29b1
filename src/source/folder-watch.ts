import { type FSWatcher, statSync, watch } from 'node:fs';

/** Tells of changes in whole folders, whichever of them exist. What cannot be watched is left to whoever looks regularly. */
export class FolderWatch {
  readonly #onChange: (name: string | null) => void;
  readonly #watchers = new Map<string, FSWatcher>();

  /** `onChange` gets the name of what changed in some folder; null where the system does not say. */
  constructor(onChange: (name: string | null) => void) {
    this.#onChange = onChange;
  }

  /** Watches these folders, and no others any more. */
  follow(directories: readonly string[]): void {
    // A folder that was replaced by another of the same name is another one: a watcher follows the folder, not the name.
    const wanted = new Map(directories.map((path) => [inode(path), path]));
    for (const [key, watcher] of this.#watchers) {
      if (wanted.has(key)) continue;
      watcher.close();
      this.#watchers.delete(key);
    }
    for (const [key, path] of wanted) if (!this.#watchers.has(key)) this.#add(key, path);
  }

  close(): void {
    this.follow([]);
  }

  #add(key: string, path: string): void {
    try {
      const watcher = watch(path, { persistent: false }, (_, name) => this.#onChange(name));
      watcher.on('error', () => {
        watcher.close();
        this.#watchers.delete(key);
      });
      this.#watchers.set(key, watcher);
    } catch {
      // It cannot be watched (absent, or too many watches): the regular look finds what changes.
    }
  }
}

function inode(path: string): string {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return path;
  }
}
