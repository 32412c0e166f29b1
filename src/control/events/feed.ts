import { randomBytes } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import type { ControlEvent } from './viewer.ts';

/** What of one source happened since it was last asked. */
export interface Happened {
  readonly events: readonly ControlEvent[];
  /** False: there was more, and nobody knows what. */
  readonly isWhole: boolean;
}

/** Where events come from. It never rejects; its first answer only says from where on it looks. */
export type EventSource = () => Promise<Happened>;

/** How often sources are asked while somebody is told. */
const LOOK_MS = 500;
/** So long it goes on when nobody is left, so that who comes back has missed nothing. */
const LINGER_MS = 60_000;
/** What is kept for those who come back, and for slow ones. */
const MOST_EVENTS = 4000;
const MOST_BYTES = 4 * 2 ** 20;
const ID = /^([a-z0-9]{16})\.(\d{1,15})$/;

/**
 * What happened lately, numbered: one list for all who are told, each with a place of its own in it. It looks at its sources,
 * and no check ever waits for it; while nobody is told it does nothing. Numbers are of one run of it, and of one process.
 */
export class EventFeed {
  readonly #sources: () => readonly EventSource[];
  readonly #clock: Clock;
  readonly #listeners = new Set<() => void>();
  #running: { readonly name: string; readonly began: Promise<void> } | null = null;
  /** Null: something is missing there. */
  #kept: (ControlEvent | null)[] = [];
  #first = 0;
  #bytes = 0;
  #leftAtMs = 0;
  #cancel = () => {};

  /** `sources`: makes them, at each beginning. */
  constructor(sources: () => readonly EventSource[], clock: Clock) {
    this.#sources = sources;
    this.#clock = clock;
  }

  /** Where the next event will be. */
  get end(): number {
    return this.#first + this.#kept.length;
  }

  /** The event at a place; null: some are missing there, or it is no longer kept. */
  at(place: number): ControlEvent | null {
    return this.#kept[place - this.#first] ?? null;
  }

  /** Whether an event at this place is still to be had. */
  keeps(place: number): boolean {
    return place >= this.#first;
  }

  /** What a viewer who was told all before a place is told as the id of the last one. */
  idOf(place: number): string {
    return `${this.#running?.name ?? ''}.${place}`;
  }

  /** The place behind an id; null: from there on it is not whole. */
  placeOf(id: string): number | null {
    const [, name, number] = ID.exec(id) ?? [];
    const place = Number(number);
    return name === this.#running?.name && this.keeps(place) && place <= this.end ? place : null;
  }

  /** Tells a listener whenever something may have come; gives what ends that. From then on nothing is missed. */
  async join(listener: () => void): Promise<() => void> {
    this.#listeners.add(listener);
    this.#running ??= this.#begin();
    await this.#running.began;
    return () => {
      this.#listeners.delete(listener);
      this.#leftAtMs = this.#clock.now();
    };
  }

  stop(): void {
    this.#cancel();
    this.#running = null;
    this.#kept = [];
    this.#bytes = 0;
  }

  #begin(): { readonly name: string; readonly began: Promise<void> } {
    this.#first = 0;
    const sources = this.#sources();
    const name = randomBytes(8).toString('hex');
    const began = this.#look(sources, name);
    return { name, began };
  }

  async #look(sources: readonly EventSource[], name: string): Promise<void> {
    for (const source of sources) {
      const { events, isWhole } = await source();
      if (this.#running?.name !== name) return;
      if (!isWhole) this.#add(null);
      for (const event of events) this.#add(event);
    }
    for (const listener of this.#listeners) listener();
    this.#cancel = this.#clock.after(LOOK_MS, () => {
      const isLeft = this.#listeners.size === 0 && this.#clock.now() - this.#leftAtMs >= LINGER_MS;
      if (isLeft) this.stop();
      else void this.#look(sources, name);
    });
  }

  #add(event: ControlEvent | null): void {
    this.#kept.push(event);
    this.#bytes += event?.data.length ?? 0;
    let over = 0;
    while (this.#kept.length - over > MOST_EVENTS || this.#bytes > MOST_BYTES)
      this.#bytes -= this.#kept[over++]?.data.length ?? 0;
    this.#kept.splice(0, over);
    this.#first += over;
  }
}
