import { hash } from 'node:crypto';
import { Refusal } from '../base/outcome.ts';
import { after, type Soon } from '../base/soon.ts';
import type { CheckInput } from '../http/input.ts';
import type { Caller } from '../identity/caller.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { Target } from '../inventory/model.ts';
import type { Permit } from '../policy/decide/permit.ts';
import { TOUCHED_DECIDES } from '../policy/decide/question.ts';
import type { Snapshot, Trials } from '../policy/decide/snapshot.ts';
import type { TouchedFacts } from '../policy/decide/touched.ts';
import type { ApprovalTerms } from '../policy/decide/validated.ts';
import type { ApprovalBook, ApprovalGrant, GrantLookup } from '../state/approvals/book.ts';
import type { ApprovalOrder } from '../state/approvals/order.ts';
import type { History } from '../state/model.ts';
import type { Redemption } from '../state/redemption.ts';
import type { TaskContext } from '../task/model.ts';
import { approvalOrder } from './approval-order.ts';
import { CallerRate } from './caller-rate.ts';
import { conclude, type JudgedHop, judge } from './judge.ts';
import type { Facts } from './recall.ts';

/** A check that lacks approvals, as far as it came. */
export interface Lacking {
  readonly snapshot: Snapshot<Inventory>;
  readonly input: CheckInput;
  readonly target: Target;
  readonly caller: Caller;
  readonly taskContext: TaskContext;
  readonly facts: Facts;
  /** What was opened before; null: it was not read. */
  readonly touched: TouchedFacts | null;
  readonly hops: readonly JudgedHop[];
}

/** What the check would be with the approvals that it lacks, and what people said of it. */
export interface Approvable {
  readonly order: ApprovalOrder;
  readonly permit: Permit;
  readonly facts: Facts;
  readonly hops: readonly JudgedHop[];
  /** Null: nobody granted all that is missing, since the history of the state began. */
  readonly grant: ApprovalGrant | null;
  /** One use of the grant, to be redeemed with whatever else the request uses up. */
  readonly redemption: Redemption | null;
  /** A grant that lets it pass no more: nobody knows how often it was used, or the policies ask for more, or allow less, by now. */
  readonly spent: string | null;
}

/** What a check asks of people. */
export interface Approvals extends Trials {
  /**
   * What a check would be with the approvals that it lacks: judged anew, by the policies of now. Refusals: why it would be
   * refused even so; those of `approvalOrder`; `approval_required` for a caller that asks too often. `unread` where it was asked
   * without what was opened before, and that decides.
   */
  approvable(lacking: Lacking, nowMs: number): Approvable | Refusal | 'unread';
  /** Asks people; `spent` is the id of a grant that was used as often as it may be. Gives what the caller is told. */
  ask(order: ApprovalOrder, spent: string | null, nowMs: number): Soon<Refusal>;
}

/** How often a caller may have a denial judged with approvals, and ask for them: times in each window. */
const [TRIALS, ASKS, WINDOW_MS] = [200, 100, 10_000];
/** When a caller may look again, in seconds: a person has to read first. */
const RETRY_AFTER = '10';

/**
 * The stage that finds approvals, and asks for them; null where there is no book. `history`: since when nothing that was used is
 * forgotten. `controlUrl`: where callers reach the control API, which says what became of a request; null: they are not told where.
 */
