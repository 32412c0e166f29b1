import { Fault } from '../../base/fault.ts';
import type { Link } from './link.ts';

/**
 * Waits until enough replicas have what was written through one link. One wait is under way at a time, and whatever is
 * written meanwhile shares the next one: so many claims cost few waits.
 */
export class ReplicaWait {
  readonly #link: Link;
  readonly #replicas: number;
  readonly #timeoutMs: number;
  #running: Promise<string | null> | null = null;
  #next: Promise<string | null> | null = null;

  constructor(link: Link, replicas: number, timeoutMs: number) {
    this.#link = link;
    this.#replicas = replicas;
    this.#timeoutMs = timeoutMs;
  }

  /** Null once enough replicas have everything that was answered before; else why not. Never rejects. */
  confirm(): Promise<string | null> {
    if (this.#running === null) return this.#begin();
    this.#next ??= this.#running.then(() => this.#begin());
    return this.#next;
  }

  #begin(): Promise<string | null> {
    this.#next = null;
    const running = this.#wait();
    this.#running = running;
    void running.then(() => {
      if (this.#running === running) this.#running = null;
    });
    return running;
  }

  async #wait(): Promise<string | null> {
    const reply = await this.#link.call(['WAIT', String(this.#replicas), String(this.#timeoutMs)], 2 * this.#timeoutMs);
    if (reply instanceof Fault) return reply.detail;
    const have = Number(reply);
    return have >= this.#replicas ? null : `${have} of ${this.#replicas} replicas have the claim`;
  }
}
