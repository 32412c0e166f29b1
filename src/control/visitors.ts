/** What one address may ask of the status port. */
export interface VisitorLimits {
  /** Connections at one time. */
  readonly connections: number;
  /** Connections and requests, together, in one second. */
  readonly asksPerSecond: number;
}

interface Visitor {
  connections: number;
  asks: number;
  /** The second that `asks` are counted in. */
  second: number;
}

/** Addresses that are remembered; beyond it those without a connection are forgotten. */
const MAX_VISITORS = 1024;

/**
 * Bounds what each address asks of the status port, which has no authentication and shares its thread with the checks: so
 * nobody can hold up the checks by asking, nor the probes of others by holding connections.
 */
export class Visitors {
  readonly #limits: VisitorLimits;
  readonly #now: () => number;
  readonly #visitors = new Map<string, Visitor>();

  /** `now` is in milliseconds, and never goes back. */
  constructor(limits: VisitorLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Whether this address may connect once more; when it may, `left` must be called at the end of the connection. */
  connects(address: string): boolean {
    const visitor = this.#visitor(address);
    if (visitor.connections >= this.#limits.connections || !this.#ask(visitor)) return false;
    visitor.connections++;
    return true;
  }

  left(address: string): void {
    const visitor = this.#visitors.get(address);
    if (visitor !== undefined) visitor.connections--;
  }

  /** Whether this address may ask once more. */
  asks(address: string): boolean {
    return this.#ask(this.#visitor(address));
  }

  #visitor(address: string): Visitor {
    const known = this.#visitors.get(address);
    if (known !== undefined) return known;
    if (this.#visitors.size >= MAX_VISITORS) {
      for (const [other, { connections }] of this.#visitors) if (connections === 0) this.#visitors.delete(other);
    }
    const visitor = { connections: 0, asks: 0, second: 0 };
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
