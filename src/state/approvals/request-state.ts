import { type ApprovalRequest, type ApprovalState, MAX_USE_MS, REST_MS, SHOWN_MS } from './book.ts';

/** In which state a request is at `nowMs`, in milliseconds since the epoch. */
export function stateOfRequest({ closing, grant, askUntilMs }: ApprovalRequest, nowMs: number): ApprovalState {
  if (closing !== null) return closing.kind;
  if (grant !== null) return nowMs < grant.untilMs ? 'granted' : 'expired';
  return nowMs < askUntilMs ? 'pending' : 'expired';
}

/**
 * Until when a request is remembered: while it can be granted or used, or could be by what somebody signed before it was closed,
 * while the same is not asked again, and a little longer for whoever looks what became of it.
 */
export function keptUntil({
  askUntilMs,
  grant,
  closing,
}: Pick<ApprovalRequest, 'askUntilMs' | 'grant' | 'closing'>): number {
  if (closing !== null) return Math.max(askUntilMs + MAX_USE_MS, closing.atMs + REST_MS) + SHOWN_MS;
  return Math.max(askUntilMs, grant?.untilMs ?? 0) + SHOWN_MS;
}
