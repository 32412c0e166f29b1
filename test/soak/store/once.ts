import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { signs } from '../../support/redis-books.ts';
import { openRegistry } from '../../support/redis-registries.ts';
import { storeOptions } from '../../support/redis-states.ts';
import { begun, requireRegistration } from '../../support/registering.ts';
import { agentByDpop, agentByTxn } from '../../support/world-asks.ts';
import { answersOfFleet } from './fleet.ts';

/** What came of many uses of one thing. */
export interface Once {
  readonly line: string;
  readonly faults: readonly string[];
}

/** One proof, used again and again over real sidecars with one store: it must be allowed once. */
export async function onceOverSidecars(count: number, checks: number): Promise<Once> {
  const { sent, of, told } = await answersOfFleet({ count, checks, ask: agentByDpop() });
  const wrong = of('permitted') !== 1 || of('permitted') + of('task_proof_replayed') !== sent;
  return {
    line: `${sent} uses of one proof over ${count} sidecars: ${told}`,
    faults: wrong ? [`one proof over ${count} sidecars: ${told}`] : [],
  };
}

/** The same of one task with so many calls: all of them, where no answer was late, and never more. */
export async function budgetOverSidecars(count: number, checks: number, calls: number): Promise<Once> {
  const { sent, of, told } = await answersOfFleet({
    count,
    checks,
    ask: agentByTxn(),
    before: async (redis) => {
      const { registry, stop } = await openRegistry(storeOptions(redis, { namespace: 'default' }), { keys: signs });
      await begun(registry, { budgets: { calls, writes: null, resources: null } });
      await stop();
    },
    edit: (config, folder) => {
      writeFileSync(join(folder, 'orders.pem'), signs.trusted[0]!.export({ type: 'spki', format: 'pem' }));
      requireRegistration(config);
      config.control = { trustedKeys: ['orders.pem'] };
    },
  });
  const late = of('state_unavailable');
  const [permitted, spent] = [of('permitted'), of('task_budget_spent')];
  const wrong = permitted > calls || permitted + late < calls || permitted + spent + late !== sent;
  return {
    line: `${sent} calls on a budget of ${calls} over ${count} sidecars: ${told}`,
    faults: wrong ? [`a budget of ${calls} over ${count} sidecars: ${told}`] : [],
  };
}
