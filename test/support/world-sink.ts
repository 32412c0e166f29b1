import { once } from 'node:events';
import { Writable } from 'node:stream';

/** A standard output whose reader can stop to read: what is written then waits, as in a pipe that is full. */
export class HeldOutput extends Writable {
  #held = false;
  #waiting: (() => void) | null = null;

  override _write(_chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#held) {
      this.#waiting = done;
      this.emit('stalled');
    } else {
      done();
    }
  }

  hold(): void {
    this.#held = true;
  }

  /** Resolves once something waits to be read. */
  async stalled(): Promise<void> {
    if (this.#waiting === null) await once(this, 'stalled');
  }

  release(): void {
    this.#held = false;
    this.#waiting?.();
    this.#waiting = null;
  }
}
