import { randomBytes } from 'node:crypto';
import { ApprovalTable } from './approval-table.ts';
import type {
  Alike,
  ApprovalBook,
  ApprovalGrant,
  ApprovalRequest,
  AskResult,
  CloseOrder,
  DecideResult,
  GlassOrder,
  GlassResult,
  GrantOrder,
  ReviewOrder,
  ReviewResult,
} from './book.ts';
import { brokenGlass, GlassTable, reviewedGlass } from './break-glass.ts';
import { closed, consented, judgeAsk, requestAskedFor } from './decisions.ts';
import { type ApprovalOrder, isTrueToDigest } from './order.ts';

/** How a request is named: by 128 random bits, which no command line takes for an option. */
export function newApprovalId(): string {
  const id = randomBytes(16).toString('base64url');
  return id.startsWith('-') ? newApprovalId() : id;
}

/** The approvals of one process, which are lost with it. When it is full, nothing is asked. */
export class ProcessApprovals implements ApprovalBook {
  readonly #table: ApprovalTable;
  readonly glass = new GlassTable();

  /** `startedAtMs`: when the process started, in milliseconds since the epoch. */
  constructor(startedAtMs: number) {
    this.#table = new ApprovalTable(startedAtMs);
  }

  async ask(order: ApprovalOrder, nowMs: number, spent: string | null = null): Promise<AskResult> {
    if (!isTrueToDigest(order)) return { result: 'unavailable', detail: 'the digest is not that of the request' };
    this.#table.dropOver(nowMs);
    this.glass.dropOver(nowMs);
    const judged = judgeAsk(this.#table, order, nowMs, spent);
    if (judged.result !== 'new') return judged;
    const request = requestAskedFor(newApprovalId(), order, nowMs);
    this.#table.set(request);
    return { result: 'pending', id: request.id, expiresAtMs: request.askUntilMs };
  }

  grantsOf(digest: string, nowMs: number): readonly ApprovalGrant[] {
    return this.#table.grantsOf(digest, nowMs);
  }

  all(): Iterable<ApprovalRequest> {
    return this.#table.values();
  }

  find(id: string): ApprovalRequest | null {
    return this.#table.find(id);
  }

  alikeTo(order: ApprovalOrder, nowMs: number): Alike {
    return this.#table.alikeTo(order, nowMs);
  }

  async grant(order: GrantOrder, nowMs: number): Promise<DecideResult> {
    const before = this.#table.find(order.id);
    return before === null ? { result: 'unknown' } : this.#taken(consented(before, order, nowMs), nowMs);
  }

  async close(order: CloseOrder, nowMs: number): Promise<DecideResult> {
    const before = this.#table.find(order.id);
    return before === null ? { result: 'unknown' } : this.#taken(closed(before, order, nowMs), nowMs);
  }

  async breakGlass(order: GlassOrder, nowMs: number): Promise<GlassResult> {
    const before = this.#table.find(order.id);
    if (before === null) return { result: 'unknown' };
    const broken = brokenGlass(before, order, this.glass, nowMs);
    if (!('result' in broken)) this.glass.set({ asked: before, use: broken.glass!, review: null });
    return 'result' in broken && broken.result === 'resting' ? broken : this.#taken(broken, nowMs);
  }

  async review(order: ReviewOrder, nowMs: number): Promise<ReviewResult> {
    const reviewed = reviewedGlass(order, this.glass, nowMs);
    if (reviewed !== null && 'result' in reviewed) return reviewed;
    if (reviewed === null) this.glass.begin({ by: order.by, atMs: nowMs, reason: order.reason });
    else this.glass.set(reviewed);
    return { result: 'stored', broken: reviewed, atMs: nowMs, replicas: null, covers: 'this process' };
  }

  #taken(decided: ReturnType<typeof consented>, nowMs: number): DecideResult {
    if ('result' in decided) return decided;
    this.#table.set(decided);
    return { result: 'stored', request: decided, atMs: nowMs, replicas: null, covers: 'this process' };
  }
}
