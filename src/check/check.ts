import { Refusal } from '../base/outcome.ts';
import { after, type Soon } from '../base/soon.ts';
import type { CheckInput } from '../http/input.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { Snapshot } from '../policy/decide/snapshot.ts';
import { withBehaviour, wouldForbid } from './behaviour.ts';
import type { CheckContext, Decision } from './decision.ts';
import { headerMutations } from './header-mutations.ts';
import { settle } from './settle.ts';
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

      const recalled = trail.keep('facts', stages.recall(caller, taskContext, input, snapshot.headers, nowMs));
      if (recalled instanceof Refusal) return refuse(recalled);
      const { behaviour } = stages;
      const facts = behaviour === null ? recalled : withBehaviour(recalled, behaviour, caller, target, trail, nowMs);
      if (facts instanceof Refusal) return refuse(facts);

      const request = { input, snapshot, target, caller, taskContext, facts, context, nowMs };
      return after(settle(request, stages, trail), (settled) => {
        if (settled instanceof Refusal) return refuse(settled);
        const { permit, giveBack } = settled;
        if (behaviour?.mode === 'observe') trail.wouldForbid = wouldForbid(request, trail);
        const mutations = headerMutations(
          input.headers,
          target,
          caller,
          taskContext,
          stages.taskHeaders,
          stages.keyHeaders,
          context.decision,
        );
        return { outcome: permit, mutations, giveBack, trail };
      });
    });
  });
}
