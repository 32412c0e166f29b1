import type { KeyObject } from 'node:crypto';
import { type Held, type LearnedIds, RejectedTexts, type StoreMirror } from '../store-mirror.ts';
import { approvalMark, readApprovalMark } from './approval-mark.ts';
import { digestOfRecord, readApprovalRecord } from './approval-record.ts';
import { ApprovalTable } from './approval-table.ts';
import type { ApprovalRequest } from './book.ts';
import { GlassMirror, type ReadGlass } from './glass-mirror.ts';
import { keptUntil } from './request-state.ts';

/** What a store lacks: a request, with the mark of it, or none. */
export interface LostApproval {
  readonly field: string;
  readonly record: string;
  readonly mark: string;
}

/** What was learned, by the ids of requests. `rejected`: what opens, and no trusted key signed; each such text once. */
export type LearnedApprovals = LearnedIds<'asked' | 'decided' | 'rejected'>;
type Learned = Record<keyof LearnedApprovals, string[]>;

interface ApprovalMirrorParts {
  readonly namespace: string;
  readonly trustedKeys: () => readonly KeyObject[];
  /** Beyond this a store holds more requests than it may: those are not read. */
  readonly most: number;
  /** How far the clock of whoever asked may be ahead. */
  readonly skewMs: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** The texts that a store had of one request, and the full read that had it last. */
interface Known {
  readonly record: string;
  readonly mark: string;
  /** Also that of requests whose place it took, so that they do not come back. */
  readonly keptUntilMs: number;
  readonly seenIn: number;
}

/** What a store holds of a request: as nobody has answered it, and as its mark has it; null where that is not believed. */
interface ReadApproval {
  readonly asked: ApprovalRequest;
  readonly record: string;
  readonly marked: ApprovalRequest | null;
  readonly mark: string;
}

const isGlass = (read: ReadApproval | ReadGlass): read is ReadGlass => 'said' in read;

/**
 * The approvals of a store, as far as they were seen: what a check is looked up in. Anybody who can write there can ask; a
 * request is granted only by what a trusted key signed, and one that was closed stays closed, whatever the store has later.
 */
export class ApprovalMirror implements StoreMirror<LostApproval, keyof LearnedApprovals> {
  readonly #parts: ApprovalMirrorParts;
  readonly table: ApprovalTable;
  readonly glass: GlassMirror;
  /** By the digest of the request, which is the field of the store. */
  readonly #known = new Map<string, Known>();
  readonly #rejected = new RejectedTexts();
  #pass = 0;
  #unreadable = 0;

  constructor(parts: ApprovalMirrorParts) {
    this.#parts = parts;
    this.table = new ApprovalTable(parts.now());
    this.glass = new GlassMirror(parts.namespace, parts.trustedKeys);
  }

  get size(): number {
    return this.table.size;
  }

  /** Records that could not be read since the last full read began. */
  get unreadable(): number {
    return this.#unreadable;
  }

  /** The texts of a request as a store is to have them; null: it is not known here. */
  asStored(digest: string): LostApproval | null {
    const known = this.#known.get(digest);
    return known === undefined ? null : { field: digest, record: known.record, mark: known.mark };
  }

