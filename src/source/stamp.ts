import type { BigIntStats } from 'node:fs';

/** Another one after each write of the file, and of another file under its name. */
export function stampOf({ dev, ino, mtimeNs, ctimeNs, size }: BigIntStats): string {
  return [dev, ino, mtimeNs, ctimeNs, size].join(' ');
}
