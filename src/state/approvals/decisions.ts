import { isDeepStrictEqual } from 'node:util';
import type { ApprovalTable } from './approval-table.ts';
import {
  type ApprovalRequest,
  ASK_MS,
  type AskResult,
  type CloseOrder,
  type DecideResult,
  type GrantOrder,
  MAX_APPROVALS,
  MAX_PENDING,
  pendingShare,
  REST_MS,
} from './book.ts';
import { stateOfRequest } from './request-state.ts';

/** What there is already of an approval that is asked for, or why it cannot be; else `new`. */
export type JudgedAsk = { readonly result: 'new' } | Exclude<AskResult, { readonly result: 'unavailable' }>;

/** Judges what is asked by what is known. */
export function judgeAsk(
  table: ApprovalTable,
  { digest, caller }: { readonly digest: string; readonly caller: string },
  nowMs: number,
  spent: string | null,
): JudgedAsk {
  const before = table.ofDigest(digest);
  const known = before === null ? null : askedBefore(before, nowMs, spent);
  if (known !== null) return known;
  const detail = crowded(table, caller, before !== null, nowMs);
  return detail === null ? { result: 'new' } : { result: 'full', detail };
}

/** What a request says to whoever asks for the same; null: another one may be made. */
function askedBefore(before: ApprovalRequest, nowMs: number, spent: string | null): JudgedAsk | null {
  const { id, askUntilMs, grant, closing } = before;
  switch (stateOfRequest(before, nowMs)) {
    case 'pending':
      return { result: 'pending', id, expiresAtMs: askUntilMs };
    case 'granted':
      return spent === id ? null : { result: 'pending', id, expiresAtMs: grant!.untilMs };
    case 'expired':
      return null;
    case 'refused':
    case 'withdrawn': {
      const restsUntilMs = closing!.atMs + REST_MS;
      const again = `it may be asked again at ${new Date(restsUntilMs).toISOString()}`;
      return nowMs < restsUntilMs ? { result: 'refused', detail: `a person has ${closing!.kind} it; ${again}` } : null;
    }
  }
}

function crowded(table: ApprovalTable, caller: string, replaces: boolean, nowMs: number): string | null {
  const pending = table.pending(nowMs);
  if (pending.length >= MAX_PENDING) return `${MAX_PENDING} requests wait for a person`;
  const own = pending.filter(({ order }) => order.caller === caller).length;
  if (own >= pendingShare(pending.length))
    return `${own} requests of this caller wait for a person, and ${pending.length} in all`;
  return table.size >= MAX_APPROVALS && !replaces ? `${MAX_APPROVALS} requests are remembered` : null;
}

/** A request that is asked for now. */
export const requestAskedFor = (id: string, order: ApprovalRequest['order'], nowMs: number): ApprovalRequest => ({
  id,
  order,
  askedAtMs: nowMs,
  askUntilMs: nowMs + ASK_MS,
  consents: [],
  grant: null,
  glass: null,
  closing: null,
});

type Undecided = Extract<DecideResult, { readonly result: 'conflict' }>;

/**
 * A request with one more person's yes, which grants it where there are enough of them: what all of them said yes to, and no more.
 * Or why that does not count.
 */
export function consented(request: ApprovalRequest, given: GrantOrder, nowMs: number): ApprovalRequest | Undecided {
  const { id, order, consents } = request;
  const state = stateOfRequest(request, nowMs);
  if (state !== 'pending') return conflict(`it is ${state}`);
  if (given.digest !== order.digest || !isDeepStrictEqual(given.approvals, order.approvals))
    return conflict('it is not the request that was shown');
  if (consents.some(({ by }) => by === given.by))
    return conflict('the same person has granted it already; it takes another one');
  const { by: person, reason, uses, useForMs } = given;
  const all = [...consents, { by: person, atMs: nowMs, reason, uses, useForMs }];
  if (all.length < given.quorum) return { ...request, consents: all };
  const { digest, approvals } = order;
  const by = all.map((one) => one.by);
  const untilMs = nowMs + Math.min(...all.map((one) => one.useForMs));
  const least = Math.min(...all.map((one) => one.uses));
  const grant = { id, digest, approvals, uses: least, untilMs, grantedAtMs: nowMs, by };
  return { ...request, consents: all, grant };
}

/** A request that a person refused, or withdrew; or why that cannot be. */
export function closed(
  request: ApprovalRequest,
  { kind, by, reason }: CloseOrder,
  nowMs: number,
): ApprovalRequest | Undecided {
  const state = stateOfRequest(request, nowMs);
  const open = state === 'pending' || (kind === 'withdrawn' && state === 'granted');
  return open ? { ...request, closing: { kind, atMs: nowMs, by, reason } } : conflict(`it is ${state}`);
}

const conflict = (detail: string): Undecided => ({ result: 'conflict', detail });
