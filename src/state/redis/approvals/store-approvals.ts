import { hash, type KeyObject } from 'node:crypto';
import { within } from '../../../base/within.ts';
import {
  ApprovalMirror,
  argsOfApproval,
  type LearnedApprovals,
  type LostApproval,
} from '../../approvals/approval-mirror.ts';
import { approvalRecord } from '../../approvals/approval-record.ts';
import {
  type Alike,
  type ApprovalBook,
  type ApprovalGrant,
  type ApprovalRequest,
  type AskResult,
  type CloseOrder,
  type DecideResult,
  type GlassLookup,
  type GlassOrder,
  type GlassResult,
  type GrantOrder,
  MAX_APPROVALS,
  MAX_PENDING,
  MAX_PENDING_OF_CALLER,
  type ReviewOrder,
  type ReviewResult,
} from '../../approvals/book.ts';
import { brokenGlass } from '../../approvals/break-glass.ts';
import { closed, consented, judgeAsk, requestAskedFor } from '../../approvals/decisions.ts';
import { glassField, glassRecord, signUse } from '../../approvals/glass-record.ts';
import { type ApprovalOrder, isTrueToDigest } from '../../approvals/order.ts';
import { newApprovalId } from '../../approvals/process-approvals.ts';
import { stateOfRequest } from '../../approvals/request-state.ts';
import type { LiftKeys } from '../../lift-keys.ts';
import { RESTORE_MARKED } from '../marked-scripts.ts';
import { MAX_SKEW_MS } from '../options.ts';
import type { Head } from '../record-queries.ts';
import { type FollowedStore, type RecordEvent, SharedRecords } from '../shared-records.ts';
import { unavailable } from '../writer.ts';
import { BOUNDS, refusedBy, UNSIGNED } from './refused.ts';
import { writeReview } from './reviews.ts';
import { APPROVAL_KEYS, APPROVAL_LOG, ASK, DECIDE } from './scripts.ts';

/** The longest request: a person could not read more. */
const MAX_REQUEST_BYTES = 32 * 1024;
/** Requests that are asked for at one time, at each sidecar: of one caller, no more than may wait. */
const MAX_ASKING = 16;
/** Marks that nobody signed whose place one decision takes, each of which came since the one before. */
const MAX_FORGED = 3;

export interface RedisApprovalsParts extends FollowedStore {
  readonly keys: () => LiftKeys;
  readonly onEvent: (event: RecordEvent<keyof LearnedApprovals>) => void;
}

/**
 * The approvals that several sidecars share. What is asked and decided is written to the store on a connection of its own; all
 * that is looked up is the mirror in the memory of this process, which a feed keeps up to date.
 */
export class RedisApprovals implements ApprovalBook {
  readonly #parts: RedisApprovalsParts;
  readonly #mirror: ApprovalMirror;
  readonly #shared: SharedRecords<LostApproval, keyof LearnedApprovals>;
  /** What is being asked for, by the digest of the request: who comes meanwhile has the same answer. */
  readonly #asking = new Map<string, { readonly caller: string; readonly asked: Promise<AskResult> }>();

