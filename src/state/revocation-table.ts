import { bucketHash, HashChains } from './hash-chains.ts';
import { OrderedRevocation } from './ordered-revocation.ts';
import { RecordBlocks } from './record-blocks.ts';
import type { Evidence, RevocableSubject, Revocation } from './revocation.ts';
import { hits, type RevocationLookup } from './revocations.ts';

/** More of one subject are not taken: each check of that subject looks at all of them. */
const MAX_PER_SUBJECT = 100;
const FIRST_ENTRIES = 1024;

/**
 * The revocations that were ordered, by id and by what they name. They lie there as records, since there may be many, and are
 * read when they are asked for. Where one id has several contents, since somebody wrote another one into a store, all of
 * them count.
 */
export class RevocationTable implements RevocationLookup {
  readonly #records = new RecordBlocks();
  readonly #byId = new HashChains();
  readonly #bySubject = new HashChains();
  /** When each ends; 0 where there is no entry. */
  #ends = new Float64Array(FIRST_ENTRIES);
  /** The full read of a store that had it last. */
  #seenIn = new Uint32Array(FIRST_ENTRIES);
  readonly #free: number[] = [];
  #entries = 0;

  get size(): number {
    return this.#entries - this.#free.length;
  }

  /** Of all records together. */
  get bytes(): number {
    return this.#records.bytes;
  }

  get empty(): boolean {
    return this.size === 0;
  }

  find(evidence: readonly Evidence[], nowMs: number): Revocation | null {
    for (const { subjects, issuedAt } of evidence)
      for (const subject of subjects) {
        const found = this.#hit(subject, issuedAt, nowMs);
        if (found !== null) return found;
      }
    return null;
  }

  /** One of this id. */
  get(id: string): OrderedRevocation | null {
    return this.ofId(id)[0] ?? null;
  }

  /** All contents of an id. */
  ofId(id: string): readonly OrderedRevocation[] {
    return [...this.#with(this.#byId, id)].filter((revocation) => revocation.id === id);
  }

  /** Whether this very one is there; then `pass`, a full read of a store, had it. */
  see(revocation: OrderedRevocation, pass: number): boolean {
    const entry = this.#entryOf(revocation);
    if (entry < 0) return false;
    this.#seenIn[entry] = pass;
    return true;
  }

  *values(): Iterable<OrderedRevocation> {
    for (let entry = 0; entry < this.#entries; entry++) if (this.#ends[entry] !== 0) yield this.#read(entry);
  }

  /** Those that this full read did not have, and that have not ended. */
  *unseen(pass: number, nowMs: number): Iterable<OrderedRevocation> {
    for (let entry = 0; entry < this.#entries; entry++)
      if (this.#ends[entry]! > nowMs && this.#seenIn[entry] !== pass) yield this.#read(entry);
  }

  /** How many have not ended. */
  inForce(nowMs: number): number {
    let count = 0;
    for (let entry = 0; entry < this.#entries; entry++) if (this.#ends[entry]! > nowMs) count++;
    return count;
  }

  /** Why no further one of this subject is taken; null: one is. */
  crowded(subject: string): string | null {
    let count = 0;
    for (const revocation of this.#with(this.#bySubject, subject)) if (revocation.subject === subject) count++;
    return count < MAX_PER_SUBJECT
      ? null
      : `there are ${MAX_PER_SUBJECT} revocations of this subject; lift some of them`;
  }

  /** Takes one that is not there yet, and that `pass` had. */
  add(revocation: OrderedRevocation, pass: number): void {
    const entry = this.#free.pop() ?? this.#entries++;
    if (entry >= this.#ends.length) this.#grow();
    this.#records.set(entry, revocation.record);
    this.#byId.add(bucketHash(revocation.id), entry);
    this.#bySubject.add(bucketHash(revocation.subject), entry);
    // One that ended at the beginning of time is one all the same.
    this.#ends[entry] = Math.max(1, revocation.untilMs);
    this.#seenIn[entry] = pass;
  }

  /** Drops this very one, if it is there. */
  remove(revocation: OrderedRevocation): void {
    const entry = this.#entryOf(revocation);
    if (entry >= 0) this.#drop(entry);
  }

  /** Drops those that ended before `beforeMs`. */
  dropEnded(beforeMs: number): void {
    for (let entry = 0; entry < this.#entries; entry++) {
      const ends = this.#ends[entry]!;
      if (ends !== 0 && ends < beforeMs) this.#drop(entry);
    }
  }

  #hit({ text, hash }: RevocableSubject, issuedAt: number | null, nowMs: number): Revocation | null {
    for (let entry = this.#bySubject.after(hash); entry >= 0; entry = this.#bySubject.after(hash, entry)) {
      if (nowMs >= this.#ends[entry]!) continue;
      const revocation = this.#read(entry);
      if (revocation.subject === text && hits(revocation, issuedAt, nowMs)) return revocation;
    }
    return null;
  }

  #drop(entry: number): void {
    this.#byId.remove(entry);
    this.#bySubject.remove(entry);
    this.#records.delete(entry);
    this.#ends[entry] = 0;
    this.#free.push(entry);
  }

  #entryOf(revocation: OrderedRevocation): number {
    const hash = bucketHash(revocation.id);
    let entry = this.#byId.after(hash);
    if (entry < 0) return entry;
    const { record } = revocation;
    while (entry >= 0 && this.#records.get(entry) !== record) entry = this.#byId.after(hash, entry);
    return entry;
  }

  *#with(chains: HashChains, text: string): Iterable<OrderedRevocation> {
    const hash = bucketHash(text);
    for (let entry = chains.after(hash); entry >= 0; entry = chains.after(hash, entry)) yield this.#read(entry);
  }

  #read(entry: number): OrderedRevocation {
    const revocation = OrderedRevocation.read(this.#records.get(entry));
    if (revocation === null) throw new Error('bug: a record of the table cannot be read');
    return revocation;
  }

  #grow(): void {
    const [ends, seenIn] = [new Float64Array(2 * this.#ends.length), new Uint32Array(2 * this.#ends.length)];
    ends.set(this.#ends);
    seenIn.set(this.#seenIn);
    [this.#ends, this.#seenIn] = [ends, seenIn];
  }
}
