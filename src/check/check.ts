import { Refusal } from '../base/outcome.ts';
import { after, type Soon } from '../base/soon.ts';
import type { CheckInput } from '../http/input.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { Permit } from '../policy/decide/permit.ts';
import type { Snapshot } from '../policy/decide/snapshot.ts';
import type { Redemption } from '../state/redemption.ts';
import type { Approvals, Lacking } from './approvals.ts';
import type { CheckContext, Decision } from './decision.ts';
import { headerMutations } from './header-mutations.ts';
import { conclude, judge } from './judge.ts';
import { useOf } from './redeem.ts';
import type { Stages } from './stages.ts';
import { Trail } from './trail.ts';

/** The way of one request, from what was read to what is decided. Refusals: those of the stages, and `overloaded`. */
export function check(
  input: CheckInput,
  snapshot: Snapshot<Inventory>,
  stages: Stages,
  context: CheckContext,
  nowMs: number,
): Soon<Decision> {
  const trail = new Trail(snapshot);
  const refuse = (outcome: Refusal): Decision => ({ outcome, trail });
  const known = snapshot.inventory;
  const target = trail.keep('target', known.locate(input, stages));
  if (target instanceof Refusal) return refuse(target);

  const credentials = stages.readCredentials(input.headers, target.resource.host);
  return after(stages.identify(input, credentials, target, known, nowMs, trail.onCredential), (identified) => {
    const caller = trail.keep('caller', identified);
    if (caller instanceof Refusal) return refuse(caller);
    return after(stages.readTask(input, credentials, target, caller, known, nowMs, trail.onTask), (read) => {
      const taskContext = trail.keep('taskContext', read);
      if (taskContext instanceof Refusal) return refuse(taskContext);

      const facts = trail.keep('facts', stages.recall(caller, taskContext, input, snapshot.headers, nowMs));
      if (facts instanceof Refusal) return refuse(facts);

      const hops = judge(snapshot, input, target, caller, taskContext, facts, nowMs, stages.approvals);
      const verdict = conclude(hops, target, taskContext, stages.enforcement);
      trail.keep('hops', hops);
      const required = verdict instanceof Refusal && verdict.reason === 'approval_required';
      const asking = required ? stages.approvals : null;
      if (verdict instanceof Refusal && asking === null) return refuse(verdict);

      if (context.gaveUp()) return refuse(new Refusal('overloaded', 'Envoy gave up before it was decided'));
      /** Uses up what the request lives by, one use of an approval among it. */
      const allow = (permit: Permit, approved: Redemption | null): Soon<Decision> => {
        const counted = stages.budgets(taskContext, target, nowMs);
        if (counted instanceof Refusal) return refuse(counted);
        const { redemptions } = taskContext;
        const use = useOf(input, caller, snapshot.revision, context);
        const more = approved === null ? counted : [...counted, approved];
        const used = more.length === 0 ? redemptions : [...redemptions, ...more];
        return after(stages.redeem(used, use, nowMs), (giveBack) => {
          trail.lap('commit');
          if (giveBack instanceof Refusal) return refuse(giveBack);
          const { taskHeaders } = stages;
          const mutations = headerMutations(input.headers, target, caller, taskContext, taskHeaders, context.decision);
          return { outcome: permit, mutations, giveBack, trail };
        });
      };
      if (!(verdict instanceof Refusal)) return allow(verdict, null);
      const lacking = { snapshot, input, target, caller, taskContext, facts, hops };
      return approve(asking!, lacking, allow, trail, nowMs);
    });
  });
}

/**
 * Lets a check that lacks approvals pass by those that were granted, or asks for them. A grant that was used as often as it may be
 * is asked for anew. Where it does not pass, the trail says what was decided without them.
 */
function approve(
  approvals: Approvals,
  lacking: Lacking,
  allow: (permit: Permit, approved: Redemption) => Soon<Decision>,
  trail: Trail,
  nowMs: number,
): Soon<Decision> {
  const refuse = (outcome: Refusal): Decision => ({ outcome, trail });
  const found = trail.keep('approval', approvals.approvable(lacking, nowMs));
  if (found instanceof Refusal) return refuse(found);
  const { order, redemption } = found;
  if (redemption === null) return after(approvals.ask(order, found.spent, nowMs), refuse);
  trail.found.facts = found.facts;
  trail.found.hops = found.hops;
  return after(allow(found.permit, redemption), (decision) => {
    if (decision.outcome !== redemption.ifUsed) return decision;
    trail.found.facts = lacking.facts;
    trail.found.hops = lacking.hops;
    return after(approvals.ask(order, found.grant!.id, nowMs), refuse);
  });
}
