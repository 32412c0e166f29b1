import { write } from 'node:fs';
import { constants, type FileHandle, open, stat } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { digest, readLine, type Torn } from './line.ts';

/** What stands at the end of a sink when it is opened. */
export interface Tail {
  /** The last whole line; null when there is none, or when the sink cannot be read back. */
  readonly last: { readonly boot: string; readonly seq: number; readonly digest: string } | null;
  readonly torn: Torn | null;
  /** The sink does not end with a line feed, so one has to come first. */
  readonly open: boolean;
}

/** Where the lines of one chain go. */
export interface AuditSink {
  readonly name: string;
  /** Opens, or opens again after a failure. Throws when the sink cannot be used. */
  open(): Promise<Tail>;
  /** Resolves when the operating system has all the bytes, throws when it has not taken them all. */
  append(bytes: string): Promise<void>;
  /** Between appends: where to go on when the file was moved away meanwhile; null when it was not. */
  rotated(): Promise<Tail | null>;
  close(): Promise<void>;
}

const EMPTY: Tail = { last: null, torn: null, open: false };

/** A stream such as standard output. A write counts once its callback says so; the stream is not closed. */
export function streamSink(name: string, stream: Writable): AuditSink {
  let failed = false;
  // Without a listener, a broken pipe would end the process; each append learns of it by its callback.
  stream.on('error', () => {
    failed = true;
  });
  return {
    name,
    open: async () => ({ ...EMPTY, open: failed }),
    append: (bytes) =>
      new Promise((resolve, reject) => {
        stream.write(bytes, (error) => {
          if (error) reject(error);
          else resolve();
        });
      }),
    rotated: async () => null,
    close: async () => {},
  };
}

/** How far back the last whole line is looked for; lines are far shorter. */
const MAX_TAIL = 4 * 1024 * 1024;
const FIRST_READ = 64 * 1024;
const LINE_FEED = 0x0a;

/**
 * A file that only this sidecar writes: made with mode 0600, only ever appended to. When it is moved away (rotation), the chain
 * goes on in a new file under the same name. Lines survive the process; there is no sync to the disk for each.
 *
 * Calls never overlap: the chain makes the next one when the one before has ended, so no descriptor is closed under a write.
 */
export class FileSink implements AuditSink {
  readonly name = 'file';
  readonly #path: string;
  #file: FileHandle | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  async open(): Promise<Tail> {
    await this.close();
    // Opened for reading too, since the chain goes on from the last line; a FIFO does not block this way.
    const file = await open(this.#path, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT, 0o600);
    this.#file = file;
    try {
      const stats = await file.stat();
      if (!stats.isFile()) throw new Error(`${this.#path} is not a regular file; name another one under audit.sinks`);
      return await readTail(file, stats.size, this.#path);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async append(bytes: string): Promise<void> {
    if (this.#file === null) throw new Error('the audit file is closed');
    await writeFully(this.#file.fd, Buffer.from(bytes));
  }

  async rotated(): Promise<Tail | null> {
    if (this.#file === null) return null;
    const [ours, named] = await Promise.all([this.#file.stat(), stat(this.#path).catch(() => null)]);
    return named !== null && named.ino === ours.ino && named.dev === ours.dev ? null : this.open();
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.close();
  }
}

/** By the descriptor: a third of what `FileHandle` takes for a line. A write may take a part of the bytes. */
function writeFully(descriptor: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const from = (start: number): void =>
      write(descriptor, bytes, start, bytes.length - start, null, (error, written) => {
        if (error !== null) reject(error);
        else if (start + written >= bytes.length) resolve();
        else if (written === 0) reject(new Error('the audit file takes no more bytes'));
        else from(start + written);
      });
    from(0);
  });
}

async function readTail(file: FileHandle, size: number, path: string): Promise<Tail> {
  for (let length = Math.min(size, FIRST_READ); ; length = Math.min(size, length * 2)) {
    const bytes = Buffer.alloc(length);
    await readFully(file, bytes, size - length);
    const tail = tailOf(bytes, length === size);
    if (tail !== null) return tail;
    if (length === size && isTornStart(bytes)) return { last: null, ...behind(bytes) };
    if (length === size || length >= MAX_TAIL) {
      throw new Error(
        `${path} does not end with lines of an audit; name another file under audit.sinks, or move it away`,
      );
    }
  }
}

async function readFully(file: FileHandle, into: Buffer, position: number): Promise<void> {
  for (let read = 0; read < into.length; ) {
    const { bytesRead } = await file.read(into, read, into.length - read, position + read);
    if (bytesRead === 0) throw new Error('the audit file became shorter while it was read');
    read += bytesRead;
  }
}

/** The tail from the last bytes of a file, or null when no whole line is among them. */
function tailOf(bytes: Buffer, whole: boolean): Tail | null {
  if (whole && bytes.length === 0) return EMPTY;
  let end = bytes.length;
  while (end >= 0) {
    const feed = end === 0 ? -1 : bytes.lastIndexOf(LINE_FEED, end - 1);
    if (feed === -1 && !whole) return null;
    const line = bytes.subarray(feed + 1, end);
    const place = readLine(line);
    if (place !== null) {
      const last = { boot: place.boot, seq: place.seq, digest: digest(line) };
      // A line that lacks nothing but its line feed is whole.
      return end === bytes.length ? { last, torn: null, open: true } : { last, ...behind(bytes.subarray(end + 1)) };
    }
    end = feed;
  }
  return null;
}

/** What lies behind the last whole line. Its own last line feed does not count, since a cut write has none. */
function behind(bytes: Buffer): { torn: Torn | null; open: boolean } {
  if (bytes.length === 0) return { torn: null, open: false };
  const open = bytes.at(-1) !== LINE_FEED;
  const rest = open ? bytes : bytes.subarray(0, -1);
  return { torn: { bytes: rest.length, sha256: digest(rest) }, open };
}

/** The first line of an audit that was cut off while it was written: the one case in which a file has no whole line. */
function isTornStart(bytes: Buffer): boolean {
  const start = '{"time":"';
  const text = bytes.subarray(0, start.length).toString('latin1');
  return (
    bytes.length < FIRST_READ &&
    start.startsWith(text.slice(0, start.length)) &&
    !bytes.subarray(0, -1).includes(LINE_FEED)
  );
}