export function approvalsOf(
  book: ApprovalBook | null,
  history: () => History,
  controlUrl: string | null,
): Approvals | null {
  if (book === null) return null;
  const statusUrl = controlUrl === null ? null : `${controlUrl}${controlUrl.endsWith('/') ? '' : '/'}approvals/`;
  const trials = new CallerRate(TRIALS, WINDOW_MS);
  const asks = new CallerRate(ASKS, WINDOW_MS);

  function approvable(lacking: Lacking, nowMs: number): ReturnType<Approvals['approvable']> {
    const { snapshot, input, target, caller, taskContext, touched } = lacking;
    const missing = [...new Set(lacking.hops.flatMap(({ verdict }) => verdict.approvals))].toSorted();
    if (!trials.admits(caller.workload.id.text, nowMs)) return required(missing, 'this caller lacks them too often');
    const facts = { ...lacking.facts, approvals: new Set(missing) };
    const hops = judge(snapshot, input, target, caller, taskContext, facts, touched, nowMs);
    if (hops.some(({ verdict }) => verdict === TOUCHED_DECIDES)) return 'unread';
    const permit = conclude(hops, target, taskContext, 'enforce');
    if (permit instanceof Refusal) return permit;
    const order = approvalOrder(input, target, caller, taskContext, facts, missing);
    if (order instanceof Refusal) return order;
    const used = grantedUse(book!, order, snapshot.approvalTerms(missing), history(), nowMs);
    return { order, permit, facts, hops, ...used };
  }

  function ask(order: ApprovalOrder, spent: string | null, nowMs: number): Soon<Refusal> {
    if (!asks.admits(order.caller, nowMs)) return required(order.approvals, 'this caller asks too often');
    return after(book!.ask(order, nowMs, spent), (asked) => {
      if (asked.result === 'pending') {
        const { id, expiresAtMs } = asked;
        const expires_at = new Date(expiresAtMs).toISOString();
        const approval = { id, expires_at, ...(statusUrl === null ? {} : { status_url: statusUrl + id }) };
        return required(order.approvals, `asked for as ${id}`, approval);
      }
      if (asked.result === 'full') return required(order.approvals, asked.detail);
      return new Refusal(asked.result === 'refused' ? 'approval_refused' : 'state_unavailable', asked.detail);
    });
  }

  return { admits: (caller, nowMs) => trials.admits(caller, nowMs), approvable, ask };
}

/**
 * The grant that lets the request of an order pass, with one use of it, which is still to be redeemed. `terms`: what policies let
 * people give now, which every grant keeps to; null: nobody may give it. `now`: the history of the state, since when nothing that was
 * used is forgotten.
 */
export function grantedUse(
  book: GrantLookup,
  { digest, approvals: missing }: Pick<ApprovalOrder, 'digest' | 'approvals'>,
  terms: ApprovalTerms | null,
  now: History,
  nowMs: number,
): Pick<Approvable, 'grant' | 'redemption' | 'spent'> {
  const grants = book.grantsOf(digest, nowMs);
  const holds = (one: ApprovalGrant) => missing.every((name) => one.approvals.includes(name));
  const isGood = (one: ApprovalGrant) => one.grantedAtMs >= now.sinceMs && terms !== null && meets(one, terms, nowMs);
  const grant = grants.find((one) => holds(one) && isGood(one)) ?? null;
  const redemption = grant && useOf(grant, Math.min(grant.uses, terms!.uses), now, missing);
  return { grant, redemption, spent: grant === null ? (grants[0]?.id ?? null) : null };
}

function required(missing: readonly string[], why: string, approval: object | null = null): Refusal {
  const detail = `approvals that are missing: ${missing.join(', ')}; ${why}`;
  return approval === null
    ? new Refusal('approval_required', detail)
    : new Refusal('approval_required', detail, [['retry-after', RETRY_AFTER]], { approval });
}

/**
 * Whether a grant is one that the policies of now would let people give, by how many it was given and how long ago. Of
 * break-glass one is enough.
 */
const meets = ({ by, alone, grantedAtMs }: ApprovalGrant, { quorum, forMs }: ApprovalTerms, nowMs: number): boolean =>
  (alone === true || by.length >= quorum) && nowMs < grantedAtMs + forMs;

/** One use of a grant, of `limit`. Whatever sidecar the request comes to, all of them count the same key. */
const useOf = (
  { id, untilMs }: ApprovalGrant,
  limit: number,
  history: History,
  missing: readonly string[],
): Redemption => ({
  key: hash('sha256', JSON.stringify(['approval', id]), 'base64url'),
  until: untilMs,
  history,
  count: { limit, member: null },
  ifUsed: required(missing, `the approval ${id} was used`),
});
