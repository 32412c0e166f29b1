import { Refusal } from '../base/outcome.ts';
import { after, type Soon } from '../base/soon.ts';
import type { CheckInput } from '../http/input.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { Permit } from '../policy/decide/permit.ts';
import { TOUCHED_DECIDES } from '../policy/decide/question.ts';
import type { Snapshot } from '../policy/decide/snapshot.ts';
import type { GiveBack, Redemption, Touching } from '../state/redemption.ts';
import type { Approvals, Lacking } from './approvals.ts';
import type { CheckContext } from './decision.ts';
import { conclude, judge } from './judge.ts';
import { useOf } from './redeem.ts';
import type { Stages } from './stages.ts';
import type { ReadTouched } from './touched.ts';
import type { Findings, Trail } from './trail.ts';

/** How often a request is judged again, because more was opened on one of its accounts meanwhile. */
const MAX_ATTEMPTS = 4;

/** A request of which everything was found that policies judge it by. */
export interface Judgeable extends Pick<Findings, 'target' | 'caller' | 'taskContext' | 'facts'> {
  readonly input: CheckInput;
  readonly snapshot: Snapshot<Inventory>;
  readonly context: CheckContext;
  readonly nowMs: number;
}

/** A permit that stands: all that it lives by is used up, and what it opens is recorded. */
export interface Settled {
  readonly permit: Permit;
  readonly giveBack: GiveBack;
}

/**
 * Asks policies, and uses up what a permit lives by. What was opened before is read only where it decides; where more was opened
 * until the permit is to stand, the request is judged again. Refusals: those of policies, approvals, budgets and `redeem`,
 * `overloaded`, and `state_unavailable` where it grew again and again.
 */
export const settle = (request: Judgeable, stages: Stages, trail: Trail): Soon<Settled | Refusal> =>
  attempt(request, stages, trail, null, 1);

function attemptWithTouched(request: Judgeable, stages: Stages, trail: Trail, number: number): Soon<Settled | Refusal> {
  if (number > MAX_ATTEMPTS) return new Refusal('state_unavailable', 'more and more was opened while this was judged');
  const { taskContext, snapshot, nowMs } = request;
  return after(stages.touched.read(taskContext, snapshot.inventory, nowMs), (read) => {
    const touched = trail.keep('touched', read);
    return touched instanceof Refusal ? touched : attempt(request, stages, trail, touched, number);
  });
}

function attempt(
  request: Judgeable,
  stages: Stages,
  trail: Trail,
  touched: ReadTouched | null,
  number: number,
): Soon<Settled | Refusal> {
  const { input, snapshot, target, caller, taskContext, facts, context, nowMs } = request;
  const seen = touched?.facts ?? null;
  const hops = judge(snapshot, input, target, caller, taskContext, facts, seen, nowMs, stages.approvals);
  if (touched === null && hops.some(({ verdict }) => verdict === TOUCHED_DECIDES)) {
    trail.lap('policy');
    return attemptWithTouched(request, stages, trail, number);
  }
  const verdict = conclude(hops, target, taskContext, stages.enforcement);
  trail.keep('hops', hops);
  const asking = verdict instanceof Refusal && verdict.reason === 'approval_required' ? stages.approvals : null;
  if (verdict instanceof Refusal && asking === null) return verdict;

  if (context.gaveUp()) return new Refusal('overloaded', 'Envoy gave up before it was decided');
  const again = (next: number) => attemptWithTouched(request, stages, trail, next);
  /** What the request uses of budgets, and what it opens; or why it can do neither. */
  const needs = (): Needs | Refusal => {
    const counted = stages.budgets(taskContext, target, nowMs);
    if (counted instanceof Refusal) return counted;
    const touching = stages.touched.touching(taskContext, target, snapshot.inventory, snapshot.touched, touched, nowMs);
    return touching instanceof Refusal ? touching : { counted, touching };
  };
  /** Uses up what the request lives by, one use of an approval among it. */
  const stand = (permit: Permit, approved: Redemption | null): Soon<Settled | Refusal> => {
    const needed = needs();
    if (needed instanceof Refusal) return needed;
    const { counted, touching } = needed;
    const { redemptions } = taskContext;
    const use = useOf(input, caller, snapshot.revision, context);
    const more = approved === null ? counted : [...counted, approved];
    const used = more.length === 0 ? redemptions : [...redemptions, ...more];
    return after(stages.redeem(used, use, nowMs, touching), (giveBack) => {
      trail.lap('commit');
      if (giveBack instanceof Refusal) return giveBack;
      return giveBack === 'grown' ? again(number + 1) : { permit, giveBack };
    });
  };
  if (!(verdict instanceof Refusal)) return stand(verdict, null);
  const lacking = { snapshot, input, target, caller, taskContext, facts, touched: seen, hops };
  return approve(asking!, lacking, { needs, stand, again: () => again(number) }, trail, nowMs);
}

interface Needs {
  readonly counted: readonly Redemption[];
  readonly touching: Touching;
}

/** What becomes of a check with its approvals: it stands, or is judged again, with what was opened before. */
interface Then {
  readonly needs: () => Needs | Refusal;
  readonly stand: (permit: Permit, approved: Redemption) => Soon<Settled | Refusal>;
  readonly again: () => Soon<Settled | Refusal>;
}

/**
 * Lets a check that lacks approvals pass by those that were granted, or asks for them, unless it could not pass by them either. A grant that was used as often as it may be
 * is asked for anew. Where it does not pass, the trail says what was decided without them.
 */
function approve(
  approvals: Approvals,
  lacking: Lacking,
  { needs, stand, again }: Then,
  trail: Trail,
  nowMs: number,
): Soon<Settled | Refusal> {
  const approvable = approvals.approvable(lacking, nowMs);
  if (approvable === 'unread') return again();
  const found = trail.keep('approval', approvable);
  if (found instanceof Refusal) return found;
  const { order, redemption } = found;
  if (redemption === null) {
    const needed = needs();
    return needed instanceof Refusal ? needed : approvals.ask(order, found.spent, nowMs);
  }
  trail.found.facts = found.facts;
  trail.found.hops = found.hops;
  return after(stand(found.permit, redemption), (settled) => {
    if (settled !== redemption.ifUsed) return settled;
    trail.found.facts = lacking.facts;
    trail.found.hops = lacking.hops;
    return approvals.ask(order, found.grant!.id, nowMs);
  });
}
