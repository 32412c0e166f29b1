import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openApprovals } from '../../support/redis-approvals.ts';
import { signs } from '../../support/redis-books.ts';
import { openRegistry } from '../../support/redis-registries.ts';
import { storeOptions } from '../../support/redis-states.ts';
import { askForReleases, consentTo, type Problem, release } from '../../support/refunds.ts';
import { begun, requireRegistration } from '../../support/registering.ts';
import { until } from '../../support/until.ts';
import type { MeshConfig } from '../../support/world.ts';
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
      requireRegistration(config);
      believeOrders(config, folder);
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

/** The same of one request that a person approved, for so many uses. */
export async function approvalOverSidecars(count: number, checks: number, uses: number): Promise<Once> {
  const { sent, of, told } = await answersOfFleet({
    count,
    checks,
    ask: agentByTxn({}, release()),
    ready: async (redis, sidecars, ask) => {
      const { book, stop } = await openApprovals(storeOptions(redis, { namespace: 'default' }), signs);
      const { approval } = JSON.parse(await ask()) as Problem;
      const request = await until('the request', () => book.find(approval?.id ?? ''));
      await book.grant(consentTo(request, { uses, useForMs: 600_000 }), Date.now());
      for (const sidecar of sidecars)
        await until('the grant', async () => ((await sidecar.metric('authz_approvals_granted')) === 1 ? true : null));
      await stop();
    },
    edit: (config, folder) => {
      askForReleases(folder);
      believeOrders(config, folder);
    },
  });
  const [permitted, unavailable] = [of('permitted'), of('state_unavailable')];
  const wrong = permitted !== uses || permitted + of('approval_required') + unavailable !== sent;
  return {
    line: `${sent} uses of one approval for ${uses} over ${count} sidecars: ${told}`,
    faults: wrong ? [`an approval for ${uses} over ${count} sidecars: ${told}`] : [],
  };
}

/** The sidecars believe what the key of these runs signed. */
function believeOrders(config: MeshConfig, folder: string): void {
  writeFileSync(join(folder, 'orders.pem'), signs.trusted[0]!.export({ type: 'spki', format: 'pem' }));
  config.control = { trustedKeys: ['orders.pem'] };
}
