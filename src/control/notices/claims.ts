import { hash } from 'node:crypto';
import type { Claim, State, Use } from '../../state/model.ts';
import type { Notice } from './notice.ts';

/** Whose turn a notice is. `quiet`: the same was sent a moment ago. */
export type Turn =
  | { readonly turn: 'ours'; readonly release: () => void }
  | { readonly turn: 'taken' | 'quiet' }
  | { readonly turn: 'unknown'; readonly detail: string };

/** Nobody sends the same to a person twice within so long. */
const QUIET_MS = 300_000;
/** No check: what is claimed has no retries of Envoy. */
const USE: Use = { requestId: '', caller: 'notices', checkPeer: null, digest: '', deadline: 0, judgedBy: '' };

/**
 * Claims a notice for this process, so that of all processes that share a state one sends it to a receiver. `isQuiet`: and
 * nothing that says the same to people, whatever the request, for five minutes. Never rejects.
 */
export async function takeTurn(
  state: State,
  receiver: string,
  { id, type, untilMs, data }: Notice,
  isQuiet: boolean,
  nowMs: number,
): Promise<Turn> {
  const history = state.history();
  const own: Claim = { key: keyOf(['notice', receiver, id]), history, until: untilMs };
  const same = keyOf(['quiet notice', receiver, type, ...(data.approvals ?? [data.id])]);
  const claims = isQuiet ? [own, { key: same, history, until: nowMs + QUIET_MS }] : [own];
  const claimed = await state.claim(claims, USE, nowMs);
  switch (claimed.result) {
    case 'fresh':
      return { turn: 'ours', release: () => state.giveBack(claims, USE) };
    case 'unavailable':
      return { turn: 'unknown', detail: claimed.detail };
    default:
      return { turn: 'key' in claimed && claimed.key === same ? 'quiet' : 'taken' };
  }
}

const keyOf = (told: readonly string[]): string => hash('sha256', JSON.stringify(told), 'base64url');
