import { Refusal } from '../base/outcome.ts';
import type { Soon } from '../base/soon.ts';
import type { CheckInput, Connection } from '../http/input.ts';
import type { Caller } from '../identity/caller.ts';
import type { State, Use } from '../state/model.ts';
import { type GiveBack, type Redemption, redeem, type Touching } from '../state/redemption.ts';
import type { CheckContext } from './decision.ts';

/**
 * Uses up, after the permit, what may be used once, and records what is opened; a GiveBack when the allow stands, `grown` when the
 * request has to be judged again. Refusals: those of `redeem` of state/, and `overloaded` where nobody waits for the allow any more.
 */
export type Redeem = (
  redemptions: readonly Redemption[],
  use: Use,
  nowMs: number,
  touching?: Touching,
) => Soon<Refusal | GiveBack | 'grown'>;

/**
 * The stage that uses up what `state` remembers. `clock` gives milliseconds since the epoch; `revoked` names the
 * revocations that are known: a retry of a check that was judged by others is a second use.
 */
export function redeemer(state: State, clock: () => number, revoked: () => string = () => ''): Redeem {
  return (redemptions, use, nowMs, touching) => {
    if (clock() >= use.deadline) return new Refusal('overloaded', 'decided too late');
    // What is only touched may be touched twice: nobody needs to know a retry.
    if (redemptions.length === 0) return redeem(state, redemptions, withoutRetry(use), nowMs, touching);
    // The digest is made when it is asked for, and so is no member that could be spread.
    const judged = { ...use, digest: use.digest, judgedBy: `${use.judgedBy} ${revoked()}` };
    return redeem(state, redemptions, judged, nowMs, touching);
  };
}

/** The check for which something is used up. `revision` is that of the snapshot that judged it. */
export function useOf(
  { id, connection }: CheckInput,
  { workload }: Caller,
  revision: string,
  { deadline }: CheckContext,
): Use {
  return new UseOfCheck(id, workload.id.text, connection, deadline, revision);
}

class UseOfCheck implements Use {
  readonly requestId: string;
  readonly caller: string;
  readonly checkPeer: string | null;
  readonly deadline: number;
  readonly judgedBy: string;
  readonly #connection: Connection;

  constructor(requestId: string, caller: string, connection: Connection, deadline: number, judgedBy: string) {
    this.requestId = requestId;
    this.caller = caller;
    this.checkPeer = connection.checkPeer?.id.text ?? null;
    this.deadline = deadline;
    this.judgedBy = judgedBy;
    this.#connection = connection;
  }

  /** Made of the whole message: only where something is used up. */
  get digest(): string {
    return this.#connection.digest;
  }
}

const withoutRetry = ({ caller }: Use): Use => ({
  requestId: '',
  caller,
  checkPeer: null,
  digest: '',
  deadline: Number.POSITIVE_INFINITY,
  judgedBy: '',
});
