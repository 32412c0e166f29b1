import type { ServerResponse } from 'node:http';
import type { Clock } from '../../base/clock.ts';
import { FairPlaces } from '../fair-places.ts';
import { EventStream } from './event-stream.ts';
import type { EventFeed } from './feed.ts';
import type { Viewer } from './viewer.ts';

/** Streams at one time: in all, and of one viewer. A browser has six connections to a server. */
const MOST = 50;
const MOST_OF_ONE = 4;

/** Of one stream: null while it has not begun. */
interface Place {
  stream: EventStream | null;
  isLost: boolean;
}

/** The streams that are open, bounded in number, and shared fairly. */
export class EventStreams {
  readonly #feed: EventFeed;
  readonly #clock: Clock;
  readonly #places = new FairPlaces<Place>({ all: MOST, one: MOST_OF_ONE }, (place) => {
    place.isLost = true;
    place.stream?.end();
  });
  #isClosing = false;

  constructor(feed: EventFeed, clock: Clock) {
    this.#feed = feed;
    this.#clock = clock;
  }

  get size(): number {
    return this.#places.size;
  }

  /** Takes a place for a stream, and gives what runs it, which must be called; null: there is none. */
  open(viewer: Viewer): ((response: ServerResponse) => Promise<void>) | null {
    const place: Place = { stream: null, isLost: false };
    if (this.#isClosing || !this.#places.take(viewer.by, place)) return null;
    return async (response) => {
      const stream = new EventStream(this.#feed, viewer, response, this.#clock);
      place.stream = stream;
      const isOver = this.#isClosing || place.isLost || response.destroyed;
      if (isOver || response.req.method === 'HEAD') response.end();
      else await stream.run();
      this.#places.leave(viewer.by, place);
    };
  }

  /** Ends all streams, and takes no more. */
  close(): void {
    this.#isClosing = true;
    for (const { stream } of this.#places.held()) stream?.end();
    this.#feed.stop();
  }
}
