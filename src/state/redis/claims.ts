import { hash } from 'node:crypto';
import { type Claim, type ClaimResult, checkOf, type History, markOf, misfit, type Use } from '../model.ts';
import type { Reply } from './link.ts';
import { MAX_SKEW_MS, type StoreOptions } from './options.ts';

/** Keys and arguments of a script. */
export interface ScriptCall {
  readonly keys: readonly string[];
  readonly args: readonly string[];
}

/** Names the keys of a store. */
export type NameKey = (name: string) => string;

/** What is counted of used proofs, and of counts; with `:` and a digest after it, of one caller. */
export const SHARES = ['proofs', 'counts'] as const;

/** How the Check itself stands among the claims of a script: it is used once, and when its deadline is over, anew. */
const MARK = 'check';

/** Why these keys cannot be claimed; null where they can. */
export const unclaimable = (claims: readonly Claim[]): string | null =>
  misfit(claims) ?? (claims.every((claim) => Number.isSafeInteger(endOf(claim))) ? null : 'a window ends too late');

/** The arguments of CLAIM. `nowMs`: milliseconds since the epoch. */
export function claimCall(
  claims: readonly Claim[],
  use: Use,
  history: History,
  nowMs: number,
  { maxEntries, maxCounts }: StoreOptions,
  key: NameKey,
): ScriptCall {
  const { keys, args } = claimed(claims, use, key);
  const bounds = [nowMs, MAX_SKEW_MS, maxEntries, maxCounts].map(String);
  return { keys: [key('history'), ...keys], args: [history.id, ...firstUse(use), ...bounds, ...args] };
}

/** The arguments of GIVE_BACK. */
export function giveBackCall(claims: readonly Claim[], use: Use, key: NameKey): ScriptCall {
  const { keys, args } = claimed(claims, use, key);
  return { keys, args: [firstUse(use).join(' '), ...args] };
}

/** What an answer of CLAIM says. `moved`: the store is another one, or its clock. */
export function readClaim(reply: Reply, claims: readonly Claim[]): { result: ClaimResult; moved: boolean } {
  const [word, number, most] = Array.isArray(reply) ? (reply as readonly Reply[]) : [];
  const other = (detail: string, moved = false) => ({ result: unclaimed(detail), moved });
  switch (word) {
    case 'fresh':
    case 'same':
      return { result: { result: word }, moved: false };
    case 'replayed':
    case 'spent': {
      const claim = claims[Number(number) - 1];
      if (claim === undefined) return other('the store answered about another key');
      return { result: { result: word, key: claim.key }, moved: false };
    }
    case 'history':
      return other('the store began a new history: it was emptied, restarted, or another server took over', true);
    case 'skew':
      return other(`the clock of the store differs by more than ${MAX_SKEW_MS} ms`, true);
    case 'ended':
      return other('the window ended by the clock of the store');
    case 'full':
      return other(
        `the caller would take more than ${number} of ${most} used proofs or counts, which is half of what the others leave`,
      );
    default:
      return other('the store answered with something else');
  }
}

export const unclaimed = (detail: string): ClaimResult => ({ result: 'unavailable', detail });

/**
 * The keys of claims after those of their shares, and for each its end, its limit (empty: it is used once), and its member.
 * The hash tag is the namespace's: one proof has one place, whoever shows it.
 */
function claimed(claims: readonly Claim[], use: Use, key: NameKey): ScriptCall {
  const caller = hash('sha256', use.caller, 'base64url');
  const keys = SHARES.flatMap((share) => [key(share), key(`${share}:${caller}`)]);
  const args: string[] = [];
  for (const claim of claims) {
    keys.push(key(`${claim.count === undefined ? 'proof' : 'count'}:${claim.key}`));
    args.push(String(endOf(claim)), String(claim.count?.limit ?? ''), claim.count?.member ?? '');
  }
  const mark = markOf(claims, use);
  if (mark !== null) {
    keys.push(key(`check:${mark}`));
    args.push(String(endOf({ until: use.deadline })), MARK, '');
  }
  return { keys, args };
}

/** The server's clock ends a key, and may run ahead by so much. */
const endOf = ({ until }: Pick<Claim, 'until'>): number => Math.ceil(until + MAX_SKEW_MS);

/** The Check and its deadline, as a key has them: empty and 0 where Envoy cannot ask again. */
function firstUse(use: Use): readonly [check: string, deadline: string] {
  const check = checkOf(use);
  return check === null ? ['', '0'] : [check, String(Math.floor(use.deadline))];
}
