import type { Clock } from '../../base/clock.ts';
import { type Notice, noticeOf } from './notice.ts';

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
  readonly closing: object | null;
}

/** The book of approvals. */
export interface WatchedBook {
  all(): Iterable<WatchedApproval>;
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
    for (const request of this.#book.all()) {
      const notice = noticeAbout(request, this.#clock.now());
      if (notice === null) continue;
      told.add(notice.id);
      if (!this.#told.has(notice.id)) this.#tell(notice);
    }
    this.#told = told;
    this.#cancel = this.#clock.after(LOOK_MS, () => this.#look());
  }
}

/** What is to be told of a request as it is at `nowMs`; null: nothing. */
function noticeAbout({ id, order, askedAtMs, askUntilMs, grant, closing }: WatchedApproval, nowMs: number) {
  const untilMs = grant === null ? askUntilMs : grant.untilMs;
  if (closing !== null || nowMs >= untilMs) return null;
  const { approvals, caller, host, sensitivity } = order;
  const data = { id, approvals, caller, host, sensitivity, expires: new Date(untilMs).toISOString() };
  return grant === null
    ? noticeOf('approval.requested', [id], { atMs: askedAtMs, untilMs }, data)
    : noticeOf('approval.granted', [id], { atMs: grant.grantedAtMs, untilMs }, data);
}
