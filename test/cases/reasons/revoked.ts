import { hash } from 'node:crypto';
import { type Entry, revocationFile, revokingWorld, rewrite } from '../../support/revoking.ts';
import { thumbprint } from '../../support/tokens.ts';
import { type Ask, type World, workload } from '../../support/world.ts';
import { agentByDpop, agentByTxn, CI, deployByToken, LEDGER, ledgerReads, TTS } from '../../support/world-asks.ts';
import type { Family, Scene } from './case.ts';

/** The same request before the revocation and after it; `again` where the caller has to make a part of it anew. */
function revoking(
  ask: (world: World) => Ask,
  entry: (world: World, ask: Ask) => Entry,
  again: (world: World, sent: Ask) => Ask = (_, sent) => sent,
): Scene {
  return {
    play: async () => {
      const world = await revokingWorld(revocationFile([]));
      try {
        const sent = ask(world);
        const good = await world.send(sent);
        await rewrite(world, revocationFile([entry(world, sent)]));
        return { good, bad: await world.send(again(world, sent)) };
      } finally {
        await world.stop();
      }
    },
  };
}

const withTask = agentByTxn({ claims: { txn: 'task-1' } });

export const revoked: Family<'revoked'> = {
  revoked_workload: revoking(ledgerReads(), () => ({ workload: workload(LEDGER) })),
  revoked_owner: revoking(ledgerReads(), () => ({ owner: 'payments' })),
  revoked_certificate: revoking(ledgerReads(), (_, { svid }) => ({
    certificate: `sha256:${hash('sha256', svid!.der, 'hex')}`,
  })),
  revoked_task: revoking(withTask, () => ({ task: { issuer: TTS, id: 'task-1' } })),
  revoked_token: revoking(agentByTxn({ claims: { jti: 'one' } }), () => ({ token: { issuer: TTS, jti: 'one' } })),
  revoked_key: revoking(agentByDpop(), (world) => ({ key: thumbprint(world.keys.agent) }), agentByDpop()),
  revoked_subject: revoking(deployByToken(), () => ({
    subject: { issuer: CI, subject: 'repo:shop/deploy:ref:main' },
  })),
};
