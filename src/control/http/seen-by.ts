import { canonicalJson } from '../../base/json.ts';
import type { ControlDecision } from '../../policy/control/decide.ts';
import type { ControlResource } from '../../policy/control/question.ts';
import type { KnownVerdicts } from '../events/judged.ts';
import type { Rights } from './route.ts';

/** What a caller may see of a list, item by item. */
export interface SeenBy {
  /** Whether an item about this may be seen: asked once for each resource. */
  maySee(resource: ControlResource): boolean;
  /**
   * What holds for the list: allowed where something was seen, and where nothing was there to see for one who may see
   * everything, its own team or itself, or whom some policy may let see such things. Who may see nothing learns no more than
   * that, and where policies failed nobody is told that there is nothing.
   */
  verdict(seen: number): ControlDecision;
}

/** Judges the items of one call, which are about things of these kinds. `known`: what was judged by the same policies for the same caller. */
export function seenBy(
  { may, mayViewSome, caller }: Pick<Rights, 'may' | 'mayViewSome' | 'caller'>,
  kinds: readonly ControlResource['kind'][],
  known: KnownVerdicts = new Map<string, ControlDecision>(),
): SeenBy {
  let allowed: ControlDecision | null = null;
  let failed: ControlDecision | null = null;
  const ask = (resource: ControlResource): ControlDecision => {
    const key = keyOf(resource);
    const before = known.get(key);
    const decision = before ?? may('view', resource);
    if (before === undefined) known.set(key, decision);
    if (decision.allowed) allowed ??= decision;
    if (decision.errors.length > 0) failed ??= decision;
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
      const permitted = decisions.find((decision) => decision.allowed);
      if (permitted !== undefined) return permitted;
      const [denied] = decisions as [ControlDecision];
      if (failed !== null || denied.forbids.length > 0) return failed ?? denied;
      const permits = mayViewSome(kinds);
      return permits.length === 0 ? denied : { ...denied, allowed: true, permits };
    },
  };
}

/** Most of what is asked about is a workload, which an object of JSON is slow to name. */
const keyOf = (resource: ControlResource): string =>
  resource.kind === 'workload' ? resource.id.text : canonicalJson(resource);
