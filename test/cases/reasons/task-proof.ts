import type { Reason } from '../../../src/base/outcome.ts';
import type { Mutation } from '../../support/tokens.ts';
import { World, workload } from '../../support/world.ts';
import { type AskOf, agentByDpop, agentByWimse, ORIGIN, READER } from '../../support/world-asks.ts';
import { type Pair, pair, type ReasonCase, type Scene } from './case.ts';

/** Seconds since the epoch, so far from now. */
const seconds = (fromNow: number): number => Math.floor(Date.now() / 1000) + fromNow;
const HOUR = 3600;

/** The agent's DPoP proof, with one mutation. */
const wrongProof = (mutation: Mutation): Pair => pair(agentByDpop(), agentByDpop(mutation));
/** The agent's Workload Identity Token, with one mutation. */
const wrongWit = (wit: Mutation): Pair => pair(agentByWimse(), agentByWimse({ wit }));
/** The agent's Workload Proof Token, with one mutation. */
const wrongWpt = (wpt: Mutation): Pair => pair(agentByWimse(), agentByWimse({ wpt }));

/** The request without one of its headers. */
const without =
  (name: string, from: AskOf): AskOf =>
  (world) => {
    const ask = from(world);
    const headers = Object.entries(ask.headers ?? {}).filter(([one]) => one !== name);
    return { ...ask, headers: Object.fromEntries(headers) };
  };

/** The very same request, a second time. */
const again = (of: AskOf): Scene => ({
  play: async () => {
    const world = await World.start();
    try {
      const ask = of(world);
      return { good: await world.send(ask), bad: await world.send(ask) };
    } finally {
      await world.stop();
    }
  },
});

/** A proof whose life began just before the process did, beside the same in a process that has run for an hour. */
const beforeStart: Scene = {
  play: async () => {
    const old = await World.start();
    // The proof is made when the world has started, however long that takes.
    const young = await World.start({ startedAtMs: Date.now() + HOUR * 1000 });
    try {
      return { good: await old.send(agentByWimse()(old)), bad: await young.send(agentByWimse()(young)) };
    } finally {
      await young.stop();
      await old.stop();
    }
  },
};

type Prefix = 'task_proof' | 'task_wit' | 'task_wpt';

export const taskProof = {
  task_proof_missing: pair(agentByDpop(), without('dpop', agentByDpop())),
  task_proof_malformed: wrongProof({ claims: { jti: undefined } }),
  task_proof_signature: pair(agentByDpop(), (world) => agentByDpop({ signWith: world.keys.stranger })(world)),
  task_proof_method: wrongProof({ claims: { htm: 'POST' } }),
  task_proof_target: wrongProof({ claims: { htu: `${ORIGIN}/api/invoices/43` } }),
  task_proof_nonce: wrongProof({ claims: { nonce: 'not-one-of-ours' } }),
  task_proof_expired: wrongProof({ claims: { iat: seconds(-HOUR) } }),
  task_proof_token: wrongProof({ claims: { ath: 'A'.repeat(43) } }),
  task_proof_key: pair(agentByDpop(), (world) => {
    const { stranger } = world.keys;
    return agentByDpop({ header: { jwk: stranger.publicJwk }, signWith: stranger })(world);
  }),
  task_proof_replayed: again(agentByDpop()),
  task_wit_invalid: wrongWit({ header: { kid: 'wit-2' } }),
  task_wit_of_another: wrongWit({ claims: { sub: workload(READER) } }),
  task_wpt_missing: pair(agentByWimse(), without('workload-proof-token', agentByWimse())),
  task_wpt_malformed: wrongWpt({ claims: { jti: undefined } }),
  task_wpt_signature: pair(agentByWimse(), (world) => agentByWimse({ wpt: { signWith: world.keys.stranger } })(world)),
  task_wpt_target: wrongWpt({ claims: { aud: `${ORIGIN}/api/invoices/43` } }),
  task_wpt_expired: wrongWpt({ claims: { exp: seconds(-HOUR) } }),
  task_wpt_token: wrongWpt({ claims: { tth: undefined } }),
  task_wpt_replayed: again(agentByWimse()),
  task_wpt_before_start: beforeStart,
} satisfies Readonly<Record<Extract<Reason, `${Prefix}_${string}`>, ReasonCase>>;
