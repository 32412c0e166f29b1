import type { Clock } from '../../base/clock.ts';
import { REVIEW_MS } from '../../state/approvals/break-glass.ts';
import { type Notice, type NoticeData, noticeOf } from './notice.ts';

/** What notices say of a request for an approval. Times are milliseconds since the epoch. */
interface WatchedApproval {
  readonly id: string;
  readonly order: {
    readonly approvals: readonly string[];
    readonly caller: string;
    readonly host: string;
    readonly sensitivity: string | null;
  };
  readonly askedAtMs: number;
  readonly askUntilMs: number;
  readonly grant: { readonly grantedAtMs: number; readonly untilMs: number } | null;
  /** Null: it was not let pass by one person alone. */
  readonly glass: object | null;
  readonly closing: object | null;
}

/** The book of approvals. */
export interface WatchedBook {
  all(): Iterable<WatchedApproval>;
  readonly glass: {
    all(): Iterable<{
      readonly asked: Pick<WatchedApproval, 'id' | 'order'>;
      readonly use: { readonly atMs: number };
      readonly review: object | null;
    }>;
  };
}

const LOOK_MS = 1000;

/**
 * Tells of approvals that are asked for and granted. It looks at the book once a second, so that neither a check nor an order
 * ever waits for it, and whoever restarts tells of what came meanwhile.
 */
export class ApprovalWatch {
  readonly #book: WatchedBook;
  readonly #clock: Clock;
  readonly #tell: (notice: Notice) => void;
  /** Ids of notices about what the book holds. */
  #told: ReadonlySet<string> = new Set();
  #cancel: () => void;

  constructor(book: WatchedBook, clock: Clock, tell: (notice: Notice) => void) {
    this.#book = book;
    this.#clock = clock;
    this.#tell = tell;
    this.#cancel = clock.after(0, () => this.#look());
  }

  stop(): void {
    this.#cancel();
  }

  #look(): void {
    const told = new Set<string>();
    const nowMs = this.#clock.now();
    for (const notice of [...noticesOf(this.#book, nowMs)]) {
      told.add(notice.id);
      if (!this.#told.has(notice.id)) this.#tell(notice);
    }
    this.#told = told;
    this.#cancel = this.#clock.after(LOOK_MS, () => this.#look());
  }
}

/** What is to be told of the book as it is at `nowMs`. */
function* noticesOf(book: WatchedBook, nowMs: number): Iterable<Notice> {
  for (const request of book.all()) {
    const notice = noticeAbout(request, nowMs);
    if (notice !== null) yield notice;
  }
  for (const { asked, use, review } of book.glass.all()) {
    const untilMs = use.atMs + REVIEW_MS;
    if (review !== null || nowMs >= untilMs) continue;
    yield noticeOf('break_glass.used', [asked.id], { atMs: use.atMs, untilMs }, dataOf(asked, untilMs));
  }
}

/** What is to be told of a request as it is at `nowMs`; null: nothing. */
function noticeAbout(request: WatchedApproval, nowMs: number): Notice | null {
  const { id, askedAtMs, askUntilMs, grant, glass, closing } = request;
  const untilMs = grant === null ? askUntilMs : grant.untilMs;
  // Of break-glass another notice tells.
  if (closing !== null || glass !== null || nowMs >= untilMs) return null;
  const data = dataOf(request, untilMs);
  return grant === null
    ? noticeOf('approval.requested', [id], { atMs: askedAtMs, untilMs }, data)
    : noticeOf('approval.granted', [id], { atMs: grant.grantedAtMs, untilMs }, data);
}

function dataOf({ id, order }: Pick<WatchedApproval, 'id' | 'order'>, untilMs: number): NoticeData {
  const { approvals, caller, host, sensitivity } = order;
  return { id, approvals, caller, host, sensitivity, expires: new Date(untilMs).toISOString() };
}
