import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../support/until.ts';
import { World } from '../../support/world.ts';
import { agentByTxn, INVOICE, ledgerReads, READER } from '../../support/world-asks.ts';
import { type Family, pair } from './case.ts';

const BROKEN = '@id("broken") permit (principal, action, resource) when { context.task.purpose = "finance" };';

export const policy: Family<'policy'> = {
  policy_no_permit: pair(
    (world) => ({ svid: world.svid(READER), path: INVOICE }),
    (world) => ({ svid: world.svid(READER), path: INVOICE, method: 'DELETE' }),
  ),
  policy_forbidden: pair(agentByTxn(), agentByTxn({}, { headers: { 'x-data-class': 'secret' } })),
  policy_error: pair(
    ledgerReads({ headers: { 'x-amount': '1' } }),
    ledgerReads({ headers: { 'x-amount': '9007199254740991' } }),
  ),
  policy_input_invalid: pair(
    ledgerReads({ path: `${INVOICE}?q=${'a'.repeat(60_000)}` }),
    ledgerReads({ path: `${INVOICE}?q=${'a'.repeat(66_000)}` }),
  ),
  policy_unavailable: {
    play: async () => {
      const file = 'policies/broken.cedar';
      const world = await World.start({ prepare: (folder) => writeFileSync(join(folder, file), BROKEN) });
      try {
        const bad = await world.send(ledgerReads()(world));
        rmSync(join(world.folder, file));
        const good = await until('policies', async () => {
          const answer = await world.send(ledgerReads()(world));
          return answer.reason === 'permitted' ? answer : null;
        });
        return { good, bad };
      } finally {
        await world.stop();
      }
    },
  },
};

export const approval: Family<'approval'> = {
  approval_required: pair(
    ledgerReads({ method: 'POST', path: '/api/releases' }),
    ledgerReads({ method: 'POST', path: '/api/refunds' }),
  ),
};
