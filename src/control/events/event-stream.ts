import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Clock } from '../../base/clock.ts';
import { Turns } from '../../base/slices.ts';
import { within } from '../../base/within.ts';
import type { EventFeed } from './feed.ts';
import type { Viewer, ViewerRights } from './viewer.ts';

/** How often it is looked up again who is told, and what it may see. */
const AGAIN_MS = 2000;
/** A stream in which nothing was said for so long says that it is there. */
const SILENT_MS = 10_000;
/** A reader who takes nothing for so long is gone. */
const STUCK_MS = 10_000;
/** What is written at once: a reader who has not taken it gets no more. */
const BATCH_CHARS = 32_768;
/** The longest piece of work on the thread that answers checks, in milliseconds. */
const PIECE_MS = 2;
/** How soon a browser comes back. */
const RETRY_MS = 2000;

/**
 * Server-sent events to one viewer (HTML, section 9.2). It holds no queue: its place in the feed waits while its reader is
 * slow, and where the feed has gone on without it, it is told to ask anew (`reset`).
 */
export class EventStream {
  readonly #feed: EventFeed;
  readonly #viewer: Viewer;
  readonly #clock: Clock;
  readonly #response: ServerResponse;
  #rights: ViewerRights;
  /** None yet. */
  #place = Number.POSITIVE_INFINITY;
  /** The place that the reader was told. */
  #toldPlace = -1;
  #isWriting = false;
  #isOver = false;
  #wroteAtMs: number;
  #cancel = () => {};

  constructor(feed: EventFeed, viewer: Viewer, response: ServerResponse, clock: Clock) {
    this.#feed = feed;
    this.#viewer = viewer;
    this.#rights = viewer.rights;
    this.#response = response;
    this.#clock = clock;
    this.#wroteAtMs = clock.now();
  }

  /** Tells what happens until it is over, for whatever reason. Never rejects. */
  async run(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#response.once('close', resolve));
    this.#response.on('error', () => this.end());
    const leave = await this.#feed.join(() => void this.#write());
    const { after } = this.#viewer;
    const place = after === null ? this.#feed.end : this.#feed.placeOf(after);
    this.#place = place ?? this.#feed.end;
    const begun = place === null ? this.#event('reset', '{}') : this.#event('ready', '{}');
    if (await this.#send(`retry: ${RETRY_MS}\n${begun}`)) {
      this.#lookAgain();
      await this.#write();
      await closed;
    }
    this.end();
    leave();
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancel();
    this.#response.end();
  }

  #lookAgain(): void {
    this.#cancel = this.#clock.after(AGAIN_MS, async () => {
      const rights = await this.#viewer.again().catch(() => null);
      if (this.#isOver) return;
      if (rights === null) return this.end();
      this.#rights = rights;
      if (!this.#isWriting && this.#clock.now() - this.#wroteAtMs >= SILENT_MS) void this.#send(this.#stillHere());
      this.#lookAgain();
    });
  }

  /** Writes what came since, as far as the reader takes it. */
  async #write(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    const turns = new Turns(PIECE_MS);
    while (!this.#isOver && this.#place < this.#feed.end) {
      const text = this.#batch(turns);
      if (text !== '' && !(await this.#send(text))) break;
      if (turns.over) await turns.next();
    }
    this.#isWriting = false;
  }

  /** The next events that the viewer may see; empty: this turn was too short for one. */
  #batch(turns: Turns): string {
    let text = '';
    while (this.#place < this.#feed.end && text.length < BATCH_CHARS && !turns.over) {
      const event = this.#feed.at(this.#place);
      if (event === null) {
        this.#place = this.#feed.keeps(this.#place) ? this.#place + 1 : this.#feed.end;
        // What is asked for after it covers what came before.
        text = this.#event('reset', '{}');
        continue;
      }
      this.#place++;
      if (!this.#viewer.kinds.has(event.kind)) continue;
      const about = event.about();
      const maySee = about.length > 0 && about.every((resource) => this.#rights.maySee(resource));
      if (maySee) text += this.#event(event.kind, event.data);
    }
    return text;
  }

  #event(name: string, data: string): string {
    this.#toldPlace = this.#place;
    return `event: ${name}\nid: ${this.#feed.idOf(this.#place)}\ndata: ${data}\n\n`;
  }

  /** Keeps the connection, and tells how far it is where nothing that the viewer may see came. */
  #stillHere(): string {
    if (this.#toldPlace === this.#place) return ': still here\n\n';
    this.#toldPlace = this.#place;
    return `id: ${this.#feed.idOf(this.#place)}\n\n`;
  }

  /** False: the reader is gone, or takes nothing. */
  async #send(text: string): Promise<boolean> {
    const response = this.#response;
    if (this.#isOver || response.destroyed) return false;
    this.#wroteAtMs = this.#clock.now();
    if (response.write(text)) return true;
    const waiting = new AbortController();
    const { signal } = waiting;
    const drained = Promise.race([once(response, 'drain', { signal }), once(response, 'close', { signal })]).then(
      () => !response.destroyed,
      () => false,
    );
    const isTaken = await within(drained, STUCK_MS, () => false);
    waiting.abort();
    if (!isTaken) response.destroy();
    return isTaken;
  }
}
