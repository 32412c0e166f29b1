import { hash } from 'node:crypto';
import type { Entry } from './revoking.ts';
import { thumbprint } from './tokens.ts';
import { type Ask, workload } from './world.ts';
import { type Asker, agentByDpop, agentByTxn, CI, deployByToken, LEDGER, ledgerReads, TTS } from './world-asks.ts';

/** A permitted request, and a revocation that hits it. */
export interface Revocable {
  readonly ask: (world: Asker) => Ask;
  readonly entry: (world: Asker, ask: Ask) => Entry;
  /** The same request where the caller has to make a part of it anew. */
  readonly again: (world: Asker, sent: Ask) => Ask;
}

const revocable = (
  ask: Revocable['ask'],
  entry: Revocable['entry'],
  again: Revocable['again'] = (_, sent) => sent,
): Revocable => ({ ask, entry, again });

/** One of each reason that a revocation refuses with. */
export const revocables = {
  revoked_workload: revocable(ledgerReads(), () => ({ workload: workload(LEDGER) })),
  revoked_owner: revocable(ledgerReads(), () => ({ owner: 'payments' })),
  revoked_certificate: revocable(ledgerReads(), (_, { svid }) => ({
    certificate: `sha256:${hash('sha256', svid!.der, 'hex')}`,
  })),
  revoked_task: revocable(agentByTxn({ claims: { txn: 'task-1' } }), () => ({ task: { issuer: TTS, id: 'task-1' } })),
  revoked_token: revocable(agentByTxn({ claims: { jti: 'one' } }), () => ({ token: { issuer: TTS, jti: 'one' } })),
  revoked_key: revocable(agentByDpop(), (world) => ({ key: thumbprint(world.keys.agent) }), agentByDpop()),
  revoked_subject: revocable(deployByToken(), () => ({
    subject: { issuer: CI, subject: 'repo:shop/deploy:ref:main' },
  })),
};
