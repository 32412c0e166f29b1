import { AlikeTally } from './alike.ts';
import type { Alike, ApprovalGrant, ApprovalRequest, GrantLookup } from './book.ts';
import type { ApprovalOrder } from './order.ts';
import { keptUntil, stateOfRequest } from './request-state.ts';

/** The requests for approvals that are remembered: the last one of each digest, and how many there were of each kind. */
export class ApprovalTable implements GrantLookup {
  readonly #byDigest = new Map<string, ApprovalRequest>();
  readonly #byId = new Map<string, ApprovalRequest>();
  readonly #alike: AlikeTally;

  /** `sinceMs`: from then on it is told of all of them, in milliseconds since the epoch. */
  constructor(sinceMs: number) {
    this.#alike = new AlikeTally(sinceMs);
  }

  get size(): number {
    return this.#byDigest.size;
  }

  grantsOf(digest: string, nowMs: number): readonly ApprovalGrant[] {
    const request = this.#byDigest.get(digest);
    if (request === undefined || stateOfRequest(request, nowMs) !== 'granted') return [];
    return [request.grant!];
  }

  ofDigest(digest: string): ApprovalRequest | null {
    return this.#byDigest.get(digest) ?? null;
  }

  find(id: string): ApprovalRequest | null {
    return this.#byId.get(id) ?? null;
  }

  values(): Iterable<ApprovalRequest> {
    return this.#byDigest.values();
  }

  /** Those that wait for a person. */
  pending(nowMs: number): readonly ApprovalRequest[] {
    return [...this.#byDigest.values()].filter((request) => stateOfRequest(request, nowMs) === 'pending');
  }

  alikeTo(order: ApprovalOrder, nowMs: number): Alike {
    return this.#alike.of(order, nowMs);
  }

  /** Takes one, in the place of what was there by its digest. */
  set(request: ApprovalRequest): void {
    const { digest } = request.order;
    this.#alike.count(request, this.#byDigest.get(digest));
    this.remove(digest);
    this.#byDigest.set(digest, request);
    this.#byId.set(request.id, request);
  }

  remove(digest: string): void {
    const before = this.#byDigest.get(digest);
    if (before === undefined) return;
    this.#byDigest.delete(digest);
    this.#byId.delete(before.id);
  }

  /** Forgets what nobody has to remember after `nowMs`. */
  dropOver(nowMs: number): void {
    for (const [digest, request] of this.#byDigest) if (keptUntil(request) <= nowMs) this.remove(digest);
  }
}
