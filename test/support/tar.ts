import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

const BLOCK = 512;

/** The plain files of a gzipped tar archive, by their names, held in memory: nothing is written anywhere. */
export function readTarball(path: string): ReadonlyMap<string, string> {
  const bytes = gunzipSync(readFileSync(path));
  const files = new Map<string, string>();
  for (let at = 0; at + BLOCK <= bytes.length; ) {
    const field = (from: number, to: number): string => {
      const raw = bytes.subarray(at + from, at + to);
      const end = raw.indexOf(0);
      return raw.subarray(0, end === -1 ? raw.length : end).toString('utf8');
    };
    const name = field(0, 100);
    if (name === '') break;
    const size = Number.parseInt(field(124, 136), 8);
    const type = field(156, 157);
    const start = at + BLOCK;
    if (type === '0' || type === '') files.set(name.replace(/^\.\//, ''), bytes.toString('utf8', start, start + size));
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  return files;
}
