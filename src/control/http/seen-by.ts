import { canonicalJson } from '../../base/json.ts';
import type { ControlDecision } from '../../policy/control/decide.ts';
import type { ControlResource } from '../../policy/control/question.ts';
import type { Call } from './route.ts';

/** What a caller may see of a list, item by item. */
export interface SeenBy {
  /** Whether an item about this may be seen: asked once for each resource. */
  maySee(resource: ControlResource): boolean;
  /**
   * What holds for the list: allowed where something was seen, and where nothing was there to see for one who may see
   * everything, its own team or itself. Who may see nothing learns no more than that.
   */
  verdict(seen: number): ControlDecision;
}

/** Judges the items of one call. */
export function seenBy({ may, caller }: Pick<Call, 'may' | 'caller'>): SeenBy {
  const known = new Map<string, ControlDecision>();
  let allowed: ControlDecision | null = null;
  const ask = (resource: ControlResource): ControlDecision => {
    const key = canonicalJson(resource);
    const decision = known.get(key) ?? may('view', resource);
    known.set(key, decision);
    if (decision.allowed) allowed ??= decision;
    return decision;
  };
  return {
    maySee: (resource) => ask(resource).allowed,
    verdict: (seen) => {
      if (seen > 0 && allowed !== null) return allowed;
      const own: ControlResource[] = [{ kind: 'everything' }];
      if (caller !== null) {
        const { id, owner } = caller.workload;
        own.push({ kind: 'team', name: owner }, { kind: 'workload', id });
      }
      const decisions = own.map(ask);
      return decisions.find((decision) => decision.allowed) ?? decisions[0]!;
    },
  };
}
