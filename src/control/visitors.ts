import { FairPlaces } from './fair-places.ts';

/** What may be asked of a port. */
export interface VisitorLimits {
  /** Connections at one time, in all, and of one address. */
  readonly all: number;
  readonly connections: number;
  /** Connections and requests, together, in one second. */
  readonly asksPerSecond: number;
}

/** A connection that can be ended. */
export interface Visit {
  destroy(): unknown;
}

interface Visitor {
  asks: number;
  /** The second that `asks` are counted in. */
  second: number;
}

/** Connections that a server may have beside those that hold a place: each has lost it, and ends in a moment. */
export const ENDING = 64;

/** Addresses that are remembered; beyond it those without a connection are forgotten. */
const MAX_VISITORS = 1024;

/**
 * Bounds what each address asks of a port that shares its thread with the checks: so nobody can hold up the checks by asking,
 * nor keep others out by holding connections.
 */
export class Visitors {
  readonly #limits: VisitorLimits;
  readonly #now: () => number;
  readonly #visitors = new Map<string, Visitor>();
  readonly #places: FairPlaces<Visit>;

  /** `now` is in milliseconds, and never goes back. */
  constructor(limits: VisitorLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
    this.#places = new FairPlaces({ all: limits.all, one: limits.connections }, (visit) => visit.destroy());
  }

  /**
   * Whether this address may connect once more, for which another one may lose a connection of many; when it may, `left` must
   * be called at the end of the connection.
   */
  connects(address: string, visit: Visit): boolean {
    return this.#ask(this.#visitor(address)) && this.#places.take(address, visit);
  }

  left(address: string, visit: Visit): void {
    this.#places.leave(address, visit);
  }

  /** Whether this address may ask once more. */
  asks(address: string): boolean {
    return this.#ask(this.#visitor(address));
  }

  #visitor(address: string): Visitor {
    const known = this.#visitors.get(address);
    if (known !== undefined) return known;
    if (this.#visitors.size >= MAX_VISITORS) {
      for (const other of this.#visitors.keys()) if (!this.#places.isHolder(other)) this.#visitors.delete(other);
    }
    const visitor = { asks: 0, second: 0 };
    this.#visitors.set(address, visitor);
    return visitor;
  }

  #ask(visitor: Visitor): boolean {
    const second = Math.floor(this.#now() / 1000);
    if (second !== visitor.second) {
      visitor.second = second;
      visitor.asks = 0;
    }
    return ++visitor.asks <= this.#limits.asksPerSecond;
  }
}
