import { readFileSync } from 'node:fs';

/** The words by which the first line of a program has `env` run it, on the Node of this process: its surroundings and flags. */
export function asShipped(main: string): readonly string[] {
  const [, words = 'node'] = /^#!\/usr\/bin\/env(?: -S)? (.*)\n/.exec(readFileSync(main, 'utf8')) ?? [];
  return words.split(' ').map((word) => (word === 'node' ? process.execPath : word));
}