  /** The mark that says what became of a request. `key`: for what opens. */
  markOf(request: ApprovalRequest, key: KeyObject | null): string {
    const { record } = this.#known.get(request.order.digest)!;
    return approvalMark(this.#parts.namespace, record, request, key);
  }

  /** Whether a mark says something of the request of this record: what opens must be signed by a trusted key. */
  async believes(record: string, mark: string): Promise<boolean> {
    const asked = readApprovalRecord(record);
    const { namespace, trustedKeys } = this.#parts;
    return asked !== null && (await readApprovalMark(namespace, record, asked, mark, trustedKeys())) !== null;
  }

  beginPass(): void {
    this.#pass++;
    this.#unreadable = 0;
  }

  endPass(nowMs: number): readonly LostApproval[] {
    const lost = [...this.#known].filter(([, known]) => known.seenIn !== this.#pass && known.keptUntilMs > nowMs);
    return [...lost.map(([digest]) => this.asStored(digest)!), ...this.glass.unseen(this.#pass, nowMs)];
  }

  async take(held: readonly Held[], lost: LostApproval[]): Promise<LearnedApprovals> {
    const learned: Learned = { asked: [], decided: [], rejected: [] };
    for (const read of await Promise.all(held.map((one) => this.#read(one, learned.rejected)))) {
      if (read === null) continue;
      if (!isGlass(read)) this.#apply(read, learned, lost);
      else if (this.glass.apply(read, this.#pass, lost) && read.said.kind === 'broken')
        learned.decided.push(read.said.asked.id);
    }
    return learned;
  }

  dropEnded(beforeMs: number): void {
    this.glass.dropEnded(beforeMs);
    for (const [digest, { keptUntilMs }] of this.#known) {
      if (keptUntilMs > beforeMs) continue;
      this.#known.delete(digest);
      this.table.remove(digest);
    }
  }

  async #read({ record, mark }: Held, rejected: string[]): Promise<ReadApproval | ReadGlass | null> {
    if (record === null) return null;
    const { namespace, trustedKeys, now, skewMs } = this.#parts;
    const asked = readApprovalRecord(record);
    const glass = asked === null ? await this.glass.read({ record, mark }) : null;
    if (glass === 'rejected' || glass?.isForged === true) {
      if (this.#rejected.isNew(`${record} ${mark}`)) rejected.push('break-glass');
    }
    if (glass !== null) return glass === 'rejected' ? null : glass;
    // Who is ahead of all clocks would keep others from asking for the same.
    if (asked === null || asked.askedAtMs > now() + skewMs) {
      this.#unreadable++;
      return null;
    }
    const known = this.#known.get(asked.order.digest);
    if (mark === null || (known?.record === record && known.mark === mark))
      return { asked, record, marked: null, mark: mark ?? '' };
    const marked = await readApprovalMark(namespace, record, asked, mark, trustedKeys());
    if (marked === null && this.#rejected.isNew(mark)) rejected.push(asked.id);
    return { asked, record, marked, mark: marked === null ? '' : mark };
  }

  #apply(read: ReadApproval, learned: Learned, lost: LostApproval[]): void {
    const { asked, record, marked, mark } = read;
    const { digest } = asked.order;
    const before = this.#known.get(digest);
    if (before?.record !== record) {
      if (!this.#takesPlace(asked, before)) return;
      const keptUntilMs = Math.max(keptUntil(asked), before?.keptUntilMs ?? 0);
      this.#known.set(digest, { record, mark: '', keptUntilMs, seenIn: this.#pass });
      this.table.set(asked);
      learned.asked.push(asked.id);
    }
    const known = { ...this.#known.get(digest)!, seenIn: this.#pass };
    this.#known.set(digest, known);
    if (mark === known.mark) return;
    const request = this.table.ofDigest(digest)!;
    if (marked === null || !goesFurther(marked, request)) {
      // Two ends say the same: who put back its own would have another one put back theirs.
      if (request.closing !== null && marked !== null && marked.closing !== null) return;
      lost.push(this.asStored(digest)!);
      return;
    }
    const keptUntilMs = Math.max(keptUntil(marked), known.keptUntilMs);
    this.#known.set(digest, { ...known, mark, keptUntilMs });
    this.table.set(marked);
    if (marked.glass !== null) this.glass.learn(record, asked, marked.glass);
    learned.decided.push(asked.id);
  }

  /** Whether a request is the one that counts for its digest from now on: the last one that was asked. */
  #takesPlace(asked: ApprovalRequest, before: Known | undefined): boolean {
    // What nobody has to remember is not learned.
    if (keptUntil(asked) <= this.#parts.now() && before === undefined) return false;
    if (before === undefined) return this.size < this.#parts.most;
    const known = this.table.ofDigest(asked.order.digest)!;
    return asked.askedAtMs > known.askedAtMs || (asked.askedAtMs === known.askedAtMs && asked.id > known.id);
  }
}

/** Whether what became of a request is more than what is known of it: closed is the most, and of two closings the first counts. */
function goesFurther(marked: ApprovalRequest, known: ApprovalRequest): boolean {
  if (known.closing !== null) return false;
  if (marked.closing !== null) return true;
  if (known.grant !== null) return false;
  return marked.grant !== null || marked.consents.length > known.consents.length;
}

/** What RESTORE_MARKED gets of a request. */
export const argsOfApproval = ({ field, record, mark }: LostApproval): readonly string[] => [
  field,
  digestOfRecord(record),
  record,
  mark,
];
