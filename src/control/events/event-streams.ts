import type { ServerResponse } from 'node:http';
import type { Clock } from '../../base/clock.ts';
import { EventStream } from './event-stream.ts';
import type { EventFeed } from './feed.ts';
import type { Viewer } from './viewer.ts';

/** Streams at one time: in all, and of one viewer. A browser has six connections to a server. */
const MOST = 50;
const MOST_OF_ONE = 4;

/** The streams that are open, bounded in number. */
export class EventStreams {
  readonly #feed: EventFeed;
  readonly #clock: Clock;
  readonly #open = new Set<EventStream>();
  readonly #of = new Map<string, number>();
  #all = 0;
  #isClosing = false;

  constructor(feed: EventFeed, clock: Clock) {
    this.#feed = feed;
    this.#clock = clock;
  }

  get size(): number {
    return this.#all;
  }

  /** Takes a place for a stream, and gives what runs it, which must be called; null: there is none. */
  open(viewer: Viewer): ((response: ServerResponse) => Promise<void>) | null {
    const own = this.#of.get(viewer.by) ?? 0;
    if (this.#isClosing || this.#all >= MOST || own >= MOST_OF_ONE) return null;
    this.#all++;
    this.#of.set(viewer.by, own + 1);
    return async (response) => {
      const stream = new EventStream(this.#feed, viewer, response, this.#clock);
      this.#open.add(stream);
      if (this.#isClosing || response.destroyed || response.req.method === 'HEAD') response.end();
      else await stream.run();
      this.#open.delete(stream);
      this.#leave(viewer.by);
    };
  }

  /** Ends all streams, and takes no more. */
  close(): void {
    this.#isClosing = true;
    for (const stream of this.#open) stream.end();
    this.#feed.stop();
  }

  #leave(by: string): void {
    this.#all--;
    const left = (this.#of.get(by) ?? 1) - 1;
    if (left === 0) this.#of.delete(by);
    else this.#of.set(by, left);
  }
}
