import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { Io } from './io.ts';

/** What a named audit file is called in messages. */
export const inputName = (named: string): string => (named === '-' ? 'standard input' : named);

/** The bytes of an audit file as they were written: `-` is standard input, and a name that ends in `.gz` is unpacked. */
export function openInput(named: string, io: Io): AsyncIterable<Uint8Array> {
  if (named === '-' && io.in !== undefined) return io.in();
  const file = createReadStream(named);
  if (!named.endsWith('.gz')) return file;
  const unpacked = createGunzip();
  // Whatever ends the pipeline destroys `unpacked` with it, so its reader is told.
  pipeline(file, unpacked).catch(() => {});
  return unpacked;
}
