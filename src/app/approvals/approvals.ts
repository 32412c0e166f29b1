import type { Config } from '../../config/schema.ts';
import type { Log } from '../../observe/log.ts';
import type { Metrics } from '../../observe/metrics.ts';
import type { ApprovalBook } from '../../state/approvals/book.ts';
import { REVIEW_MS } from '../../state/approvals/break-glass.ts';
import { ProcessApprovals } from '../../state/approvals/process-approvals.ts';
import { stateOfRequest } from '../../state/approvals/request-state.ts';
import type { OrderKeys } from '../../state/lift-keys.ts';
import { RedisApprovals, type RedisApprovalsParts } from '../../state/redis/approvals/store-approvals.ts';
import type { RedisState } from '../../state/redis/store.ts';

const MAX_SHOWN = 16;

/** The approvals that were asked for, running: a part of the app. */
export interface ApprovalsPart {
  /** Null where nothing could be granted: no control API in this process, or no key by which a grant would be believed. */
  readonly book: ApprovalBook | null;
  /** What is measured before a scrape. */
  readonly gauges: (nowMs: number) => Parameters<Metrics['gauges']>[0];
  /** What keeps the sidecar from being ready. */
  missing(nowMs: number): readonly string[];
  /** What `/status` shows. */
  status(nowMs: number): Readonly<Record<string, unknown>>;
  stop(): void | Promise<void>;
}

/**
 * The approvals of the configuration: in the store that is shared, else in this process. `startedAtMs`: when the process started, in
 * milliseconds since the epoch.
 */
export async function startApprovals(
  { control, listen }: Config,
  shared: RedisState | null,
  keys: OrderKeys,
  onEvent: RedisApprovalsParts['onEvent'],
  startedAtMs: number,
): Promise<ApprovalsPart> {
  const believes = control.key !== null || control.trustedKeys.length > 0;
  const stored =
    shared === null || !believes
      ? null
      : await RedisApprovals.start({ ...shared.followed, keys: keys.current, onEvent });
  if (stored !== null) keys.onChange(() => stored.keysChanged());
  const book = stored ?? (shared === null && listen.control !== null ? new ProcessApprovals(startedAtMs) : null);
  return {
    book,
    gauges: (nowMs) => (book === null ? {} : { ...counted(book, nowMs), ...(stored && storeGauges(stored, nowMs)) }),
    // Once they were read, nothing passes by a grant of which nobody knows whether it was withdrawn.
    missing: (nowMs) => (stored !== null && stored.stalenessMs(nowMs) === null ? [stored.unknown(nowMs)!] : []),
    status: (nowMs) => ({ approvals: book === null ? null : shown(book, stored, nowMs) }),
    stop: () => stored?.stop(),
  };
}

function counted(book: ApprovalBook, nowMs: number) {
  const states = [...book.all()].map((request) => stateOfRequest(request, nowMs));
  const unreviewed = [...book.glass.all()].filter(({ review }) => review === null);
  return {
    authz_break_glass_unreviewed: unreviewed.length,
    authz_break_glass_overdue: unreviewed.filter(({ use }) => nowMs >= use.atMs + REVIEW_MS).length,
    authz_approvals_pending: states.filter((state) => state === 'pending').length,
    authz_approvals_granted: states.filter((state) => state === 'granted').length,
    authz_approvals_remembered: states.length,
  };
}

function storeGauges(stored: RedisApprovals, nowMs: number) {
  const staleMs = stored.stalenessMs(nowMs);
  return {
    authz_approvals_staleness_seconds: staleMs === null ? null : staleMs / 1000,
    authz_store_approvals_unreadable: stored.status().unreadable,
  };
}

function shown(book: ApprovalBook, stored: RedisApprovals | null, nowMs: number) {
  const counts = counted(book, nowMs);
  const decided = {
    pending: counts.authz_approvals_pending,
    granted: counts.authz_approvals_granted,
    breakGlass: {
      // Whether anybody said that none waits which is not known here: else nobody breaks glass.
      begun: book.glass.beginnings.length > 0,
      unreviewed: counts.authz_break_glass_unreviewed,
      overdue: counts.authz_break_glass_overdue,
    },
  };
  if (stored === null) return decided;
  const { head, unreadable } = stored.status();
  const staleMs = stored.stalenessMs(nowMs);
  const staleSeconds = staleMs === null ? null : Math.round(staleMs) / 1000;
  const fault = stored.unknown(nowMs);
  return { ...decided, store: { fault, staleSeconds, requests: head?.records ?? null, unreadable } };
}

/** Reports what happens to the approvals of the store to log and metrics: each decision is a line of the audit where it is given. */
export function approvalReports(log: Log, metrics: Metrics): RedisApprovalsParts['onEvent'] {
  return (event) => {
    switch (event.kind) {
      case 'learned': {
        const { rejected } = event;
        if (rejected.length === 0) return;
        metrics.counted('authz_approval_grants_rejected_total', rejected.length);
        return log.error('grants rejected', { approvals: rejected.slice(0, MAX_SHOWN), count: rejected.length });
      }
      case 'resync':
        return metrics.counted('authz_approval_resyncs_total');
      case 'restored':
        return log.warn('approvals written back to the store', { approvals: event.records });
      case 'not restored':
        return log.error('approvals could not be written back to the store', { detail: event.detail });
    }
  };
}
