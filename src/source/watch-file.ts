import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/**
 * Calls `changed` when the file may be another one. Its folder is watched, not the file, since Kubernetes swaps a symbolic
 * link beside it (whose name begins with two dots) and editors rename over it. What else grows in the folder, such as an
 * audit log, is passed over. Null where there is no folder to watch. A folder that was itself replaced needs a new watcher.
 */
export function watchFile(file: string, changed: (name: string | null) => void): FSWatcher | null {
  const folder = dirname(file);
  // A folder that goes away says its own name.
  const ours = new Set([basename(file), basename(folder)]);
  try {
    const watcher = watch(folder, { persistent: false }, (_, name) => {
      if (name === null || ours.has(name) || name.startsWith('..')) changed(name);
    });
    return watcher.on('error', () => changed(null));
  } catch {
    return null;
  }
}
