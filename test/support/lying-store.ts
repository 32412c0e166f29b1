import { Transform, type TransformCallback } from 'node:stream';
import type { TestContext } from 'node:test';
import type { Script } from '../../src/state/redis/scripts.ts';
import type { Redis } from './redis.ts';
import { Wire } from './wire.ts';

/** By the digests of scripts, and for INFO by its name: the Lua text that runs in the place of each. */
type Lies = ReadonlyMap<string, string>;

/**
 * A Redis that runs other scripts than it is asked to, as somebody who has taken it over could make it: what it answers has the
 * form of an answer, and says something else. All other commands are done as they are.
 */
export async function lyingStore(t: TestContext, redis: Redis) {
  const lies = new Map<string, string>();
  const wire = await Wire.to(
    () => redis.port,
    () => new Liar(lies),
  );
  t.after(() => wire.close());
  return {
    endpoint: { kind: 'tcp', host: '127.0.0.1', port: wire.port } as const,
    /** Runs this text in the place of the script, with its keys and arguments; null: the script itself again. */
    lie: (asked: Script | 'INFO', text: string | null): void => {
      const name = asked === 'INFO' ? asked : asked.sha;
      if (text === null) lies.delete(name);
      else lies.set(name, text);
    },
  };
}

/** The commands of one connection (RESP: lists of texts). */
class Liar extends Transform {
  readonly #lies: Lies;
  #waiting = Buffer.alloc(0);

  constructor(lies: Lies) {
    super();
    this.#lies = lies;
  }

  override _transform(bytes: Buffer, _: BufferEncoding, done: TransformCallback): void {
    this.#waiting = Buffer.concat([this.#waiting, bytes]);
    for (let read = readCommand(this.#waiting); read !== null; read = readCommand(this.#waiting)) {
      this.#waiting = this.#waiting.subarray(read.end);
      const [name, sha = '', ...more] = read.words;
      const lie = this.#lies.get(name === 'EVALSHA' ? sha : name!);
      const instead = name === 'EVALSHA' ? more : ['0'];
      this.push(commandOf(lie === undefined ? read.words : ['EVAL', lie, ...instead]), 'latin1');
    }
    done();
  }
}

const commandOf = (words: readonly string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;

/** The first whole command, its words a character for each byte, and where it ends; null: there is none yet. */
function readCommand(bytes: Buffer): { readonly words: readonly string[]; readonly end: number } | null {
  let at = 0;
  const nextNumber = (): number | null => {
    const end = bytes.indexOf('\r\n', at);
    if (end < 0) return null;
    const value = Number(bytes.toString('latin1', at + 1, end));
    at = end + 2;
    return value;
  };
  const count = nextNumber();
  if (count === null) return null;
  const words: string[] = [];
  while (words.length < count) {
    const length = nextNumber();
    if (length === null || bytes.length < at + length + 2) return null;
    words.push(bytes.toString('latin1', at, at + length));
    at += length + 2;
  }
  return { words, end: at };
}
