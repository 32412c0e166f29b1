import type { Revocation } from './revocation.ts';
import type { KnownRevocation, LiftOrder, OrderResult, RevocationBook } from './revocation-book.ts';
import type { RevocationListing, RevocationLookup } from './revocations.ts';

/** The revocations of a file beside those that are ordered: both apply, and the file's are changed in the file. */
export class JoinedBook implements RevocationBook {
  readonly #file: () => RevocationListing | null;
  readonly #ordered: RevocationBook;
  readonly lookup: RevocationLookup;

  constructor(file: () => RevocationListing | null, ordered: RevocationBook) {
    this.#file = file;
    this.#ordered = ordered;
    this.lookup = {
      get empty() {
        return ordered.lookup.empty && (file()?.empty ?? true);
      },
      find: (evidence, nowMs) => file()?.find(evidence, nowMs) ?? ordered.lookup.find(evidence, nowMs),
    };
  }

  *all(): Iterable<KnownRevocation> {
    for (const revocation of this.#file()?.values() ?? []) yield ofFile(revocation);
    yield* this.#ordered.all();
  }

  get(id: string): KnownRevocation | null {
    const revocation = this.#inFile(id);
    return revocation === null ? this.#ordered.get(id) : ofFile(revocation);
  }

  async revoke(order: Revocation, nowMs: number): Promise<OrderResult> {
    return this.#inFile(order.id) === null
      ? this.#ordered.revoke(order, nowMs)
      : { result: 'conflict', detail: `${order.id} is a revocation of the file; choose another id` };
  }

  async lift(order: LiftOrder): Promise<OrderResult> {
    return this.#inFile(order.id) === null
      ? this.#ordered.lift(order)
      : { result: 'conflict', detail: `${order.id} is a revocation of the file; remove it there` };
  }

  #inFile(id: string): Revocation | null {
    return this.#file()?.get(id) ?? null;
  }
}

const ofFile = (revocation: Revocation): KnownRevocation => ({ revocation, origin: 'file', orderedAtMs: null });
