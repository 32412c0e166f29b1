import { type FSWatcher, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/**
 * Reports changes in whole folders, whichever of them exist: a file is replaced by a rename, and Kubernetes swaps a symbolic
 * link beside it. What cannot be watched is left to whoever reads regularly, and calls `follow` then.
 */
export class Watch {
  readonly #onChange: (name: string | null) => void;
  readonly #watchers = new Map<string, FSWatcher>();

  /** `onChange` gets the name of what changed in some folder; null where the system does not report it. */
  constructor(onChange: (name: string | null) => void) {
    this.#onChange = onChange;
  }

  /**
   * A watch on the folders of some files, for changes after which one of them may be another one. What else grows in a
   * folder, such as an audit log, is passed over.
   */
  static files(files: readonly string[], onChange: (name: string | null) => void): Watch {
    const names = new Set(files.map((file) => basename(file)));
    return new Watch((changed) => {
      if (changed === null || names.has(changed) || changed.startsWith('..')) onChange(changed);
    });
  }

  /** Watches these folders, and no others any more. */
  follow(directories: readonly string[]): void {
    // A folder that was replaced by another of the same name is another one: a watcher follows the folder, not the name.
    const wanted = new Map(directories.map((path) => [inode(path), path]));
    for (const key of this.#watchers.keys()) if (!wanted.has(key)) this.#drop(key);
    for (const [key, path] of wanted) if (!this.#watchers.has(key)) this.#add(key, path);
  }

  close(): void {
    this.follow([]);
  }

  #add(key: string, path: string): void {
    try {
      const watcher = watch(path, { persistent: false }, (_, name) => {
        // A folder that goes away reports its own name, and its inode may come back as another one.
        const gone = name === basename(path);
        if (gone) this.#drop(key);
        this.#onChange(gone ? null : name);
      });
      watcher.on('error', () => {
        this.#drop(key);
        this.#onChange(null);
      });
      this.#watchers.set(key, watcher);
    } catch {
      // It cannot be watched (absent, or too many watches): the regular read finds what changes.
    }
  }

  #drop(key: string): void {
    this.#watchers.get(key)?.close();
    this.#watchers.delete(key);
  }
}

/** The folders that `Watch.files` has to follow. */
export const foldersOf = (files: readonly string[]): readonly string[] => [
  ...new Set(files.map((file) => dirname(file))),
];

function inode(path: string): string {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return path;
  }
}
