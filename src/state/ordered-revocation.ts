import { hash } from 'node:crypto';
import { jsonOf } from '../base/json.ts';
import { REVOCATION_ID, type Revocation, type RevocationKind, revocable } from './revocation.ts';
import { MAX_RECORD_BYTES } from './store-mirror.ts';

/** A revocation that somebody ordered at `atMs`. Written as one line of text, by which it is recognised. */
export class OrderedRevocation implements Revocation {
  readonly id: string;
  readonly subject: string;
  readonly issuedUpToMs: number | null;
  readonly untilMs: number;
  readonly reason: string;
  readonly by: string;
  readonly atMs: number;

  constructor({ id, subject, issuedUpToMs, untilMs, reason, by }: Omit<Revocation, 'kind'>, atMs: number) {
    this.id = id;
    this.subject = subject;
    this.issuedUpToMs = issuedUpToMs;
    this.untilMs = untilMs;
    this.reason = reason;
    this.by = by;
    this.atMs = atMs;
  }

  get kind(): RevocationKind {
    return this.subject.slice(0, this.subject.indexOf(' ')) as RevocationKind;
  }

  /** Everything but its end and when it was ordered. */
  get content(): string {
    const { id, subject, issuedUpToMs, reason, by } = this;
    return JSON.stringify([id, subject, issuedUpToMs, reason, by]);
  }

  /** The whole of it, as stores hold it: scripts of a store read the end and the time of the order alone. */
  get record(): string {
    return `${this.untilMs} ${this.atMs} ${this.content}`;
  }

  /** Whether it is the same order, whenever it was given. */
  isSame(other: OrderedRevocation): boolean {
    return this.untilMs === other.untilMs && this.content === other.content;
  }

  /** By which a lift names it: another order has another one, also of the same content. */
  get digest(): string {
    return hash('sha256', this.record, 'base64url');
  }

  /** What a record says; null where it is none, or not written as `record` writes it. */
  static read(record: string): OrderedRevocation | null {
    const [, until, at, json] = /^(\d{1,15}) (\d{1,15}) (\[.*\])$/s.exec(record) ?? [];
    if (json === undefined || record.length > MAX_RECORD_BYTES) return null;
    const parts = jsonOf(json);
    if (!Array.isArray(parts) || parts.length !== 5) return null;
    const [id, subject, issuedUpToMs, reason, by] = parts as readonly unknown[];
    if (![id, subject, reason, by].every((text) => typeof text === 'string') || !REVOCATION_ID.test(id as string))
      return null;
    if (issuedUpToMs !== null && !Number.isSafeInteger(issuedUpToMs)) return null;
    const fields = { id, subject, issuedUpToMs, untilMs: Number(until), reason, by } as Omit<Revocation, 'kind'>;
    const read = new OrderedRevocation(fields, Number(at));
    return Object.hasOwn(revocable, read.kind) && read.record === record ? read : null;
  }
}
