import type { ThiefEstate } from '../support/thief-estate.ts';
import type { Attempt } from '../support/thief-way.ts';
import type { TokenKind } from './reuse-lease.ts';
import { type Cell, type Column, type Past, permitted, refusedAfter } from './reuse-matrix.ts';

/** What its holder has in a task: one credential, and requests with it, each with a new proof where proofs are used once. */
export type Held = (estate: ThiefEstate, id: string) => () => Attempt;

/** A token that needs no proof. */
export const heldToken =
  (kind: TokenKind): Held =>
  (estate, id) => {
    const headers = kind.headers(kind.mint(estate, { id }));
    return () => ({ as: kind.holder(estate), path: kind.place, headers });
  };

/** Longer than a busy machine takes from the beginning of a task to its first use, or else tried again with twice as much. */
const LEASE_SECONDS = 2;

/** A credential after the end of its task, which is registered at these issuers. The first one's ends. */
export function taskCells(
  issuers: readonly [string, ...string[]],
  held: Held,
): Readonly<Pick<Record<Column, Cell>, 'task ended' | 'lease lapsed' | 'budget spent'>> {
  const ended: Past = async (estate, use) => {
    const id = await estate.tasks.begin(issuers);
    const request = held(estate, id);
    permitted(await use(request()));
    await estate.tasks.end(issuers[0], id);
    return request;
  };
  const lapsed: Past = async (estate, use) => {
    for (let leaseSeconds = LEASE_SECONDS; ; leaseSeconds *= 2) {
      const id = await estate.tasks.begin(issuers, { leaseSeconds });
      const request = held(estate, id);
      const outcome = await use(request());
      if (outcome === 'task_lapsed') continue;
      permitted(outcome);
      await estate.tasks.is('lapsed', issuers[0], id);
      return request;
    }
  };
  const spent: Past = async (estate, use) => {
    const request = held(estate, await estate.tasks.begin(issuers, { budgets: { calls: 1 } }));
    permitted(await use(request()));
    return request;
  };
  const after = (how: string, past: Past, reason: 'task_ended' | 'task_lapsed' | 'task_budget_spent') =>
    refusedAfter(how, past, reason, 'task_unregistered');
  return {
    'task ended': after('by its holder, who used it before its task was ended', ended, 'task_ended'),
    'lease lapsed': after('by its holder, who sent no heartbeat in time', lapsed, 'task_lapsed'),
    'budget spent': after('by its holder, whose task was for one call', spent, 'task_budget_spent'),
  };
}
