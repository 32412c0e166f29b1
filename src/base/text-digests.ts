import { hash } from 'node:crypto';
import { BoundedMemory } from './bounded-memory.ts';

/** What an entry takes besides its text. */
const ENTRY_BYTES = 512;
/** The part of a text by which it is looked for: near its end, where certificates and tokens have their signatures. */
const [FROM, TO] = [-100, -60];

interface Known {
  readonly text: string;
  readonly digest: string;
}

/**
 * base64url SHA-256 of long texts, of which the last ones are remembered: finding one by a part and comparing the whole costs
 * a tenth of its digest (and looking for it by the whole in a Map twice as much). Of texts with one such part the last one is
 * remembered, within a number of bytes.
 */
export class TextDigests {
  readonly #known: BoundedMemory<Known>;

  constructor(byteLimit: number) {
    this.#known = new BoundedMemory(byteLimit);
  }

  of(text: string): string {
    const known = this.#known.get(text.slice(FROM, TO));
    if (known?.text === text) return known.digest;
    // A text of its own: it may be a part of a longer one, which would stay in memory.
    const own = Buffer.from(text).toString();
    const digest = hash('sha256', text, 'base64url');
    if (own === text) this.#known.set(own.slice(FROM, TO), { text: own, digest }, ENTRY_BYTES + 2 * own.length);
    return digest;
  }
}
