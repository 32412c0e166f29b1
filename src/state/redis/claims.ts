import { hash, randomUUID } from 'node:crypto';
import { Fault } from '../../base/fault.ts';
import { misfitOf, type Touch, type TouchedRecord } from '../bounded/touched.ts';
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

/** What is counted of used proofs, of counts, and of touched accounts; with `:` and a digest after it, of one caller. */
export const SHARES = ['proofs', 'counts', 'accounts'] as const;

/** How the Check itself stands among the claims of a script: it is used once, and when its deadline is over, anew. */
const MARK = 'check';

/** Why these keys cannot be claimed, or these accounts touched; null where they can. */
export const unclaimable = (claims: readonly Claim[], touches: readonly Touch[]): string | null =>
  misfit(claims) ??
  misfitOf(touches) ??
  (claims.every((claim) => Number.isSafeInteger(endOf(claim))) ? null : 'a window ends too late');

/** The arguments of CLAIM. `nowMs`: milliseconds since the epoch. */
export function claimCall(
  claims: readonly Claim[],
  use: Use,
  history: History,
  nowMs: number,
  { maxEntries, maxCounts, maxAccounts }: StoreOptions,
  key: NameKey,
  touches: readonly Touch[] = [],
): ScriptCall {
  const { keys, args } = claimed(claims, use, key, SHARES);
  const bounds = [nowMs, MAX_SKEW_MS, maxEntries, maxCounts, maxAccounts].map(String);
  const version = touches.length === 0 ? '' : randomUUID().slice(0, 23);
  for (const { neededUntilMs, untilMs, sensitivity, apis, judgedBy } of touches) {
    args.push(String(neededUntilMs), String(untilMs), String(sensitivity), apis.join(' '));
    args.push(judgedBy === null ? '' : String(judgedBy.sensitivity), versionText(judgedBy?.version ?? null));
  }
  return {
    keys: [key('history'), ...keys, ...accountsOf(touches, key)],
    args: [history.id, ...firstUse(use), ...bounds, version, String(touches.length), ...args],
  };
}

/** The arguments of TOUCHED. */
export function touchedCall(keys: readonly string[], { id }: History, nowMs: number, key: NameKey): ScriptCall {
  const accounts = accountsOf(
    keys.map((account) => ({ key: account })),
    key,
  );
  return { keys: [key('history'), ...accounts], args: [id, String(nowMs), String(MAX_SKEW_MS)] };
}

const accountsOf = (accounts: readonly Pick<Touch, 'key'>[], key: NameKey): string[] =>
  accounts.map((account) => key(`touched:${account.key}`));

/** An account that has no version has `-` in the scripts. */
const versionText = (version: string | null): string => (version === '' ? '-' : (version ?? ''));

/** The arguments of GIVE_BACK. */
export function giveBackCall(claims: readonly Claim[], use: Use, key: NameKey): ScriptCall {
  const { keys, args } = claimed(claims, use, key, SHARES.slice(0, 2));
  return { keys, args: [firstUse(use).join(' '), ...args] };
}

/** What an answer of CLAIM says. `moved`: the store is another one, or its clock. */
export function readClaim(reply: Reply, claims: readonly Claim[]): { result: ClaimResult; moved: boolean } {
  const [word, ...more] = Array.isArray(reply) ? (reply as readonly Reply[]) : [];
  const [number, most] = more;
  const other = (detail: string, moved = false) => ({ result: unclaimed(detail), moved });
  switch (word) {
    case 'fresh':
      if (more.length === 0) return { result: { result: word }, moved: false };
      return { result: { result: word, touchedUntil: more.map(Number) }, moved: false };
    case 'same':
    case 'grown':
      return { result: { result: word }, moved: false };
    case 'replayed':
    case 'spent': {
      const claim = claims[Number(number) - 1];
      if (claim === undefined) return other('the store answered about another key');
      return { result: { result: word, key: claim.key }, moved: false };
    }
    case 'history':
    case 'skew':
      return other(MOVED[word], true);
    case 'ended':
      return other('the window ended by the clock of the store');
    case 'full':
      return other(
        `the caller would take more than ${number} of ${most} used proofs, counts or accounts, which is half of what the others leave`,
      );
    default:
      return other('the store answered with something else');
  }
}

/** What TOUCHED says; a Fault, with whether the store is another one, or its clock. */
export function readTouched(
  reply: Reply,
  count: number,
): { readonly records: readonly TouchedRecord[] | Fault; readonly moved: boolean } {
  const [word, ...found] = Array.isArray(reply) ? (reply as readonly Reply[]) : [];
  if (word === 'history' || word === 'skew') return { records: new Fault(MOVED[word]), moved: true };
  const records = found.map(recordOf);
  const whole = word === 'touched' && records.length === count && !records.includes(null);
  const other = new Fault('the store answered with something else');
  return { records: whole ? (records as readonly TouchedRecord[]) : other, moved: false };
}

function recordOf(found: Reply): TouchedRecord | null {
  const [sensitivity, version, ...apis] = Array.isArray(found) ? (found as readonly Reply[]) : [];
  if (typeof sensitivity !== 'number' || typeof version !== 'string') return null;
  const all = apis[0] === 'all';
  return { sensitivity, version: version === '-' ? '' : version, apis: all ? 'all' : new Set(apis.map(String)) };
}

const MOVED = {
  history: 'the store began a new history: it was emptied, restarted, or another server took over',
  skew: `the clock of the store differs by more than ${MAX_SKEW_MS} ms`,
};

export const unclaimed = (detail: string): ClaimResult => ({ result: 'unavailable', detail });

/**
 * The keys of claims after those of their shares, and for each its end, its limit (empty: it is used once), and its member.
 * The hash tag is the namespace's: one proof has one place, whoever shows it.
 */
function claimed(
  claims: readonly Claim[],
  use: Use,
  key: NameKey,
  shares: readonly string[],
): { keys: string[]; args: string[] } {
  const caller = hash('sha256', use.caller, 'base64url');
  const keys = shares.flatMap((share) => [key(share), key(`${share}:${caller}`)]);
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