  private constructor(parts: RedisApprovalsParts) {
    this.#parts = parts;
    const { options, clock, keys, onEvent } = parts;
    this.#mirror = new ApprovalMirror({
      namespace: options.namespace,
      trustedKeys: () => keys().trusted,
      most: 2 * MAX_APPROVALS,
      skewMs: MAX_SKEW_MS,
      now: clock.now,
    });
    this.#shared = new SharedRecords(parts, {
      what: 'approvals',
      names: APPROVAL_KEYS,
      log: APPROVAL_LOG,
      mirror: this.#mirror,
      restore: RESTORE_MARKED,
      limits: BOUNDS,
      argsOf: argsOfApproval,
      refused: (word) => refusedBy(word).detail,
      onEvent,
    });
  }

  /** Begins to follow the store; resolves after the first full read, or when that takes long. */
  static async start(parts: RedisApprovalsParts): Promise<RedisApprovals> {
    const approvals = new RedisApprovals(parts);
    await approvals.#shared.start();
    return approvals;
  }

  /** Milliseconds since they were up to date; null: never. */
  stalenessMs(nowMs: number): number | null {
    return this.#shared.stalenessMs(nowMs);
  }

  /** Other keys are trusted now. */
  keysChanged(): void {
    this.#shared.feed.resyncSoon();
  }

  /** What the store told of itself last, and records of it that could not be read. */
  status(): { readonly head: Head | null; readonly unreadable: number } {
    return { head: this.#shared.feed.head, unreadable: this.#mirror.unreadable };
  }

  /** Why nobody knows which are granted at `nowMs`; null: it is known. */
  unknown(nowMs: number): string | null {
    return this.#shared.unknown(nowMs);
  }

  /** None while nobody knows whether one was withdrawn. */
  grantsOf(digest: string, nowMs: number): readonly ApprovalGrant[] {
    return this.unknown(nowMs) === null ? this.#mirror.table.grantsOf(digest, nowMs) : [];
  }

  all(): Iterable<ApprovalRequest> {
    return this.#mirror.table.values();
  }

  find(id: string): ApprovalRequest | null {
    return this.#mirror.table.find(id);
  }

  readonly alikeTo = (order: ApprovalOrder, nowMs: number): Alike => this.#mirror.table.alikeTo(order, nowMs);

  async ask(order: ApprovalOrder, nowMs: number, spent: string | null = null): Promise<AskResult> {
    if (!isTrueToDigest(order)) return unavailable('the digest is not that of the request');
    const unread = this.#shared.unread(nowMs);
    if (unread !== null) return unavailable(unread);
    const judged = judgeAsk(this.#mirror.table, order, nowMs, spent);
    if (judged.result !== 'new') return judged;
    const { digest, caller } = order;
    const underWay = this.#asking.get(digest);
    if (underWay !== undefined) return underWay.asked;
    const own = [...this.#asking.values()].filter((one) => one.caller === caller).length;
    if (own >= MAX_PENDING_OF_CALLER)
      return { result: 'full', detail: `${own} requests of this caller are being asked for` };
    if (this.#asking.size >= MAX_ASKING) return unavailable(`${MAX_ASKING} requests are being asked for`);
    const asked = this.#askStore(order, nowMs, spent);
    this.#asking.set(digest, { caller, asked });
    return asked.finally(() => this.#asking.delete(digest));
  }

  async grant(order: GrantOrder, nowMs: number): Promise<DecideResult> {
    const before = this.#mirror.table.find(order.id);
    if (before === null) return this.#unknown(nowMs);
    const decided = consented(before, order, nowMs);
    if ('result' in decided) return decided;
    const { signing } = this.#parts.keys();
    if (signing === null) return UNSIGNED;
    return this.#decide(before, decided, signing, nowMs);
  }

  async close(order: CloseOrder, nowMs: number): Promise<DecideResult> {
    const before = this.#mirror.table.find(order.id);
    if (before === null) return this.#unknown(nowMs);
    const decided = closed(before, order, nowMs);
    return 'result' in decided ? decided : this.#decide(before, decided, null, nowMs);
  }

  get glass(): GlassLookup {
    return this.#mirror.glass.table;
  }

  async breakGlass(order: GlassOrder, nowMs: number): Promise<GlassResult> {
    // Nobody knows else what waits for a review.
    const stale = this.unknown(nowMs);
    if (stale !== null) return unavailable(stale);
    const before = this.#mirror.table.find(order.id);
    if (before === null) return { result: 'unknown' };
    const broken = brokenGlass(before, order, this.glass, nowMs);
    if ('result' in broken) return broken;
    const { signing } = this.#parts.keys();
    if (signing === null) return UNSIGNED;
    const { namespace } = this.#parts.options;
    const { record } = this.#mirror.asStored(before.order.digest)!;
    const glass = { ...broken.glass!, signature: signUse(namespace, record, broken.glass!, signing) };
    return this.#decide(before, { ...broken, glass }, signing, nowMs);
  }

  async review(order: ReviewOrder, nowMs: number): Promise<ReviewResult> {
    const stale = this.unknown(nowMs);
    if (stale !== null) return unavailable(stale);
    const { keys, options } = this.#parts;
    const stands = { glass: this.#mirror.glass, writer: this.#shared.writer, namespace: options.namespace };
    const take = (record: string, mark: string | null) => this.#take(record, mark);
    return writeReview(order, { ...stands, signing: keys().signing, take }, nowMs);
  }

  stop(): Promise<void> {
    return this.#shared.stop();
  }

  #unknown(nowMs: number): DecideResult {
    const unread = this.#shared.unread(nowMs);
    return unread === null ? { result: 'unknown' } : unavailable(unread);
  }

  async #askStore(order: ApprovalOrder, nowMs: number, spent: string | null): Promise<AskResult> {
    const { timeoutMs } = this.#parts.options;
    const asked = await within(this.#ask(order, nowMs), timeoutMs, () =>
      unavailable('the store does not answer in time'),
    );
    if (asked !== 'held') return asked;
    const again = judgeAsk(this.#mirror.table, order, nowMs, spent);
    return again.result === 'new' ? unavailable('the store holds something else for this request') : again;
  }

  /** Writes a request; 'held' where the store has another one for its digest, which is known then. */
  async #ask(order: ApprovalOrder, nowMs: number): Promise<AskResult | 'held'> {
    const before = this.#mirror.table.ofDigest(order.digest);
    // A later one takes the place of an earlier one, whatever clocks say.
    const askedAtMs = Math.max(nowMs, (before?.askedAtMs ?? 0) + 1);
    const request = requestAskedFor(newApprovalId(), order, askedAtMs);
    const record = approvalRecord(request);
    if (Buffer.byteLength(record) > MAX_REQUEST_BYTES)
      return unavailable('the request is too long to be shown to a person');
    const place = this.#mirror.asStored(order.digest)?.record ?? '';
    const times = [askedAtMs, MAX_SKEW_MS, request.askUntilMs].map(String);
    const most = [MAX_PENDING_OF_CALLER, MAX_PENDING].map(String);
    const args = [order.digest, record, place, ...BOUNDS, ...times, tagOf(order.caller), ...most];
    const written = await this.#shared.writer.write(ASK, args);
    if ('result' in written) return written;
    const [word, held, mark] = written.words;
    if (word === 'held') {
      await this.#take(held ?? '', mark || null);
      return 'held';
    }
    if (word === 'crowded') return { result: 'full', detail: 'the caller, or all together, wait for enough persons' };
    if (word !== 'stored') return refusedBy(word);
    await this.#take(record, null);
    return { result: 'pending', id: request.id, expiresAtMs: request.askUntilMs };
  }

  /** Writes what became of a request that was judged as it is known here. */
  async #decide(
    before: ApprovalRequest,
    decided: ApprovalRequest,
    key: KeyObject | null,
    nowMs: number,
  ): Promise<DecideResult> {
    const { digest, caller } = before.order;
    const { record, mark: judgedBy } = this.#mirror.asStored(digest)!;
    const mark = this.#mirror.markOf(decided, key);
    const waits = stateOfRequest(decided, nowMs) === 'pending';
    const glass = decided.glass === null ? null : glassRecord(record, decided.glass);
    const more = glass === null ? [] : [glassField(decided.id), glass, ...BOUNDS];
    const argsAt = (place: string) => [
      ...[digest, record, mark, place, String(before.askUntilMs), waits ? '' : tagOf(caller)],
      ...more,
    ];
    let written = await this.#shared.writer.write(DECIDE, argsAt(judgedBy));
    for (let forged = 0; forged < MAX_FORGED && 'words' in written; forged++) {
      const [word, held] = written.words;
      if (word !== 'changed' || !held || (await this.#mirror.believes(record, held))) break;
      // Whoever may write there would else keep out what a person decided.
      written = await this.#shared.writer.write(DECIDE, argsAt(held));
    }
    if ('result' in written) return written;
    const [word, held] = written.words;
    switch (word) {
      case 'stored':
        break;
      case 'changed':
        await this.#take(record, held || null);
        return { result: 'conflict', detail: 'somebody else decided meanwhile' };
      case 'late':
        return { result: 'conflict', detail: 'it is expired' };
      case 'other':
        return unavailable('the store lost the request, or holds something else for it; ask again');
      default:
        return refusedBy(word);
    }
    await this.#take(record, mark);
    if (glass !== null) await this.#take(glass, null);
    const request = this.#mirror.table.find(before.id);
    if (request === null || (key !== null && !isAsFar(request, decided)))
      return unavailable('no trusted key signed what was written');
    const confirmed = await this.#shared.writer.confirmed(written.link, 'stored', nowMs);
    return confirmed.result === 'unavailable' || confirmed.result === 'full' ? confirmed : { ...confirmed, request };
  }

  /** Takes what the store holds now, as the feed would a little later. */
  async #take(record: string, mark: string | null): Promise<void> {
    this.#parts.onEvent({ kind: 'learned', ...(await this.#mirror.take([{ record, mark }], [])) });
  }
}

/** Whether what was written is believed here. */
const isAsFar = (request: ApprovalRequest, decided: ApprovalRequest): boolean =>
  request.consents.length >= decided.consents.length && (decided.grant === null || request.grant !== null);

/** A caller among those that wait. */
const tagOf = (caller: string): string => hash('sha256', caller, 'base64url');
