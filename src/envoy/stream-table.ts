import { subscribe } from 'node:diagnostics_channel';
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import { types } from 'node:util';

/** The open streams of a session as Node keeps them. */
interface SessionState {
  streams: Map<number, ServerHttp2Stream>;
}

/**
 * A Map that leaves no trail. V8 gives a Map to which entries come and go all the time a new table again and again, and each
 * old one holds on to the next, for iterators: once one of them is old for the collector, all streams that ever stood in one
 * survive as garbage, with all that belongs to their checks, until the whole heap is swept. That was a fifth of a check. A
 * dictionary of numbers has no such links.
 */
export class StreamTable<V> extends Map<number, V> {
  #byId: Record<number, V> = Object.create(null);
  #size = 0;

  override get size(): number {
    return this.#size;
  }

  override get(id: number): V | undefined {
    return this.#byId[id];
  }

  override has(id: number): boolean {
    return id in this.#byId;
  }

  override set(id: number, value: V): this {
    if (!(id in this.#byId)) this.#size++;
    this.#byId[id] = value;
    return this;
  }

  override delete(id: number): boolean {
    if (!(id in this.#byId)) return false;
    this.#size--;
    return delete this.#byId[id];
  }

  override clear(): void {
    this.#byId = Object.create(null);
    this.#size = 0;
  }

  override forEach(run: (value: V, id: number, map: Map<number, V>) => void): void {
    for (const [id, value] of this) run(value, id, this);
  }

  override *entries(): MapIterator<[number, V]> {
    for (const id of Object.keys(this.#byId).map(Number)) {
      if (id in this.#byId) yield [id, this.#byId[id]!];
    }
  }

  override *keys(): MapIterator<number> {
    for (const [id] of this.entries()) yield id;
  }

  override *values(): MapIterator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  override [Symbol.iterator](): MapIterator<[number, V]> {
    return this.entries();
  }
}

/** Where Node keeps the state of a session; null where that is not as it is known here. */
let place: symbol | null | undefined;

function stateOf(session: ServerHttp2Session): SessionState | null {
  const members = session as unknown as Record<symbol, SessionState | undefined>;
  if (place === undefined) place = Object.getOwnPropertySymbols(session).find(isState) ?? null;
  const state = place === null ? undefined : members[place];
  // Its Map has another prototype than those of programs.
  return state !== undefined && types.isMap(state.streams) ? state : null;
}

const isState = ({ description }: symbol): boolean => description === 'state';

/** Gives a session a table of this kind, with what its own one holds. A Node that keeps its streams elsewhere is left as it is. */
export function keepStreams(session: ServerHttp2Session): void {
  const state = stateOf(session);
  if (state === null || state.streams instanceof StreamTable) return;
  const table = new StreamTable<ServerHttp2Stream>();
  state.streams.forEach((stream, id) => void table.set(id, stream));
  state.streams = table;
}

let watching = false;

/** Does so for all sessions of this process that are served, with the first stream of each. */
export function keepAllStreams(): void {
  if (watching) return;
  watching = true;
  subscribe('http2.server.stream.created', (message) => {
    const { session } = (message as { stream: ServerHttp2Stream }).stream;
    if (session !== undefined) keepStreams(session as ServerHttp2Session);
  });
}
