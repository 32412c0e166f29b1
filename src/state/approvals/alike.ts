import { hash } from 'node:crypto';
import { BoundedMemory } from '../../base/bounded-memory.ts';
import type { Alike, ApprovalRequest } from './book.ts';
import type { ApprovalOrder } from './order.ts';

const HOUR_MS = 60 * 60_000;
const HOURS = 24;
/** Kinds of requests of which it is counted how many came, and what one takes, its key with it. */
const MAX_KINDS = 2000;
const KIND_BYTES = 1024;

/** Of each hour of the day, round and round: which hour it is since the epoch, and what was counted in it. */
interface Hours {
  readonly hour: Uint32Array;
  readonly asked: Uint32Array;
  readonly granted: Uint32Array;
}

/** How many requests of one kind came in the last day, and how many of them people granted: a bounded number of kinds. */
export class AlikeTally {
  readonly #sinceMs: number;
  readonly #kinds = new BoundedMemory<Hours>(MAX_KINDS * KIND_BYTES, MAX_KINDS);

  /** `sinceMs`: from then on all of them are told, in milliseconds since the epoch. */
  constructor(sinceMs: number) {
    this.#sinceMs = sinceMs;
  }

  /** Counts what is new in a request; `before`: as it was known. What one person let pass alone is not granted. */
  count(request: ApprovalRequest, before: ApprovalRequest | undefined): void {
    const { order, askedAtMs, grant } = request;
    const known = before?.id === request.id ? before : null;
    if (known === null) this.#add('asked', order, askedAtMs);
    if (grant !== null && grant.alone !== true && !known?.grant) this.#add('granted', order, grant.grantedAtMs);
  }

  /** Those of the last day, to the hour. */
  of(order: ApprovalOrder, nowMs: number): Alike {
    const first = Math.floor(nowMs / HOUR_MS) - HOURS + 1;
    const sinceMs = Math.max(first * HOUR_MS, this.#sinceMs);
    const hours = this.#kinds.get(kindOf(order));
    let [asked, granted] = [0, 0];
    for (let at = 0; hours !== undefined && at < HOURS; at++) {
      if (hours.hour[at]! < first) continue;
      asked += hours.asked[at]!;
      granted += hours.granted[at]!;
    }
    return { asked, granted, sinceMs };
  }

  #add(what: 'asked' | 'granted', order: ApprovalOrder, atMs: number): void {
    const kind = kindOf(order);
    let hours = this.#kinds.get(kind);
    if (hours === undefined) {
      hours = { hour: new Uint32Array(HOURS), asked: new Uint32Array(HOURS), granted: new Uint32Array(HOURS) };
      this.#kinds.set(kind, hours, KIND_BYTES);
    }
    const hour = Math.floor(atMs / HOUR_MS);
    const at = hour % HOURS;
    // A day older than what was counted there.
    if (hours.hour[at]! > hour) return;
    if (hours.hour[at] !== hour) {
      hours.hour[at] = hour;
      hours.asked[at] = 0;
      hours.granted[at] = 0;
    }
    hours[what][at]!++;
  }
}

/** What is alike in requests that one policy could answer. */
const kindOf = ({ caller, action, host, approvals }: ApprovalOrder): string =>
  hash('sha256', JSON.stringify([caller, action, host, approvals]), 'base64url');
