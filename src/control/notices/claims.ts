import { hash } from 'node:crypto';
import type { Claim, State, Use } from '../../state/model.ts';
import type { Notice } from './notice.ts';

/** Whose turn something is. */
export type Turn =
  | { readonly turn: 'ours'; readonly release: () => void }
  | { readonly turn: 'taken' }
  | { readonly turn: 'unknown'; readonly detail: string };

/** Nobody sends the same to a person twice within so long. */
const QUIET_MS = 300_000;
/** No check: what is claimed has no retries of Envoy. */
const USE: Use = { requestId: '', caller: 'notices', checkPeer: null, digest: '', deadline: 0, judgedBy: '' };

/** Claims a notice for this process, so that of all processes that share a state one sends it to a receiver. Never rejects. */
export const takeNotice = (state: State, receiver: string, { id, untilMs }: Notice, nowMs: number): Promise<Turn> =>
  taken(state, ['notice', receiver, id], untilMs, nowMs);

/**
 * Claims for five minutes what a notice says to people, whatever the request. Whoever could not say it gives it back, since
 * others may. Never rejects.
 */
export const takeWords = (state: State, receiver: string, { type, data }: Notice, nowMs: number): Promise<Turn> =>
  taken(state, ['quiet notice', receiver, type, ...(data.approvals ?? [data.id])], nowMs + QUIET_MS, nowMs);

async function taken(state: State, what: readonly string[], untilMs: number, nowMs: number): Promise<Turn> {
  const claims: readonly Claim[] = [{ key: keyOf(what), history: state.history(), until: untilMs }];
  const claimed = await state.claim(claims, USE, nowMs);
  switch (claimed.result) {
    case 'fresh':
      return { turn: 'ours', release: () => state.giveBack(claims, USE) };
    case 'unavailable':
      return { turn: 'unknown', detail: claimed.detail };
    default:
      return { turn: 'taken' };
  }
}

const keyOf = (told: readonly string[]): string => hash('sha256', JSON.stringify(told), 'base64url');
