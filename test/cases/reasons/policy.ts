import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../support/until.ts';
import { type Ask, World } from '../../support/world.ts';
import { agentByTxn, INVOICE, ledgerReads, READER } from '../../support/world-asks.ts';
import { worlds } from '../../support/world-kinds.ts';
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

/** A request whose body Envoy sent, with what it said of it. */
const withBody = (path: string, partial: string): Partial<Ask> => ({
  method: 'POST',
  path,
  headers: { 'x-envoy-auth-partial-body': partial },
  http: { raw_body: Buffer.from('{}') },
  route: { body: '8192' },
});

export const approval: Family<'approval'> = {
  approval_required: pair(
    ledgerReads({ method: 'POST', path: '/api/releases' }),
    ledgerReads({ method: 'POST', path: '/api/refunds' }),
  ),
  approval_refused: {
    play: async () => {
      const world = await World.start(worlds.asking);
      try {
        const good = await world.send(ledgerReads({ method: 'POST', path: '/api/releases' })(world));
        const refund = () => world.send(ledgerReads(withBody('/api/refunds', 'false'))(world));
        await refund();
        for (const { id } of world.approvals!.all())
          await world.approvals!.close({ id, kind: 'refused', by: 'ann', reason: 'no' }, Date.now());
        return { good, bad: await refund() };
      } finally {
        await world.stop();
      }
    },
  },
  approval_body_unseen: {
    ...pair(ledgerReads(withBody('/api/releases', 'true')), ledgerReads(withBody('/api/refunds', 'true'))),
    world: 'asking',
  },
};
